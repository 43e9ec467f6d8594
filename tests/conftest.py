"""What tests share: where things are, settings, a recorded belt, and images of discs."""

import importlib.util
import os
import signal
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from coinsorter import cli

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "config.yaml"
CROWNS = ROOT / "models" / "crowns"
BRL = ROOT / "models" / "brl"
EURO = ROOT / "models" / "euro"

#: Whether tests and studies that take long run in full, with COINSORTER_TESTS=all.
IN_FULL = os.environ.get("COINSORTER_TESTS") == "all"
#: For a test that takes long, of what another test shows in part.
only_in_full = pytest.mark.skipif(not IN_FULL, reason="long: run it with COINSORTER_TESTS=all")

# A shell ignores SIGINT in what it runs in the background, and so would every program tried here.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def data_folder() -> Path | None:
    """Where the real photographs are, or None."""
    for place in (os.environ.get("COINSORTER_DATA"), ROOT.parent / "shared" / "data"):
        if place and Path(place).is_dir():
            return Path(place)
    return None


def cases_folder() -> Path | None:
    """Where situations that went wrong are kept, a folder each, or None."""
    for place in (os.environ.get("COINSORTER_CASES"), ROOT.parent / "shared" / "cases"):
        if place and Path(place).is_dir():
            return Path(place)
    return None


def needs_training() -> None:
    """Skips the test, or the module, that calls it where training's packages are not installed."""
    if not has_training():
        pytest.skip(
            "training's packages are not installed: pip install -e '.[train]'",
            allow_module_level=True,
        )


def has_training() -> bool:
    """Whether training's packages are installed: TensorFlow stands for all of them."""
    return importlib.util.find_spec("tensorflow") is not None


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    is_training = ROOT / "tests" / "unit" / "training" in (
        collection_path,
        *collection_path.parents,
    )
    return True if is_training and not has_training() else None


#: Modules that take minutes. They begin first: where tests run side by side, none is left alone.
LONG = ("test_documents", "test_train", "test_same_everywhere", "test_networks", "test_fit")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.stem not in LONG)


def pytest_report_header() -> str:
    if has_training():
        return "training's packages are installed"
    return "tests/unit/training is skipped: training's packages are not installed (make train)"


@pytest.fixture(scope="session")
def data() -> Path:
    folder = data_folder()
    if folder is None:
        pytest.skip("no photographs: neither $COINSORTER_DATA nor ../shared/data is there")
    return folder


@pytest.fixture(scope="session")
def cases() -> Path:
    folder = cases_folder()
    if folder is None:
        pytest.skip("no situations: neither $COINSORTER_CASES nor ../shared/cases is there")
    return folder


@pytest.fixture(scope="session")
def config():
    from coinsorter.config.load import load_config

    return load_config(CONFIG)


@pytest.fixture(scope="session")
def crowns():
    from coinsorter.recognition import bundle

    return bundle.load_bundle(CROWNS)


@pytest.fixture(scope="session")
def recording(tmp_path_factory, config, crowns):
    """A folder with the frames of a simulated belt on which ten things ride."""
    from coinsorter.recognition import runtime
    from coinsorter.simulator.simulated_machine import SimulatedMachine

    folder = tmp_path_factory.mktemp("recording")
    simulated = SimulatedMachine(
        config, crowns, folder / "ledger.db", 10, 3, runtime.pick_runtime("auto")
    )
    while frame := simulated.camera.next_frame():
        cv2.imwrite(str(folder / f"{frame.number:05}.jpg"), frame.pixels[..., ::-1])
    return folder


@pytest.fixture(scope="session")
def without_hardware(recording) -> str:
    """The shipped settings for a machine with that recording as camera and with mock servos."""
    text = (
        CONFIG.read_text()
        .replace("models/crowns", str(CROWNS))
        .replace("driver: gpio ", "driver: mock ")
    )
    return text.replace("source: pi ", "source: folder ").replace(
        "folder: null ", f"folder: {recording} "
    )


@pytest.fixture
def command(capsys):
    """Runs `coinsorter`; returns its exit status, standard output and standard error."""
    return runner_of(cli.main, capsys)


def runner_of(main, capsys):
    """Calls a program's main with words as a shell would; see `command`."""

    def run(*arguments) -> tuple[int, str, str]:
        status = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def draw_disc(
    x: float,
    y: float,
    radius: float,
    width: int = 320,
    height: int = 240,
    coin: int = 190,
    belt: int = 90,
    ratio: float = 1.0,
) -> np.ndarray:
    """A bright ellipse with an exact outline on a plain belt: uint8 (height, width, 3).

    radius is that of the longer axis, along x; ratio the shorter over the longer.
    """
    yy, xx = np.mgrid[0:height, 0:width].astype(np.float32)
    distance = (1 - np.hypot((xx - x) / radius, (yy - y) / (radius * ratio))) * radius * ratio
    cover = np.clip(distance + 0.5, 0, 1)[..., None]
    picture = belt * (1 - cover) + coin * cover
    noise = np.random.default_rng(0).normal(0, 1.5, picture.shape)
    return (
        np.clip(cv2.GaussianBlur(picture, (0, 0), 0.7)[..., None] + noise, 0, 255)
        .astype(np.uint8)
        .repeat(3, axis=2)
    )


class Opened(HTMLParser):
    """What an HTML file holds: the sources of its images, every link to elsewhere, its words."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.sources, self.links, self.words = [], [], ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.sources += [found["src"]] if tag == "img" else []
        self.links += [found[name] for name in ("href", "src") if name in found and tag != "img"]

    def handle_data(self, data):
        self.words += data


def only_line(err: str) -> str:
    """What `coinsorter-train` complains of on standard error, which is one line."""
    (line,) = [line for line in err.splitlines() if line.startswith("coinsorter-train:")]
    return line
