"""The imports point one way, as the design's table says; what exists only on the Pi or a trainer's desktop is imported late."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, needs_training

PACKAGE = ROOT / "coinsorter"

# Each room may import from rooms before it, and from itself only where it is a package. Stages never import each other.
BASE = {"records", "errors", "scale", "crop"}
STAGES = {"segment", "track", "classify", "decide", "schedule", "ledger"}
TOOLS = {
    "replay",
    "calibrate",
    "bench",
    "looking",
    "jog",
    "travel",
    "watch",
    "doctor",
    "wiring",
    "service",
}  # what the commands are made of
ALLOWED = {
    "records": set(),
    "errors": set(),
    "scale": {"records"},
    "crop": {"records"},
    "config": BASE,
    "outline": {"records"},
    "runtime": {"errors"},
    "relief": {"crop"},
    "embedding": set(),
    "bundle": BASE | {"relief", "embedding"},
    "segment": BASE | {"outline"},
    "track": BASE,
    "classify": BASE | {"bundle", "runtime", "relief", "embedding"},
    "decide": BASE,
    "schedule": BASE,
    "ledger": BASE,
    "service": {"errors"},
    "witnesses": set(),
    "wiring": BASE | {"config", "wiring"},
    "devices": BASE | {"config", "devices"},
    "machine": BASE | STAGES | {"devices", "witnesses"},
    "assembly": BASE | STAGES | {"config", "bundle", "devices", "machine", "witnesses"},
    "simulator": BASE
    | STAGES
    | {"config", "bundle", "devices", "machine", "assembly", "simulator"},
    "replay": BASE | STAGES | {"config", "bundle", "devices", "machine", "assembly"},
    "calibrate": BASE | {"segment", "bundle", "devices", "assembly"},
    "bench": BASE
    | STAGES
    | {
        "config",
        "bundle",
        "runtime",
        "outline",
        "relief",
        "devices",
        "machine",
        "assembly",
        "simulator",
    },
    "looking": BASE | {"segment", "track", "devices"},
    "jog": {"config", "devices"},
    "travel": BASE | {"config", "segment", "track", "devices"},
    "watch": {"ledger"},
    "doctor": BASE | {"config", "bundle", "runtime", "classify", "devices"},
    "commands": BASE
    | STAGES
    | {
        "config",
        "bundle",
        "runtime",
        "devices",
        "machine",
        "assembly",
        "simulator",
        "commands",
        *TOOLS,
        "",
    },
    "cli": {"errors", "commands", ""},
    "training": None,  # anything of the package
    "__main__": {"cli"},
    "": set(),
}
LATE = {
    "picamera2",
    "systemd",
    "lgpio",
    "rpi_hardware_pwm",
    "adafruit_pca9685",
    "adafruit_extended_bus",
    "tensorflow",
    "keras",
    "ai_edge_litert",
    "tflite_runtime",
}
PATHS = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def imported(tree: ast.AST) -> list[str]:
    """Full names of every module that a tree imports."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def outside_functions(tree: ast.Module) -> ast.Module:
    class Drop(ast.NodeTransformer):
        def visit_FunctionDef(self, node):
            return None

    return Drop().visit(tree)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_from_the_rooms_before_it(path):
    allowed = ALLOWED[room(path)]
    own = [
        name.split(".")
        for name in imported(ast.parse(path.read_text()))
        if name.split(".")[0] == "coinsorter"
    ]
    rooms = {
        parts[1] if (PACKAGE / parts[1]).is_dir() or (PACKAGE / f"{parts[1]}.py").is_file() else ""
        for parts in own
        if len(parts) > 1
    }
    if allowed is None:
        return
    assert rooms - allowed <= {room(path)} & {"devices", "simulator"}, (
        f"{room(path)} imports {rooms - allowed}"
    )
    assert "training" not in rooms


@pytest.mark.parametrize(
    "first, then", [("data", "judging"), ("data", "making"), ("judging", "making")]
)
def test_of_trainings_rooms_a_former_one_imports_nothing_from_a_later_one(first, then):
    paths = (PACKAGE / "training" / first).glob("*.py")
    assert not [
        path.name
        for path in paths
        for name in imported(ast.parse(path.read_text()))
        if name.startswith(f"coinsorter.training.{then}")
    ]


@pytest.mark.parametrize(
    "path",
    [p for p in PATHS if room(p) != "training"],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_what_is_not_everywhere_is_imported_inside_the_function_that_needs_it(path):
    top = {name.split(".")[0] for name in imported(outside_functions(ast.parse(path.read_text())))}
    assert not top & LATE
    if room(path) != "runtime":
        assert not {name.split(".")[0] for name in imported(ast.parse(path.read_text()))} & {
            "tensorflow",
            "keras",
        }


def test_only_training_itself_loads_tensorflow():
    """tflite-runtime breaks beside it in one process, and who only prepares or judges should not wait for it."""
    needs_training()
    code = "import sys, coinsorter.training.data.prepare, coinsorter.training.judging.evaluate, coinsorter.training.judging.features; print('tensorflow' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True
        ).stdout
        == "False\n"
    )
