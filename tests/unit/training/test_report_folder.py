"""report_folder: a report is written whole and never replaces anything but a report."""

import json

import numpy as np
import pytest

from coinsorter.errors import InputError
from coinsorter.training.report_folder import ReportFigure, check_report_folder, write_report


def test_a_report_is_a_page_its_figures_and_its_metrics(tmp_path):
    figure = ReportFigure("roc", np.zeros((20, 40, 3), np.uint8), "a caption")
    write_report(tmp_path, "<p>page</p>", [figure], {"coins": 3})
    assert (tmp_path / "report.html").read_text() == "<p>page</p>"
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"coins": 3}
    assert (tmp_path / "roc.png").read_bytes().startswith(b"\x89PNG")
    assert figure.width == 20


def test_figures_that_are_no_number_are_refused(tmp_path):
    with pytest.raises(ValueError):
        write_report(tmp_path, "", [], {"auroc": float("nan")})


def test_an_earlier_report_may_be_replaced(tmp_path):
    write_report(tmp_path, "", [], {})
    check_report_folder(tmp_path)


def test_a_new_folder_and_an_empty_one_may_be_used(tmp_path):
    check_report_folder(tmp_path)
    check_report_folder(tmp_path / "new")


def test_something_else_is_never_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("three years of work")
    with pytest.raises(InputError, match="holds something that is no report"):
        check_report_folder(tmp_path)
    with pytest.raises(InputError, match="is a file"):
        check_report_folder(tmp_path / "thesis.txt")


@pytest.mark.parametrize(
    "out, source", [("coins", "coins"), ("coins/report", "coins"), (".", "coins")]
)
def test_a_report_never_lies_in_what_it_is_made_from(tmp_path, monkeypatch, out, source):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "coins").mkdir()
    (tmp_path / "metrics.json").write_text("{}")
    with pytest.raises(InputError, match="lies in coins or around it"):
        check_report_folder(tmp_path / out, (tmp_path / source).relative_to(tmp_path))
