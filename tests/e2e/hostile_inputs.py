"""Which command reads which hostile file: what is called, in a place of its own."""

import hashlib
import re
import shlex
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from coinsorter.simulator import coins
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera
from tests.conftest import CONFIG, CROWNS, ROOT
from tests.e2e.hostile_files import (
    ARRAYS,
    CSV,
    GARBAGE,
    IMAGES,
    SPECIAL,
    TABLE,
    WORDS,
    YAML,
    ZIP,
    Make,
)

#: Bytes of a file whose digest a hostile manifest names.
_MAX_HASHED_BYTES = 10_000_000
_MODULES = {"coinsorter": "coinsorter", "coinsorter-train": "coinsorter.training"}


@dataclass(frozen=True)
class Source:
    """A way in for hostile files.

    words: the command; {at} is the file, {config}, {crowns} and {word} what they say. at: where the
    file lies in the place. kinds: what it may be. holds: folders in the place; see `make_template`.
    """

    words: str
    at: str
    kinds: dict[str, Make]
    holds: tuple[str, ...] = ()


_PREPARE = "coinsorter-train prepare --group-by none"
_REPLAY = "coinsorter replay photographs --bundle"
_SET = "coinsorter-train bundle --recipe {recipe} --out out"
_PHOTO = "photographs/bit_10/hostile.png"
_WITH_IMAGES = ("photographs",)
_WITH_BUNDLE = ("photographs", "bundle")
SOURCES: dict[str, Source] = {
    "config": Source("coinsorter check {at}", "config.yaml", SPECIAL | GARBAGE | YAML),
    "config-of-run": Source(
        "coinsorter run --simulate --coins 1 --out out --config {at}", "config.yaml", SPECIAL
    ),
    "config-of-wiring": Source("coinsorter wiring --out out --config {at}", "x.yaml", SPECIAL),
    "bundle": Source(f"{_REPLAY} {{at}}", "x", SPECIAL | GARBAGE, _WITH_IMAGES),
    "bundle-manifest": Source(
        f"{_REPLAY} bundle", "bundle/bundle.yaml", SPECIAL | GARBAGE | YAML, _WITH_BUNDLE
    ),
    "bundle-seal": Source(
        f"{_REPLAY} bundle", "bundle/bundle.sha256", SPECIAL | GARBAGE, _WITH_BUNDLE
    ),
    "bundle-golden": Source(
        f"{_REPLAY} bundle", "bundle/golden/answers.npz", SPECIAL | GARBAGE | ARRAYS, _WITH_BUNDLE
    ),
    "bundle-model": Source(
        f"{_REPLAY} bundle", "bundle/classifier.tflite", SPECIAL | GARBAGE, _WITH_BUNDLE
    ),
    "ledger": Source(
        "coinsorter ledger totals --ledger {at} --config {config}", "x.db", SPECIAL | GARBAGE
    ),
    "ledger-export": Source(
        "coinsorter ledger export --ledger {at} --config {config}", "x.db", SPECIAL
    ),
    "ledger-verify": Source(
        "coinsorter ledger verify --ledger {at} --config {config}", "x.db", SPECIAL
    ),
    "ledger-restore": Source(
        "coinsorter ledger restore {at} --ledger new.db --config {config}", "x.db", SPECIAL
    ),
    "image": Source(f"{_REPLAY} {{crowns}}", _PHOTO, SPECIAL | GARBAGE | IMAGES, _WITH_IMAGES),
    "calibration": Source(
        "coinsorter calibrate view photographs/bit_10 --config {config}",
        _PHOTO,
        SPECIAL | IMAGES,
        _WITH_IMAGES,
    ),
    "photograph": Source(
        f"{_PREPARE} photographs --out out", _PHOTO, SPECIAL | GARBAGE | IMAGES, _WITH_IMAGES
    ),
    "csv": Source(f"{_PREPARE} {{at}} --out out", "x.csv", SPECIAL | GARBAGE | CSV, _WITH_IMAGES),
    "zip": Source(f"{_PREPARE} {{at}} --out out", "x.zip", SPECIAL | GARBAGE | ZIP),
    "recipe": Source(
        "coinsorter-train bundle --recipe {at} --out out", "x.yaml", SPECIAL | GARBAGE | YAML
    ),
    "set": Source(f"{_SET} --set {{word}}", "", dict.fromkeys(WORDS, Path.touch)),
    "manifest": Source(
        f"{_PREPARE} photographs --out set",
        "set/dataset.yaml",
        SPECIAL | GARBAGE | YAML,
        ("photographs", "set"),
    ),
    "manifest-of-bundle": Source(
        "coinsorter-train bundle set --out out", "set/dataset.yaml", SPECIAL, ("set",)
    ),
    "table": Source(
        f"{_PREPARE} photographs --out set",
        "set/table.csv",
        SPECIAL | GARBAGE | {"wide": CSV["wide"], "quote": CSV["quote"]} | TABLE,
        ("photographs", "set"),
    ),
    "evaluate-image": Source(
        "coinsorter-train evaluate {crowns} photographs --out out",
        _PHOTO,
        SPECIAL | IMAGES,
        _WITH_IMAGES,
    ),
    "evaluate-bundle": Source(
        "coinsorter-train evaluate {at} photographs --out out", "x", SPECIAL, _WITH_IMAGES
    ),
    "features-image": Source(
        "coinsorter-train features photographs --out out", _PHOTO, SPECIAL | IMAGES, _WITH_IMAGES
    ),
}
#: An unreadable image whose name a terminal would obey.
_NAMED = "photographs/bit_10/\x1b]0;x\x07\x1b[2J[b]\n.png"
_UNREAD = {kind: (SPECIAL | IMAGES)[kind] for kind in ("pipe", "text-image")}
SOURCES |= {
    f"{name}-name": replace(SOURCES[name], at=_NAMED, kinds=_UNREAD)
    for name in ("image", "photograph", "evaluate-image", "features-image")
}
#: Every pair of a way in and a hostile file.
CASES = [(name, kind) for name, source in SOURCES.items() for kind in source.kinds]


