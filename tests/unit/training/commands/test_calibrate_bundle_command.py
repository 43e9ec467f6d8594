"""coinsorter-train calibrate: what it refuses before it changes anything."""

import shutil

import pytest

from tests.conftest import CROWNS, only_line


@pytest.fixture
def bundle_copy(tmp_path):
    return shutil.copytree(CROWNS, tmp_path / "bundle")


def read_files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("share", ["0", "1", "-0.1", "some"])
@pytest.mark.parametrize("option", ["--wrong", "--genuine-rejected"])
def test_a_budget_is_a_share(command, option, share):
    with pytest.raises(SystemExit) as stop:
        command("calibrate", "models/crowns", f"{option}={share}")
    assert stop.value.code == 2


def test_a_bundle_that_is_absent_is_named(command, tmp_path):
    status, out, err = command("calibrate", tmp_path / "none")
    assert status == 78 and out == "" and str(tmp_path / "none") in only_line(err)


@pytest.mark.parametrize(
    "words, complaint",
    [
        (["bundle/coins"], "would replace or lie in bundle/coins"),
        (["--anomalies", "bundle/odd"], "would replace or lie in bundle/odd"),
        (["coins", "--out", "bundle/new"], "would replace or lie in bundle"),
        (["coins", "--out", "coins/new"], "would replace or lie in coins"),
    ],
)
def test_an_output_that_would_replace_an_input_is_refused(
    command, bundle_copy, tmp_path, monkeypatch, words, complaint
):
    monkeypatch.chdir(tmp_path)
    before = read_files(bundle_copy)
    status, out, err = command("calibrate", "bundle", *words)
    assert status == 66 and out == "" and complaint in only_line(err)
    assert read_files(bundle_copy) == before and list(tmp_path.iterdir()) == [bundle_copy]
