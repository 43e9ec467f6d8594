"""coinsorter run: what a simulated run prints and writes, and how the real machine refuses."""

import json
import shutil
import sqlite3
from contextlib import closing

import cv2
from gpiozero.pins.mock import MockFactory, MockPWMPin

from coinsorter.hardware.servos import mock
from coinsorter.recognition.bundle_files import CLASSIFIER
from tests.conftest import CONFIG, CROWNS
from tests.unit.recognition.sealed import replace_sealed


def test_a_simulated_run_as_json_is_judged_by_where_things_landed(simulated_run):
    result = simulated_run.result
    assert simulated_run.status == 0 and result["objects"] == 10
    assert result["genuine_alone"] + result["foreign"] == 10
    assert result["wrong"] == result["foreign_accepted"] == 0 and result["ledger_matches"] is True
    assert result["correct"] + sum(result["rejected"].values()) == 10
    assert result["belt_coins_per_s"] > 1 and result["cpu_ms_per_coin"] > 0


def test_the_bundle_is_named_by_its_digest_in_the_result_and_in_the_ledger(simulated_run, crowns):
    assert simulated_run.result["bundle_hash"] == crowns.digest
    with closing(sqlite3.connect(simulated_run.ledger)) as ledger:
        assert ledger.execute("SELECT bundle_hash FROM runs").fetchone() == (crowns.digest,)


def test_a_bundle_whose_network_was_altered_is_refused_before_anything_is_opened(
    command, shipped_settings, tmp_path, monkeypatch
):
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    folder = shipped_settings.parent / "models" / "crowns"
    content = (folder / CLASSIFIER).read_bytes()
    replace_sealed(folder, CLASSIFIER, content[:20_000] + bytes(60_000) + content[80_000:])
    options = ["--simulate", "--coins", 1, "--out", tmp_path / "out"]
    status, out, err = command("run", "--config", shipped_settings, *options)
    assert status == 78 and out == "" and len(err.splitlines()) == 1
    assert f"bundle {folder}: " in err and "do not use this bundle" in err
    assert not (tmp_path / "out").exists()


def test_a_second_run_prints_a_table_writes_a_sheet_and_starts_a_new_ledger(
    command, simulated_run, tmp_path
):
    shutil.copy(simulated_run.ledger, tmp_path)
    options = ["--coins", 4, "--seed", 3, "--out", tmp_path]
    status, out, _ = command("run", "--config", CONFIG, "--simulate", *options)
    assert status == 0
    for words in (
        "reject",
        "in a wrong bin 0",
        "the same in every bin",
        "a second of belt time",
        "processor time",
        "contact-sheet.png",
    ):
        assert words in out.replace("\n", "")  # a long path is wrapped
    sheet = cv2.imread(str(tmp_path / "contact-sheet.png"))
    assert min(sheet.shape[:2]) > 100 and sheet.std() > 10
    totals = command("ledger", "totals", "--ledger", tmp_path / "ledger.db", "--json")[1]
    assert json.loads(totals)["seen"] == 4


def test_no_coins_is_a_run_too(command, tmp_path):
    options = ["--coins", 0, "--out", tmp_path]
    status, out, _ = command("run", "--config", CONFIG, "--simulate", *options)
    assert status == 0 and "0 simulated items" in out.replace("\n", " ")


def test_a_ledger_that_cannot_be_opened_is_status_74(command, tmp_path):
    (tmp_path / "out" / "ledger.db").mkdir(parents=True)
    options = ["--coins", 1, "--out", tmp_path / "out", "--json"]
    status, _, err = command("run", "--config", CONFIG, "--simulate", *options)
    assert status == 74 and err.count("\n") == 1


def test_the_real_machine_without_a_camera_leaves_every_flap_limp_at_rest(
    command, config, tmp_path, monkeypatch
):
    factory = MockFactory(pin_class=MockPWMPin)
    monkeypatch.setattr(mock, "MockFactory", lambda pin_class: factory)
    text = CONFIG.read_text().replace("models/crowns", str(CROWNS))
    (tmp_path / "config.yaml").write_text(text.replace("driver: gpio", "driver: mock"))
    status, _, err = command("run", "--config", tmp_path / "config.yaml")
    (line,) = [line for line in err.splitlines() if line.startswith("coinsorter:")]
    assert status == 69 and line.startswith("coinsorter: no camera: ")
    for bin_ in config.bins:
        states = factory.pin(bin_.flap.pin).states
        assert [round(state.state * 20_000) for state in states] == [0, 1500, 0]


def test_the_real_machine_without_pins_says_so(command, tmp_path):
    text = CONFIG.read_text().replace("models/crowns", str(CROWNS))
    (tmp_path / "config.yaml").write_text(text)
    status, _, err = command("run", "--config", tmp_path / "config.yaml")
    assert status == 69 and "GPIO" in err.splitlines()[-1]
