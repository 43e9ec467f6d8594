"""evaluation_report: a report that opens offline, and what the command does with bad input."""

import json
import re
import shutil

import pytest

from tests.conftest import CROWNS, Opened, needs_training, only_line

needs_training()

import jinja2

from coinsorter.files.owned_folder import MARKER
from coinsorter.training import html_report, train_cli

USUAL = {
    "confusion-all",
    "confusion-machine",
    "per-label",
    "risk-coverage",
    "reliability",
    "roc",
    "anomaly",
}


@pytest.fixture(scope="module")
def report(photographs, tmp_path_factory):
    """A report with every study in it, made by the command."""
    out = tmp_path_factory.mktemp("evaluated") / "report"
    words = ["evaluate", CROWNS, photographs, "--out", out, "--rotations", 3, "--damage"]
    assert train_cli.main([str(word) for word in words]) == 0
    return out


def read_metrics(out) -> dict:
    return json.loads((out / "metrics.json").read_text())


def copy_labels(photographs, to, *labels):
    for label in labels:
        shutil.copytree(photographs / label, to / label)
    return to


def test_the_report_holds_the_figures_and_opens_offline(report):
    result, opened = read_metrics(report), Opened(report / "report.html")
    figures = {path.stem for path in report.glob("*.png")}
    assert figures >= USUAL | {"rotations", "damage", "damage-examples"}
    assert len(opened.sources) == len(figures)
    assert all(source.startswith("data:image/png;base64,") for source in opened.sources)
    assert not opened.links
    assert not re.search(r"https?:", opened.words)
    assert f"{result['anomaly']['auroc']:.3f}" in opened.words
    assert "drawn, not real" in opened.words
    assert "AUROC, all evidence" in opened.words


def test_the_report_is_its_page_its_figures_and_metrics_json(report):
    figures = {f"{path.stem}.png" for path in report.glob("*.png")}
    names = {path.name for path in report.iterdir()}
    assert names == {"report.html", "metrics.json", MARKER, *figures}


def test_metrics_json_counts_what_was_evaluated(report):
    result = read_metrics(report)
    assert (result["pictures"], result["genuine"], result["foreign"]) == (16, 12, 4)
    assert result["all_answered"]["right"]["count"] == 12
    assert result["machine"]["foreign_accepted"]["count"] == 0
    assert result["damage"]["synthetic"] is True
    assert result["rotations"]["lowest"] <= result["rotations"]["highest"] <= 1
    assert result["strangers"]["with_diameter"]["all"] > 0.9


def test_the_same_images_make_the_same_report_and_it_replaces_the_old_one(
    command, photographs, tmp_path
):
    out = tmp_path / "report"
    data = copy_labels(photographs, tmp_path / "data", "bit_10", "token")
    _, text, _ = command("evaluate", CROWNS, data, "--out", out)
    first = (out / "report.html").read_bytes()
    (out / "notes.txt").write_text("a person's")
    status, printed, _ = command("evaluate", CROWNS, data, "--out", out, "--json")
    assert status == 0
    assert json.loads(printed) == read_metrics(out)
    assert f"AUROC {read_metrics(out)['anomaly']['auroc']:.3f}" in text
    assert "foreign objects, all evidence fused" in text
    assert (out / "report.html").read_bytes() == first
    assert (out / "notes.txt").read_text() == "a person's"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "report"]


@pytest.mark.parametrize("label", ["token", "bit_10"])
def test_an_unreadable_image_is_named_and_counted_and_the_rest_goes_on(
    command, photographs, tmp_path, label, caplog
):
    data = copy_labels(photographs, tmp_path / "data", "bit_10", "token")
    (data / label / "bad_999.png").write_bytes(b"no image")
    status, text, _ = command("evaluate", CROWNS, data, "--out", tmp_path / "report")
    result = read_metrics(tmp_path / "report")
    assert status == 0
    assert "1 unreadable" in text
    assert result["pictures"] == 8
    assert result["data"]["unreadable"] == [str(data / label / "bad_999.png")]
    assert "bad_999.png" in caplog.text
    assert "bad_999.png" in Opened(tmp_path / "report" / "report.html").words


def test_of_one_label_only_what_is_not_known_is_null(command, photographs, tmp_path):
    data = copy_labels(photographs, tmp_path / "data", "crown_2")
    status, text, _ = command("evaluate", CROWNS, data, "--out", tmp_path / "report")
    result = read_metrics(tmp_path / "report")
    assert status == 0
    assert result["all_answered"]["balanced_accuracy"] == 1.0
    assert result["anomaly"]["auroc"] is None
    assert "AUROC" not in text
    assert not (tmp_path / "report" / "roc.png").exists()


def test_what_cannot_be_evaluated_is_one_line_and_leaves_nothing_behind(command, tmp_path):
    (tmp_path / "data").mkdir()
    status, out, err = command("evaluate", CROWNS, tmp_path / "data", "--out", tmp_path / "report")
    assert status == 66
    assert "holds no " in only_line(err)
    assert not out
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize(
    "make, complaint",
    [
        (lambda out: out.write_text("precious"), "is a file"),
        (
            lambda out: out.mkdir() or (out / "thesis.txt").write_text("precious"),
            "holds something that this command did not make",
        ),
    ],
)
def test_what_is_no_report_is_never_replaced(command, photographs, tmp_path, make, complaint):
    make(tmp_path / "out")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    status, _, err = command("evaluate", CROWNS, photographs, "--out", tmp_path / "out")
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert status == 66
    assert complaint in only_line(err)
    assert after == before


@pytest.mark.parametrize("out", ["bit_10/report", "."])
def test_a_report_is_not_mixed_with_the_images_it_is_of(command, photographs, out):
    before = sorted(photographs.rglob("*"))
    status, _, err = command("evaluate", CROWNS, photographs, "--out", photographs / out)
    assert status == 66
    assert "name another folder with --out" in only_line(err)
    assert sorted(photographs.rglob("*")) == before


@pytest.mark.parametrize("arguments", [["--rotations", "-1"], ["--rotations", "many"], []])
def test_wrong_usage_has_status_2(command, capsys, arguments):
    with pytest.raises(SystemExit) as stop:
        command("evaluate", CROWNS, *arguments)
    assert stop.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_template_without_its_values_is_not_filled_with_nothing():
    with pytest.raises(jinja2.UndefinedError, match="evaluation"):
        html_report.render_template("evaluation.html")
