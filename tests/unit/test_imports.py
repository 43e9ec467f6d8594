"""Imports point one way; what exists only on the Pi or where networks are trained comes late."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, needs_training

PACKAGE = ROOT / "coinsorter"

# Each room may import from itself and from the rooms named; docs/architecture.md says why.
BASE = {"", "errors", "records", "robust", "escape", "streams", "files", "images"}
SEEING = BASE | {"vision", "recognition", "config"}
RUNNING = SEEING | {"ledger", "sorting", "hardware"}
ALLOWED = {
    "": set(),
    "errors": set(),
    "records": set(),
    "robust": {"errors"},
    "escape": {"errors"},
    "streams": {"errors"},
    "command_line": {"errors", "streams"},
    "files": {"errors", "robust", "escape"},
    "images": {"errors", "records", "robust", "escape", "files"},
    "vision": BASE,
    "config": BASE | {"vision"},
    "recognition": BASE | {"vision"},
    "ledger": BASE,
    "sorting": SEEING | {"ledger"},
    "hardware": SEEING,
    "simulator": RUNNING,
    "tools": RUNNING | {"simulator", "command_line"},
    "commands": RUNNING | {"simulator", "tools"},
    "cli": RUNNING | {"commands", "command_line"},
    "__main__": {"cli", "command_line"},
}
LATE = {
    "picamera2",
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

        def visit_If(self, node):
            for_types = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
            return None if for_types else self.generic_visit(node)

    return Drop().visit(tree)


def rooms_imported(path: Path) -> set[str]:
    own = [name.split(".") for name in imported(ast.parse(path.read_text()))]
    names = {parts[1] for parts in own if parts[0] == "coinsorter" and len(parts) > 1}
    return {name if is_room(name) else "" for name in names}


def is_room(name: str) -> bool:
    return (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()


@pytest.mark.parametrize(
    "path",
    [path for path in PATHS if room(path) != "training"],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_a_room_imports_only_from_the_rooms_before_it(path):
    forbidden = rooms_imported(path) - ALLOWED[room(path)] - {room(path)}
    assert not forbidden, f"{room(path)} imports {forbidden}"


TRAINING_ROOMS = [
    "dataset",
    "samples",
    "fitting",
    "thresholds",
    "evaluation",
    "features",
    "export",
]


@pytest.mark.parametrize("name", TRAINING_ROOMS)
def test_of_trainings_rooms_a_former_one_imports_nothing_from_a_later_one(name):
    later = TRAINING_ROOMS[TRAINING_ROOMS.index(name) + 1 :]
    forbidden = tuple(f"coinsorter.training.{room}." for room in later)
    wrong = [
        f"{path.name}: {module}"
        for path in (PACKAGE / "training" / name).glob("*.py")
        for module in imported(ast.parse(path.read_text()))
        if f"{module}.".startswith(forbidden)
    ]
    assert not wrong


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
    """tflite-runtime breaks beside it in one process, and preparing or evaluating need not wait."""
    needs_training()
    rooms = ("dataset.prepare", "evaluation.evaluate", "features.feature_report")
    modules = ", ".join(f"coinsorter.training.{room}" for room in rooms)
    code = f"import sys, {modules}; print('tensorflow' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True
        ).stdout
        == "False\n"
    )
