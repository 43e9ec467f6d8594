"""The installer's lines in config.txt: put in, changed in place, taken out, and everything else in it left as it is."""

import re
from importlib.util import module_from_spec, spec_from_file_location

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


@every_text
def test_our_lines_come_last_and_for_every_model_of_pi(text):
    changed = install.with_ours(text, LINES)
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
    assert max(len(install.BEGIN), len(install.END)) <= 98


@every_text
def test_the_same_lines_again_change_nothing_and_others_take_their_place(text):
    changed = install.with_ours(text, LINES)
    assert install.with_ours(changed, LINES) == changed
    assert (
        install.with_ours(changed, OTHER_LINES) == install.with_ours(text, OTHER_LINES) != changed
    )


@every_text
def test_without_our_lines_it_is_as_it_was_byte_for_byte(text):
    assert install.without_ours(install.with_ours(text, LINES)) == text
    assert install.without_ours(text) == text


@every_text
def test_lines_that_somebody_has_added_below_ours_stay_below_and_whole(text):
    changed = install.with_ours(text, LINES) + b"gpu_mem=64\n"
    assert (
        install.with_ours(changed, OTHER_LINES)
        == install.with_ours(text, OTHER_LINES) + b"gpu_mem=64\n"
    )
    left = install.without_ours(changed)
    assert left.startswith(text) and left.splitlines() == [*text.splitlines(), b"gpu_mem=64"]


def test_our_lines_are_found_in_a_file_that_an_editor_of_windows_has_saved():
    saved = install.with_ours(b"arm_boost=1\n", LINES).replace(b"\n", b"\r\n")
    assert install.without_ours(saved) == b"arm_boost=1\r\n"
    assert install.with_ours(saved, LINES) == install.with_ours(b"arm_boost=1\r\n", LINES)


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
    [lambda text: install.with_ours(text, LINES), install.without_ours],
    ids=["install", "uninstall"],
)
def test_marks_that_are_amiss_are_refused_in_one_line(marks, change):
    text = "arm_boost=1\n" + "".join(f"# coinsorter {mark}\n[all]\n" for mark in marks)
    with pytest.raises(
        install.InstallError, match=re.escape("/boot/firmware/config.txt: `# coinsorter begin")
    ) as refused:
        change(text.encode())
    assert "\n" not in str(refused.value) and "nothing was changed; delete" in str(refused.value)
