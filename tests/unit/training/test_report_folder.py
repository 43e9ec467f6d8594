"""report_folder: a report is written whole and never replaces anything but a report."""

import json

import numpy as np
import pytest

from coinsorter.errors import InputError
from coinsorter.files.owned_folder import check_folder
from coinsorter.training.report_folder import ReportFigure, make_claim, write_report


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


def test_a_report_takes_the_place_of_none_of_what_it_is_made_from(tmp_path):
    claim = make_claim(False, tmp_path / "coins", None)
    assert claim.inputs == (tmp_path / "coins",) and not claim.force
    with pytest.raises(InputError, match=r"which is read .*name another folder with --out"):
        check_folder(tmp_path / "coins" / "report", claim)
