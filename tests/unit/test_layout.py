"""The tree is laid out so that a first guess is right: tests mirror modules, names are unique."""

import ast
from collections import Counter

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "coinsorter"
UNIT = ROOT / "tests" / "unit"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.stem != "__init__")
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MAX_TEST_LINES = 400


def public_classes(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    return [name for name in classes if not name.startswith("_")]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_has_its_unit_test(path):
    name = f"test_{path.stem.strip('_')}.py"
    assert (UNIT / path.relative_to(PACKAGE).with_name(name)).is_file()


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_test_module_can_be_read_at_one_sitting(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_TEST_LINES


def test_no_two_modules_have_one_name():
    names = Counter(path.stem for path in MODULES if path.stem != "__main__")
    assert [name for name, count in names.items() if count > 1] == []


def test_no_two_public_classes_have_one_name():
    names = Counter(name for path in MODULES for name in public_classes(path))
    assert [name for name, count in names.items() if count > 1] == []