def make_template(folder: Path, name: str) -> None:
    """A folder that commands read: photographs of two labels, or a bundle."""
    if name == "photographs":
        _write_photographs(folder / name)
    elif name == "bundle":
        shutil.copytree(CROWNS, folder / name)


def _write_photographs(folder: Path) -> None:
    rng = np.random.default_rng(5)
    camera = SimulatedCamera(Optics(640, 480, 4.0, 0.375), rng)
    for label in ("bit_10", "crown_2"):
        (folder / label).mkdir(parents=True)
        for number in range(2):
            sprite = camera.draw_item(coins.make_genuine_coin(rng, label))
            pixels = camera.render_frame([(sprite, 0.0, 0.0)], 10.0 * number)
            cv2.imwrite(str(folder / label / f"coin_{number}.png"), pixels[..., ::-1])


def set_trap(place: Path, name: str, kind: str) -> None:
    """Puts a hostile file where a command reads it, in a place that holds what belongs there."""
    source = SOURCES[name]
    if not source.at:
        return
    path = place / source.at
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind not in TABLE:
        path.unlink(missing_ok=True)
    source.kinds[kind](path)
    _name_digest(place, path)


def _name_digest(place: Path, path: Path) -> None:
    """Has the manifest of a bundle or a data set vouch for a hostile file, so that it is read."""
    manifest = {"bundle": place / "bundle/bundle.yaml", "set": place / "set/dataset.yaml"}
    known = manifest.get(path.relative_to(place).parts[0])
    if known is None or path.is_symlink() or not path.is_file():
        return
    if path.stat().st_size > _MAX_HASHED_BYTES:
        return
    if path != known:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        before = r"(?m)^sha256: \w+" if known.name == "dataset.yaml" else rf"{path.name}: \w+"
        after = f"sha256: {digest}" if known.name == "dataset.yaml" else f"{path.name}: {digest}"
        known.write_text(re.sub(before, after, known.read_text()))
    if known.name == "bundle.yaml" and path.name != "bundle.sha256":
        digest = hashlib.sha256(known.read_bytes()).hexdigest()
        (known.parent / "bundle.sha256").write_text(f"{digest}  bundle.yaml\n")


def make_command(place: Path, name: str, kind: str) -> list[str]:
    """The module and the words of the command, for a place as working directory."""
    source = SOURCES[name]
    values = {
        "at": str(place / source.at),
        "config": str(CONFIG),
        "crowns": str(CROWNS),
        "recipe": str(ROOT / "models" / "crowns.yaml"),
        "word": WORDS.get(kind, ""),
    }
    program, *words = [word.format(**values) for word in shlex.split(source.words)]
    return [_MODULES[program], *words]
