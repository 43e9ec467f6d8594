"""The commands, as a technician or a program calls them: what is printed, what is written, and the exit status."""

import csv
import io
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from gpiozero.pins import mock
from gpiozero.pins.mock import MockFactory, MockPWMPin

from coinsorter import cli
from coinsorter.images import list_images
from coinsorter.recognition import runtime
from coinsorter.recognition.classifier import Classifier
from coinsorter.simulator import belt, coins, currency
from coinsorter.simulator.simulated_camera import Optics, SimulatedCamera
from coinsorter.tools.image_replay import Replay
from tests.conftest import CONFIG, CROWNS, ROOT


@pytest.fixture(scope="session")
def photographs(tmp_path_factory) -> Path:
    """Simulated pictures of single coins: three denominations, tokens, and things that are no pictures."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(5)
    camera = SimulatedCamera(Optics(640, 480, 4.0, 0.375), rng)
    number = 0
    for name in ("bit_10", "crown_2", "crown_20", "token"):
        (folder / name).mkdir()
        for _ in range(4):
            number += 1
            thing = (
                coins.make_genuine_coin(rng, name)
                if name != "token"
                else coins.make_foreign_object(rng, "token", ("heart", "bars"))
            )
            pixels = camera.render_frame(
                [(camera.draw_item(thing), *rng.uniform(-30, 30, 2))], 10.0 * number
            )
            cv2.imwrite(str(folder / name / f"coin_{number:03d}.png"), pixels[..., ::-1])
    return folder


def test_a_simulated_run_prints_a_table_and_writes_a_picture(command, tmp_path):
    status, out, _ = command(
        "run", "--config", CONFIG, "--simulate", "--coins", 20, "--seed", 3, "--out", tmp_path
    )
    assert status == 0
    for word in (
        "crown_20",
        "reject",
        "in a wrong bin 0",
        "the same in every bin",
        "a second of belt time",
        "processor time",
        "contact-sheet.png",
    ):
        assert word in out
    sheet = cv2.imread(str(tmp_path / "contact-sheet.png"))
    assert sheet.shape[0] > 300 and sheet.shape[1] > 800 and sheet.std() > 10


def test_a_simulated_run_as_json_is_judged_by_where_things_landed(command, tmp_path):
    status, out, _ = command(
        "run",
        "--config",
        CONFIG,
        "--simulate",
        "--coins",
        20,
        "--seed",
        3,
        "--out",
        tmp_path,
        "--json",
    )
    result = json.loads(out)
    assert (
        status == 0
        and result["objects"] == 20
        and result["genuine_alone"] + result["foreign"] == 20
    )
    assert result["wrong"] == result["foreign_accepted"] == 0 and result["ledger_matches"] is True
    assert result["correct"] + sum(result["rejected"].values()) == 20
    assert result["belt_coins_per_s"] > 1 and result["cpu_ms_per_coin"] > 0


def test_a_second_simulated_run_starts_a_new_ledger(command, tmp_path):
    for _ in range(2):
        command("run", "--config", CONFIG, "--simulate", "--coins", 4, "--out", tmp_path, "--json")
    assert (
        json.loads(command("ledger", "totals", "--ledger", tmp_path / "ledger.db", "--json")[1])[
            "seen"
        ]
        == 4
    )


def test_no_coins_is_a_run_too(command, tmp_path):
    status, out, _ = command(
        "run", "--config", CONFIG, "--simulate", "--coins", 0, "--out", tmp_path
    )
    assert status == 0 and "0 simulated items" in out.replace("\n", " ")


@pytest.mark.parametrize(
    "arguments", [["--coins", "-1"], ["--coins", "many"], ["--seed", "-1"], ["--nonsense"]]
)
def test_wrong_usage_is_said_with_status_2(command, capsys, arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(["run", "--simulate", *arguments])
    assert stop.value.code == 2 and "usage:" in capsys.readouterr().err


def test_the_real_machine_without_a_camera_says_so_and_leaves_every_flap_limp_at_rest(
    command, config, tmp_path, monkeypatch
):
    factory = MockFactory(pin_class=MockPWMPin)
    monkeypatch.setattr(mock, "MockFactory", lambda pin_class: factory)
    text = (
        CONFIG.read_text()
        .replace("models/crowns", str(CROWNS))
        .replace("driver: gpio", "driver: mock")
    )
    (tmp_path / "config.yaml").write_text(text)
    status, _, err = command("run", "--config", tmp_path / "config.yaml")
    (said,) = [line for line in err.splitlines() if line.startswith("coinsorter:")]
    assert status == 69 and said.startswith("coinsorter: no camera: ")
    for bin_ in config.bins:
        assert [round(state.state * 20_000) for state in factory.pin(bin_.flap.pin).states] == [
            0,
            1500,
            0,
        ]


def test_the_real_machine_without_pins_says_so(command, tmp_path):
    text = CONFIG.read_text().replace("models/crowns", str(CROWNS))
    (tmp_path / "config.yaml").write_text(text)
    status, _, err = command("run", "--config", tmp_path / "config.yaml")
    assert status == 69 and "GPIO" in err.splitlines()[-1]


def test_replay_counts_what_became_of_every_picture(command, photographs, tmp_path):
    events = tmp_path / "events.jsonl"
    status, out, _ = command(
        "replay", photographs, "--bundle", CROWNS, "--json", "--events", events
    )
    result = json.loads(out)
    assert status == 0 and result["pictures"] == result["seen"] == result["one_coin"] == 16
    assert result["correct"] == 12 and result["wrong"] == 0
    assert result["foreign"] == 4 and result["foreign_accepted"] == 0
    assert result["accepted"] + sum(result["rejected"].values()) == 16
    assert result["per_class"]["crown_2"] == {"seen": 4, "accepted": 4, "correct": 4, "wrong": 0}
    assert result["confusion"]["token"] == {"rejected": 4} and result["confusion"]["bit_10"] == {
        "bit_10": 4
    }
    assert 0 < result["ms_per_coin"]["median"] <= result["ms_per_coin"]["p99"]
    rows = [json.loads(line) for line in events.read_text().splitlines()]
    assert len(rows) == 16
    for row in rows:
        assert set(row) >= {
            "path",
            "label",
            "predicted",
            "confidence",
            "anomaly",
            "diameter_mm",
            "accepted",
            "reason",
        }
        assert row["accepted"] == (row["reason"] == "sorted") == (row["label"] != "token")


def test_what_is_found_does_not_hang_on_the_scale_that_is_followed(crowns, photographs):
    """Else one coin's last digit decides what the next picture shows."""
    followed, calibrated = (
        Replay(crowns, Classifier(crowns, runtime.pick_runtime("auto")), follow=follow)
        for follow in (True, False)
    )
    paths = list_images(photographs)
    one, other = (replay.replay_images(paths, photographs)[0] for replay in (followed, calibrated))
    assert [r.coin and r.coin.circles for r in one] == [r.coin and r.coin.circles for r in other]
    assert [r.coin.diameter_mm for r in one if r.coin] != [
        r.coin.diameter_mm for r in other if r.coin
    ]


