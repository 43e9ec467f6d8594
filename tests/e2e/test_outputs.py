"""No output of any command takes the place of what it did not make, whatever it is."""

import shutil

import pytest

from coinsorter import cli
from tests.conftest import BRL, CONFIG, CROWNS, has_training, runner_of
from tests.e2e.outputs import FILES, FOLDERS, READS, list_machine_options, list_training_options
from tests.e2e.victims import PLAIN, SPECIAL, place_victim, take_inventory

HOWS = ("itself", "link", "hard link")
CASES = [(kind, how) for kind in PLAIN for how in HOWS]
CASES += [(kind, how) for kind in SPECIAL for how in ("itself", "link")]
VICTIMS = pytest.mark.parametrize("kind, how", CASES, ids=lambda word: word.replace(" ", "-"))


def test_every_option_that_is_a_path_is_known_to_read_or_to_write():
    options = list_machine_options() + (list_training_options() if has_training() else [])
    known = READS | FILES | set(FOLDERS)
    unknown = [
        (command, option)
        for command, option in options
        if (command, option) not in known and ("*", option) not in known
    ]
    assert not unknown, "say in tests/e2e/outputs.py whether they read or write"


@pytest.fixture
def place(tmp_path, without_hardware):
    """A folder to write into, another one for what links lead to, settings and a ledger."""
    (tmp_path / "out").mkdir()
    (tmp_path / "store").mkdir()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "config.yaml").write_text(without_hardware)
    return tmp_path


@pytest.fixture
def lines(place, photographs, simulated_run):
    """A command for each option that writes; `{}` is what it is given."""
    settings = ["--config", place / "in" / "config.yaml"]
    train = [CROWNS, photographs]
    return {
        ("coinsorter snap", "--out"): ["snap", *settings, "--out", "{}"],
        ("coinsorter replay", "--events"): [
            *["replay", photographs, "--bundle", CROWNS, "--json", "--events", "{}"]
        ],
        ("coinsorter ledger export", "--to"): [
            *["ledger", "export", "--ledger", simulated_run.ledger, "--to", "{}"]
        ],
        ("coinsorter ledger backup", "to"): [
            *["ledger", "backup", "{}", "--ledger", simulated_run.ledger]
        ],
        ("coinsorter run", "--out"): [
            *["run", *settings, "--simulate", "--coins", 1, "--json", "--out", "{}"]
        ],
        ("coinsorter wiring", "--out"): ["wiring", *settings, "--out", "{}"],
        ("coinsorter-train evaluate", "--out"): ["evaluate", *train, "--out", "{}"],
        ("coinsorter-train features", "--out"): ["features", photographs, "--out", "{}"],
        ("coinsorter-train features", "--svm"): [
            *["features", photographs, "--out", place / "report", "--svm", "{}"]
        ],
        ("coinsorter-train prepare", "--out"): ["prepare", photographs, "--out", "{}"],
        ("coinsorter-train bundle", "--out"): [
            *["bundle", "--recipe", CROWNS.with_suffix(".yaml"), "--out", "{}"]
        ],
        ("coinsorter-train calibrate", "--out"): ["calibrate", *train, "--out", "{}"],
        ("coinsorter-train gate", "--out"): ["gate", *train, "--out", "{}"],
        ("coinsorter-train teach", "--out"): [
            *["teach", BRL, "x", photographs, "--diameter", 20, "--out", "{}"]
        ],
    }


@pytest.fixture
def call(lines, capsys):
    """Calls the command of an option with a path; returns its status and its errors."""

    def run(option, path):
        words = [path if word == "{}" else word for word in lines[option]]
        main = cli.main
        if option[0].startswith("coinsorter-train"):
            from coinsorter.training import train_cli

            main = train_cli.main
        status, _, err = runner_of(main, capsys)(*words)
        return status, err

    return run


def check_untouched(call, place, option, path):
    before = take_inventory(place / "out", place / "store", place / "in")
    status, err = call(option, path)
    assert take_inventory(place / "out", place / "store", place / "in") == before
    assert status in (66, 74, 75, 78) and err.count("\n") == 1
    return err


def id_of(option):
    return "-".join(option).replace(" ", "-")


