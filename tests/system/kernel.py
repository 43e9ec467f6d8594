"""The emulated Pi's User Mode Linux on processors with AMX, where it does not boot as it is built.

Linux reads and writes a processor's extended state in one piece, which is 11,008 bytes with AMX's
tiles. User Mode Linux 6.12 asks for 2,696 at most. Reading is cut short, which does no harm;
writing less than all is refused (EFAULT), and its first process dies. A copy is made that writes as
many as are asked for. What it writes beyond what it has read does not count: the state's own header
says that it holds no tiles.
"""

import os
import shutil
from pathlib import Path

# In the kernel of the emulated Pi: mov qword [rsp + 8], 2696, the length of what is written.
PLACE, WRITTEN = 0x3AE46, bytes.fromhex("48c74424 08 880a0000")
WHOLE = (11008).to_bytes(4, "little")


def built_folder() -> Path:
    """Where the emulated Pi is built."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("RIG_DIR") or Path(cache) / "coinsorter-rig")


def patch_for_amx(folder: Path) -> Path | None:
    """A folder like the built one whose kernel boots with AMX; None where AMX is not the cause."""
    if "amx_tile" not in Path("/proc/cpuinfo").read_text():
        return None
    kernel = bytearray((built_folder() / "linux-uml").read_bytes())
    if kernel[PLACE : PLACE + len(WRITTEN)] != WRITTEN:
        return None
    kernel[PLACE + len(WRITTEN) - len(WHOLE) : PLACE + len(WRITTEN)] = WHOLE
    folder.mkdir()
    for name in ("root", "root.img"):
        (folder / name).symlink_to(built_folder() / name)
    (folder / "linux-uml").write_bytes(kernel)
    shutil.copymode(built_folder() / "linux-uml", folder / "linux-uml")
    return folder
