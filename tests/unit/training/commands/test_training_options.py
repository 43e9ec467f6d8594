"""What the commands of coinsorter-train share: checks of paths, and what a budget proves."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from coinsorter.errors import InputError
from coinsorter.training.commands._training_options import (
    check_apart,
    describe_proof,
    print_report,
)


@pytest.mark.parametrize(
    "out, path",
    [
        ("data", "data"),
        ("data/out", "data"),
        ("data", "data/coins"),
        ("other/../data", "data"),
    ],
)
def test_an_output_that_would_replace_or_lie_in_an_input_is_refused(
    tmp_path, monkeypatch, out, path
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="would replace or lie in"):
        check_apart(Path(out), Path("elsewhere"), Path(path))


def test_neighbouring_folders_are_apart(tmp_path):
    check_apart(tmp_path / "data-again", tmp_path / "data", None)


@pytest.mark.parametrize(
    "proven, verdict", [(True, "proven"), (False, "the sample is too small to prove it")]
)
def test_a_proof_names_its_sample_its_bound_and_its_budget(proven, verdict):
    budget = {
        "held_out": 600,
        "held_out_accepted": 580,
        "held_out_wrong": 0,
        "wrong_at_most_95": 0.005154,
        "wrong": 0.005,
        "proven": proven,
    }
    assert describe_proof(SimpleNamespace(budget=budget)) == (
        "thresholds: 580 of 600 held-out coins accepted, 0 wrongly: at most 0.515 % at 95 %, "
        f"budget 0.5 %: {verdict}"
    )


def test_a_summary_keeps_its_lines_and_shows_what_is_in_them(capsys):
    options = SimpleNamespace(json=False, out=Path("evalu\x1bation"))
    print_report(options, {}, "4 coins\nof label [b]\x1b[2J")
    assert capsys.readouterr().out == (
        "evalu\\x1bation/report.html: 4 coins\nof label [b]\\x1b[2J\n"
    )