def skip_without_training(option):
    if option[0].startswith("coinsorter-train") and not has_training():
        pytest.skip("training's packages are not installed")


@VICTIMS
@pytest.mark.parametrize("option", sorted(FILES), ids=id_of)
def test_a_file_takes_no_others_place(call, place, option, kind, how):
    skip_without_training(option)
    if kind == "pipe" and option[1] in ("--to", "--events"):
        how = "itself"  # a pipe is written to; nothing reads from this one
    path = place / "out" / "name.png"
    place_victim(kind, how, place / "store", path)
    check_untouched(call, place, option, path)


#: A name in each folder at which others' files are put; those of a report lie in others' folders.
NAMES = [(option, name) for option, names in FOLDERS.items() for name in names]
NAMES = [pair for pair in NAMES if pair[0][0] != "coinsorter seal"]


@VICTIMS
@pytest.mark.parametrize("option, name", NAMES, ids=lambda x: x if x == str(x) else id_of(x))
def test_a_file_in_a_folder_takes_no_others_place(call, place, option, name, kind, how):
    skip_without_training(option)
    place_victim(kind, how, place / "store", place / "out" / name)
    check_untouched(call, place, option, place / "out")


@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.parametrize("option", FOLDERS, ids=id_of)
def test_a_folder_takes_no_files_place(call, lines, place, option, kind):
    skip_without_training(option)
    if option not in lines:
        return
    place_victim(kind, "itself", place / "store", place / "out" / "name")
    check_untouched(call, place, option, place / "out" / "name")


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
@pytest.mark.parametrize("option", sorted(FILES), ids=id_of)
def test_no_file_takes_the_place_of_a_ledgers_journal(call, place, option, suffix):
    skip_without_training(option)
    path = place / "out" / "ledger.png"
    place_victim("ledger", "itself", place / "store", path)
    check_untouched(call, place, option, path.with_name(path.name + suffix))


@pytest.mark.parametrize("option", sorted(FILES), ids=id_of)
def test_a_full_device_is_no_success(call, place, option):
    skip_without_training(option)
    (place / "out" / "full.png").symlink_to("/dev/full")
    check_untouched(call, place, option, place / "out" / "full.png")


def test_a_ledger_is_not_exported_over_itself(command, simulated_run, tmp_path):
    ledger = tmp_path / "ledger.db"
    shutil.copy(simulated_run.ledger, ledger)
    (tmp_path / "link.csv").symlink_to(ledger)
    (tmp_path / "hard.csv").hardlink_to(ledger)
    before = ledger.read_bytes()
    for name in ("ledger.db", "link.csv", "hard.csv"):
        for force in ([], ["--force"]):
            words = ["--ledger", ledger, "--to", tmp_path / name, *force]
            status, _, err = command("ledger", "export", *words)
            assert status == 66 and "is read by this command" in err
    assert ledger.read_bytes() == before


def test_the_same_command_twice_replaces_its_own_output(call, lines, place):
    outputs = {
        ("coinsorter snap", "--out"): "snap.jpg",
        ("coinsorter replay", "--events"): "events.jsonl",
        ("coinsorter ledger export", "--to"): "coins.csv",
        ("coinsorter run", "--out"): "demo",
        ("coinsorter wiring", "--out"): "firmware",
    }
    if has_training():
        outputs[("coinsorter-train evaluate", "--out")] = "evaluation"
    for option, name in outputs.items():
        for _ in range(2):
            status, err = call(option, place / "out" / name)
            assert status == 0, (option, err)


def test_what_others_made_is_replaced_by_force(call, lines, place):
    for option in [("coinsorter snap", "--out"), ("coinsorter ledger export", "--to")]:
        path = place / "out" / f"{option[1][2:]}.png"
        path.write_text("three years of work")
        lines[option].append("--force")
        assert call(option, path)[0] == 0 and path.read_bytes() != b"three years of work"


def test_the_shipped_settings_are_not_replaced_by_force_either(call, lines, place):
    path = place / "out" / "config.yaml"
    path.write_text(CONFIG.read_text())
    for option in [("coinsorter snap", "--out"), ("coinsorter ledger export", "--to")]:
        lines[option].append("--force")
        status, err = call(option, path)
        assert status == 66 and "is a settings file" in err
    assert path.read_text() == CONFIG.read_text()
