"""docs/faults.md: every fault has its cells filled, and names tests that there are."""

import ast
import re

import pytest

from tests.conftest import ROOT

COLUMNS = ["fault", "how it is noticed", "within", "what the machine does"]
COLUMNS += ["what the technician reads", "test"]
TEXT = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")


def read_rows() -> list[list[str]]:
    """The cells of every row of the page's tables."""
    lines = [line for line in TEXT.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in rows if row != COLUMNS]


def name_tests(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_the_page_has_a_table_for_each_part_of_the_machine():
    assert TEXT.count("| " + " | ".join(COLUMNS) + " |") == 4
    assert len(read_rows()) >= 40


@pytest.mark.parametrize("row", read_rows(), ids=lambda row: row[0])
def test_a_fault_names_tests_that_there_are(row):
    assert len(row) == len(COLUMNS) and row[0] and row[3]
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", row[-1])
    assert named and len(named) == row[-1].count("::")
    for path, name in named:
        assert name in name_tests(path), f"{path} has no {name}"
