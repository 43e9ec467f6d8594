"""coinsorter-train bundle: which recipe it takes, and what it refuses before any training."""

from pathlib import Path

import pytest

from coinsorter.training.commands.bundle_command import _name_bundle
from tests.conftest import ROOT, only_line

RECIPE = ROOT / "models" / "crowns.yaml"


@pytest.mark.parametrize(
    "words, complaint",
    [
        (["--recipe", RECIPE, "--diameters", "a=20"], "--diameters are the recipe's to say"),
        ([], "name a --recipe, or one data set"),
        (["one", "two"], "name a --recipe, or one data set"),
        (["out"], "would replace or lie in out"),
        (["--recipe", RECIPE, "--anomalies", "out/odd"], "would replace or lie in out/odd"),
        (["--recipe", "none.yaml"], "none.yaml: cannot be read"),
        (["--recipe", RECIPE, "--set", "nonsense"], "nonsense"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing_behind(
    command, tmp_path, monkeypatch, words, complaint
):
    monkeypatch.chdir(tmp_path)
    status, out, err = command("bundle", *words, "--out", "out")
    assert status == 66 and out == "" and complaint in only_line(err)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("diameters", ["", "a", "a=", "a=0", "a=20,b", "a=b=20"])
def test_diameters_are_labels_with_sizes(command, capsys, diameters):
    with pytest.raises(SystemExit) as stop:
        command("bundle", "data", "--out", "out", f"--diameters={diameters}")
    assert stop.value.code == 2 and "--diameters" in capsys.readouterr().err


@pytest.mark.parametrize(
    "out, name",
    [("models/mine", "mine"), ("Meine Münzen", "meine-m-nzen"), ("--", "coins"), ("x/..", None)],
)
def test_a_bundle_is_named_as_its_folder(tmp_path, monkeypatch, out, name):
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert _name_bundle(Path(out)) == (name or "here")
