"""Stands in for the machine in its own sandbox and lists every place that it can write to.

All files and folders are checked by access(2), which knows of read-only mounts; folders that can be
written to are also tried. Then it tells systemd that it is ready.
"""

import json
import os
import socket
import sys
import time
from pathlib import Path

# The process's own.
ELSEWHERE = {"/proc"}


def writable() -> list[str]:
    places = []
    for folder, folders, files in os.walk("/"):
        folders[:] = [name for name in folders if f"{folder.rstrip('/')}/{name}" not in ELSEWHERE]
        if os.access(folder, os.W_OK) and can_create(Path(folder)):
            places.append(folder)
            folders.clear()
            continue
        places += [
            path
            for path in (f"{folder.rstrip('/')}/{name}" for name in files)
            if is_writable_file(path)
        ]
    return sorted(places)


def can_create(folder: Path) -> bool:
    try:
        (folder / "trace-of-the-service").write_text("")
    except OSError:
        return False
    return True


def is_writable_file(path: str) -> bool:
    return Path(path).is_file() and not Path(path).is_symlink() and os.access(path, os.W_OK)


def tell(message: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.connect(os.environ["NOTIFY_SOCKET"])
        to.send(message.encode())


Path(os.environ["STATE_DIRECTORY"], sys.argv[1]).write_text(json.dumps(writable()))
tell("READY=1")
while True:
    tell("WATCHDOG=1")
    time.sleep(1)
