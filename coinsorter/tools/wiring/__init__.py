"""config.yaml -> what the Pi needs below Linux, and how it is wired.

That is the firmware's settings, a device-tree overlay, a pin table, a drawing and a list of parts.
All of it is made from the settings, so that it cannot drift from them; `coinsorter wiring` writes
it.
"""

from pathlib import Path

from coinsorter.config.schema import Config
from coinsorter.errors import InputError
from coinsorter.files.atomic import write_file
from coinsorter.files.ownership import Claim, check_file
from coinsorter.tools.wiring.drawing import draw_wiring
from coinsorter.tools.wiring.firmware import render_overlay, render_settings
from coinsorter.tools.wiring.lists import render_parts, render_pin_table

REMEDY = "name another folder with --out"


def write_wiring(config: Config, out: Path, claim: Claim) -> list[Path]:
    """Writes every file into a folder, which is made if it is missing; returns their paths.

    claim: what the files may take the place of. Raises InputError where they may not, and where the
    folder cannot be written.
    """
    files = {out / name: text for name, text in render_files(config).items()}
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror}; {REMEDY}") from error
    for path in files:
        check_file(path, claim)  # all of them, before the first is written
    for path, text in files.items():
        with write_file(path, claim) as file:
            file.write(text)
    return list(files)


def is_wiring(sample: bytes) -> bool:
    """By a file's first bytes: whether it is one of these files."""
    words = b" ".join(sample.replace(b"\n *", b" ").replace(b"\n#", b" ").split()).lower()
    return b"coinsorter" in words and b"made from config.yaml" in words


def render_files(config: Config) -> dict[str, str]:
    """Every file's text, by its name."""
    return {
        "coinsorter.txt": render_settings(config),
        "coinsorter-overlay.dts": render_overlay(config),
        "pins.md": render_pin_table(config),
        "wiring.svg": draw_wiring(config),
        "bom.md": render_parts(config),
    }
