"""config.yaml -> what the Pi needs below Linux, and how it is wired: firmware settings, device-tree overlay, pin table, drawing, parts.

All of it is made from the settings, so that it cannot drift from them; `coinsorter wiring` writes it.
"""

from pathlib import Path

from coinsorter.config.schema import Config
from coinsorter.errors import InputError
from coinsorter.tools.wiring.drawing import drawing
from coinsorter.tools.wiring.firmware import overlay, settings
from coinsorter.tools.wiring.lists import parts, table


def write(config: Config, out: Path) -> list[Path]:
    """Writes every file into a folder, which is made if it is missing; returns their paths. Raises InputError where that cannot be."""
    files = made(config)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (out / name).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(
            f"{out}: cannot be written: {error.strerror}; name another folder with --out"
        ) from error
    return [out / name for name in files]


def made(config: Config) -> dict[str, str]:
    """Every file's text, by its name."""
    return {
        "coinsorter.txt": settings(config),
        "coinsorter-overlay.dts": overlay(config),
        "pins.md": table(config),
        "wiring.svg": drawing(config),
        "bom.md": parts(config),
    }
