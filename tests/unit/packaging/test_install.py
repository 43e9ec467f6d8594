"""The block of lines in config.txt: added, changed in place, removed; all else stays as it is."""

import re
from importlib.util import module_from_spec, spec_from_file_location
from types import SimpleNamespace

import pytest

from tests.conftest import ROOT

spec = spec_from_file_location("install", ROOT / "packaging" / "install.py")
install = module_from_spec(spec)
spec.loader.exec_module(install)

LINES = (ROOT / "firmware" / "coinsorter.txt").read_bytes()
OTHER_LINES = LINES.replace(b"gpio=26=", b"gpio=27=")
TEXTS = {
    "usual": b"# For more options see\narm_boost=1\n\n[cm4]\notg_mode=1\n",
    "without a last newline": b"arm_boost=1\n[cm5]\ndtoverlay=dwc2",
    "of Windows": b"arm_boost=1\r\n\r\n[all]\r\n",
    "with empty lines at its end": b"arm_boost=1\n\n\n",
    "not UTF-8": b"# \xfcbertaktet\narm_freq=2000\n",
    "empty": b"",
}
every_text = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)


def test_a_failed_self_test_names_the_commands_of_the_release_that_failed(monkeypatch):
    message = "models/own: bundle.yaml has no seal; run `coinsorter seal models/own`"
    result = SimpleNamespace(returncode=1, stdout=message, stderr="")
    monkeypatch.setattr(install, "_capture", lambda *words: result)
    release = install.RELEASES / "new"
    with pytest.raises(install.InstallError) as error:
        install._run_self_test(release, install.SETTINGS)
    assert f"run `sudo {release}/venv/bin/coinsorter seal models/own`" in str(error.value)


@every_text
def test_our_lines_come_last_and_for_every_model_of_pi(text):
    changed = install.insert_block(text, LINES)
    assert changed.startswith(text)
    ours = changed.removeprefix(text).decode().split("\n")
    assert ours[:3] == [
        "",
        "# coinsorter begin: made by make install from /etc/coinsorter/config.yaml",
        "[all]",
    ]
    assert ours[-3:] == ["dtoverlay=coinsorter", "# coinsorter end", ""]
    assert [line for line in ours if line.startswith("gpio=")] == [
        line for line in LINES.decode().split("\n") if line.startswith("gpio=")
    ]


def test_no_mark_is_longer_than_the_firmware_reads():
    assert max(len(install.BEGIN_MARK), len(install.END_MARK)) <= 98


@every_text
def test_the_same_lines_again_change_nothing_and_others_take_their_place(text):
    changed = install.insert_block(text, LINES)
    assert install.insert_block(changed, LINES) == changed
    assert (
        install.insert_block(changed, OTHER_LINES)
        == install.insert_block(text, OTHER_LINES)
        != changed
    )


@every_text
def test_without_our_lines_it_is_as_it_was_byte_for_byte(text):
    assert install.remove_block(install.insert_block(text, LINES)) == text
    assert install.remove_block(text) == text


@every_text
def test_lines_that_a_technician_has_added_below_ours_stay_below_and_whole(text):
    changed = install.insert_block(text, LINES) + b"gpu_mem=64\n"
    assert (
        install.insert_block(changed, OTHER_LINES)
        == install.insert_block(text, OTHER_LINES) + b"gpu_mem=64\n"
    )
    left = install.remove_block(changed)
    assert left.startswith(text) and left.splitlines() == [*text.splitlines(), b"gpu_mem=64"]


def test_the_block_is_recognised_in_a_file_that_an_editor_of_windows_has_saved():
    saved = install.insert_block(b"arm_boost=1\n", LINES).replace(b"\n", b"\r\n")
    assert install.remove_block(saved) == b"arm_boost=1\r\n"
    assert install.insert_block(saved, LINES) == install.insert_block(b"arm_boost=1\r\n", LINES)


@pytest.mark.parametrize(
    "marks",
    [
        ["begin"],
        ["end"],
        ["end", "begin"],
        ["begin", "begin", "end"],
        ["begin", "end", "begin", "end"],
    ],
)
@pytest.mark.parametrize(
    "change",
    [lambda text: install.insert_block(text, LINES), install.remove_block],
    ids=["install", "uninstall"],
)
def test_wrong_marks_are_refused_in_one_line(marks, change):
    text = "arm_boost=1\n" + "".join(f"# coinsorter {mark}\n[all]\n" for mark in marks)
    with pytest.raises(
        install.InstallError, match=re.escape("/boot/firmware/config.txt: `# coinsorter begin")
    ) as error:
        change(text.encode())
    assert "\n" not in str(error.value) and "nothing was changed; delete" in str(error.value)