def test_replay_as_a_table(command, photographs):
    status, out, _ = command("replay", photographs, "--bundle", CROWNS)
    assert (
        status == 0
        and "16 pictures, 16 with exactly one coin" in out
        and "foreign 4, of which accepted 0" in out
    )


def test_an_unreadable_picture_is_named_and_counted_and_the_rest_goes_on(
    command, photographs, tmp_path, caplog
):
    folder = shutil.copytree(photographs, tmp_path / "some")
    (folder / "bit_10" / "broken_001.png").write_bytes(b"\x89PNG and no more")
    (folder / "bit_10" / "empty_002.jpg").write_bytes(b"")
    status, out, _ = command("replay", folder, "--bundle", CROWNS, "--json")
    result = json.loads(out)
    assert status == 0 and result["correct"] == 12
    assert [Path(path).name for path in result["unreadable"]] == ["broken_001.png", "empty_002.jpg"]
    assert "broken_001.png: is no picture" in caplog.text


def test_pictures_that_the_camera_did_not_take_are_rejected(command, photographs, tmp_path, caplog):
    cv2.imwrite(str(tmp_path / "crop_1.png"), np.full((300, 300, 3), 90, np.uint8))
    result = json.loads(command("replay", tmp_path, "--bundle", CROWNS, "--json")[1])
    assert result["rejected"] == {"wrong-size": 1} and "300x300" in caplog.text


def test_pictures_of_nothing_have_no_coin(command, tmp_path):
    cv2.imwrite(str(tmp_path / "belt_1.png"), np.full((480, 640, 3), 90, np.uint8))
    result = json.loads(command("replay", tmp_path, "--bundle", CROWNS, "--json")[1])
    assert (
        result["seen"] == 0
        and result["rejected"] == {"no-coin": 1}
        and result["ms_per_coin"]["median"] is None
    )


