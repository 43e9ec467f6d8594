"""config.yaml -> what the Pi needs below Linux, and how it is wired.

That is the firmware's settings, a device-tree overlay, a pin table, a drawing and a list of parts.
All of it is made from the settings, so that it cannot drift from them; `coinsorter wiring` writes
it.
"""

from pathlib import Path

from coinsorter.config.schema import Config
from coinsorter.errors import InputError
from coinsorter.tools.wiring.drawing import draw_wiring
from coinsorter.tools.wiring.firmware import render_overlay, render_settings
from coinsorter.tools.wiring.lists import render_parts, render_pin_table


def write_wiring(config: Config, out: Path) -> list[Path]:
    """Writes every file into a folder, which is made if it is missing; returns their paths.

    Raises InputError where the folder cannot be written.
    """
    files = render_files(config)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (out / name).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(
            f"{out}: cannot be written: {error.strerror}; name another folder with --out"
        ) from error
    return [out / name for name in files]


def render_files(config: Config) -> dict[str, str]:
    """Every file's text, by its name."""
    return {
        "coinsorter.txt": render_settings(config),
        "coinsorter-overlay.dts": render_overlay(config),
        "pins.md": render_pin_table(config),
        "wiring.svg": draw_wiring(config),
        "bom.md": render_parts(config),
    }