@pytest.mark.parametrize("kind", ["missing", "empty", "file"])
def test_a_folder_without_pictures_is_one_line(command, tmp_path, kind):
    folder = tmp_path / kind
    if kind == "empty":
        folder.mkdir()
    elif kind == "file":
        folder.write_text("x")
    status, _, err = command("replay", folder, "--bundle", CROWNS)
    assert status == 66 and str(folder) in err and err.count("\n") == 1


def test_a_recording_of_the_belt_goes_through_the_whole_machine(command, tmp_path, config):
    rng = np.random.default_rng(9)
    camera = SimulatedCamera(Optics(640, 480, 4.0, 0.375), rng)
    riders = [
        belt.Rider(i, coins.make_genuine_coin(rng, label), 110.0 + 90 * i, 0.0)
        for i, label in enumerate(("crown_1", "bit_20"))
    ]
    sprites = [camera.draw_item(rider.item) for rider in riders]
    for number in range(85):
        run = config.belt.speed_mm_s * number / config.camera.frames_per_s
        pixels = camera.render_frame(
            [(s, run - r.offset_mm, 0.0) for s, r in zip(sprites, riders)], run
        )
        cv2.imwrite(str(tmp_path / f"frame_{number:04d}.png"), pixels[..., ::-1])
    events = tmp_path / "events.jsonl"
    status, out, _ = command(
        "replay", tmp_path, "--config", CONFIG, "--belt", "--json", "--events", events
    )
    result = json.loads(out)
    assert status == 0 and result["seen"] == 2 and result["bins"] == {"crown_1": 1, "bit_20": 1}
    assert [json.loads(line)["label"] for line in events.read_text().splitlines()] == [
        "crown_1",
        "bit_20",
    ]
    status, out, _ = command("replay", tmp_path, "--config", CONFIG, "--belt")
    assert status == 0 and "crown_1" in out and "seen" in out


@pytest.mark.parametrize("name", [".", "no-such-folder/x.jsonl", "photographs"])
def test_events_that_cannot_be_written_are_named_and_nothing_is_left(
    command, photographs, tmp_path, monkeypatch, name
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photographs").mkdir()
    status, _, err = command("replay", photographs, "--bundle", CROWNS, "--json", "--events", name)
    assert status == 66 and err.count("cannot be written") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["photographs"]


def test_events_written_through_a_link_leave_the_link(command, photographs, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "events.jsonl")
    assert (
        command("replay", photographs, "--bundle", CROWNS, "--json", "--events", tmp_path / "link")[
            0
        ]
        == 0
    )
    assert (tmp_path / "link").is_symlink() and (tmp_path / "events.jsonl").read_text().count(
        "\n"
    ) == 16


def test_check_finds_nothing_wrong_with_the_shipped_settings(command):
    assert command("check", CONFIG) == (0, f"{CONFIG}: no mistakes\n", "")


def test_check_lists_every_mistake_and_exits_with_78(command, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(
        CONFIG.read_text()
        .replace("open_deg: 135, distance_mm: 240", "open_deg: 220, distance_mm: 240")
        .replace("pin: 6", "pin: 5")
    )
    status, out, _ = command("check", path)
    assert status == 78
    assert (
        f"{path}:53: bins[2].flap.open_deg: 220 is above 180\n" in out
        and "GPIO 5 drives bins[0] already" in out
    )
    found = json.loads(command("check", path, "--json")[1])
    assert {mistake["option"] for mistake in found} == {"bins[2].flap.open_deg", "bins[1].flap.pin"}


def test_check_tells_of_a_bundle_that_is_not_there(command, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.read_text())
    status, out, _ = command("check", path)
    assert status == 78 and "runtime.bundle: bundle" in out and "no such bundle" in out


@pytest.mark.parametrize(
    "harm",
    [
        lambda p: p.unlink(),
        lambda p: p.write_bytes(p.read_bytes()[:5000]),
        lambda p: p.write_bytes(p.read_bytes()[::-1]),
    ],
)
@pytest.mark.parametrize("arguments", [["run", "--simulate"], ["replay", "PHOTOGRAPHS"], ["bench"]])
def test_a_harmed_model_is_one_clear_line_and_78(command, photographs, tmp_path, harm, arguments):
    shutil.copytree(CROWNS, tmp_path / "models" / "crowns")
    shutil.copy(CONFIG, tmp_path)
    harm(tmp_path / "models" / "crowns" / "classifier.tflite")
    words = [photographs if word == "PHOTOGRAPHS" else word for word in arguments]
    status, _, err = command(*words, "--config", tmp_path / "config.yaml")
    assert status == 78 and err.count("\n") == 1 and "classifier.tflite" in err


def test_the_ledger_is_read_as_totals_as_a_tail_and_as_a_file(command, tmp_path):
    command("run", "--config", CONFIG, "--simulate", "--coins", 10, "--seed", 2, "--out", tmp_path)
    book = tmp_path / "ledger.db"
    status, out, _ = command("ledger", "totals", "--ledger", book)
    assert status == 0 and "reject" in out and "seen" in out and "value, CRN" in out
    rows = [
        json.loads(line)
        for line in command("ledger", "tail", "-n", 3, "--ledger", book, "--json")[1].splitlines()
    ]
    assert [row["id"] for row in rows] == [8, 9, 10]
    assert (
        len(list(csv.DictReader(io.StringIO(command("ledger", "export", "--ledger", book)[1]))))
        == 10
    )
    to = tmp_path / "rows.jsonl"
    assert (
        command("ledger", "export", "--ledger", book, "--format", "jsonl", "--to", to)[1]
        == f"10 rows in {to}\n"
    )
    assert len(to.read_text().splitlines()) == 10
    assert command("ledger", "tail", "--ledger", book)[0] == 0


def test_a_ledger_that_is_not_there_and_a_file_that_cannot_be_written(command, tmp_path):
    status, _, err = command("ledger", "totals", "--ledger", tmp_path / "none.db")
    assert status == 66 and "there is none yet" in err
    command("run", "--config", CONFIG, "--simulate", "--coins", 1, "--out", tmp_path, "--json")
    status, _, err = command(
        "ledger", "export", "--ledger", tmp_path / "ledger.db", "--to", tmp_path / "no" / "rows.csv"
    )
    assert status == 66 and "cannot be written" in err


def test_a_ledger_that_cannot_be_opened_stops_the_simulated_run_with_74(command, tmp_path):
    (tmp_path / "out" / "ledger.db").mkdir(parents=True)
    status, _, err = command(
        "run", "--config", CONFIG, "--simulate", "--coins", 1, "--out", tmp_path / "out", "--json"
    )
    assert status == 74 and err.count("\n") == 1


def test_bench_prints_every_figure(command):
    status, out, _ = command("bench", "--bundle", CROWNS, "--json")
    figures = json.loads(out)
    assert status == 0
    assert set(figures["stages"]) == {
        "segment",
        "track",
        "crop",
        "classifier",
        "autoencoder",
        "decide",
        "ledger",
    }
    assert all(0 < stage["median_ms"] <= stage["p99_ms"] for stage in figures["stages"].values())
    assert figures["kernel_ratio"] == pytest.approx(
        figures["whole_ms"] / figures["kernels_ms"], abs=0.01
    )
    assert figures["coins_per_s"] > 0 and figures["ready_s"] > 0 and figures["rss_mb"] > 10
    assert figures["runtime"] in figures["versions"]


@pytest.mark.parametrize(
    "name",
    [
        [],
        ["run"],
        ["replay"],
        ["check"],
        ["bench"],
        ["ledger"],
        ["ledger", "totals"],
        ["ledger", "tail"],
        ["ledger", "export"],
    ],
)
def test_every_command_has_help(capsys, name):
    with pytest.raises(SystemExit) as stop:
        cli.main([*name, "--help"])
    assert stop.value.code == 0 and len(capsys.readouterr().out) > 200


def test_ctrl_c_during_a_simulated_run_ends_it_without_a_traceback(tmp_path):
    arguments = [
        sys.executable,
        "-m",
        "coinsorter",
        "run",
        "--simulate",
        "--coins",
        "300",
        "--out",
        str(tmp_path),
        "--json",
    ]
    process = subprocess.Popen(
        arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not (tmp_path / "ledger.db").exists():
        assert process.poll() is None, process.stderr.read()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err


def test_the_currency_of_the_shipped_bundle_is_the_simulators(crowns):
    assert {name: label.diameter_mm for name, label in crowns.labels.items()} == {
        c.label: c.diameter_mm for c in currency.DENOMINATIONS
    }
