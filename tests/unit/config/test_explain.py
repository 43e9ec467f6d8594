"""Each mistake says what is written and what to write instead."""

import pytest

from coinsorter.config.load import load_config
from tests.unit.config.conftest import change_text, list_mistakes


@pytest.mark.parametrize(
    "old, new, complaint",
    [
        ("speed_mm_s: 250", "speed_mm_s: 0250", "0250 begins with a zero: write 250"),
        ("speed_mm_s: 250", "speed_mm_s: 0250.5", "0250.5 begins with a zero: write 250.5"),
        ("travel_ms: 80", "travel_ms: 0100", "0100 begins with a zero: write 100"),
        ("open_deg: 135", "open_deg: 0135", "0135 begins with a zero: write 135"),
        ("width_px: 640", "width_px: 0640", "0640 begins with a zero: write 640"),
        ("turns_per_crop: 4", "turns_per_crop: 04", "04 begins with a zero: write 4"),
        ("speed_mm_s: 250", "speed_mm_s: 0o17", "'0o17' is not a number: write 15"),
        ("speed_mm_s: 250", "speed_mm_s: 0x1F", "0x1F is hexadecimal: write 31"),
        ("width_px: 640", "width_px: 0x280", "0x280 is hexadecimal: write 640"),
        ("speed_mm_s: 250", "speed_mm_s: 1_000", "'1_000' is not a number: write 1000"),
        ("speed_mm_s: 250", "speed_mm_s: 12,5", "'12,5' is not a number: write 12.5"),
        ("speed_mm_s: 250", "speed_mm_s: 12 mm/s", "'12 mm/s' is not a number: write 12"),
        ("distance_mm: 160,", "distance_mm: 160,5,", "decimals are written with a point"),
        ("speed_mm_s: 250", "speed_mm_s: yes", "'yes' is not a number"),
        ("speed_mm_s: 250", "speed_mm_s: ~", "has no value; write one, or delete the option"),
        ("speed_mm_s: 250", "speed_mm_s:", "has no value; write one, or delete the option"),
        ("speed_mm_s: 250", "speed_mm_s: 1e999", "inf is not a finite number"),
        ("speed_mm_s: 250", "speed_mm_s: 2000.0001", "2000.0001 is above 2000"),
        ("width_px: 640", "width_px: 640.0", "640.0 is not a whole number: write 640"),
        ("width_px: 640", "width_px: 6.4e2", "6.4e2 is not a whole number: write 640"),
        ("release_ms: null", "release_ms: never", "'never' is not a whole number: write null"),
        ("red_gain: null", "red_gain: none", "'none' is not a number: write null"),
        ("min_confidence: null", "min_confidence: 99%", "'99%' is not a number: write the number"),
        ("follow_scale: true", "follow_scale: yes", "neither true nor false: write true"),
        ("follow_scale: true", "follow_scale: 0", "0 is neither true nor false: write false"),
        ("source: pi ", "source: PI ", "'PI' is none of 'pi', 'usb' or 'folder': write pi"),
        ("source: pi ", "source: \u0440i ", "it holds U+0440, CYRILLIC SMALL LETTER ER"),
        ("speed_mm_s", "Speed_mm_s", "is no option; did you mean speed_mm_s?"),
        ("speed_mm_s: 250", '"speed_mm_s ": 250', "is no option; did you mean speed_mm_s?"),
        (
            "camera:",
            "c\u0430mera:",
            "did you mean camera? (it holds U+0430, CYRILLIC SMALL LETTER A)",
        ),
        ("  usb_device: 0", "  px_per_mm: 4", "is no option here; it is one of belt"),
        ("reject_bin: reject", "px_per_mm: 4", "is no option here; it is one of belt"),
        ("{pin: 5", "{<<: 5", "merged sections are not read: write the options themselves"),
        ("[bit_20]", "[10]", "10 is not text; put it in quotes"),
        ("[bit_20]", "[1.50]", "1.50 is not text; put it in quotes"),
        ("[bit_20]", "[null]", "null is not text; put it in quotes"),
        ("[bit_20]", "['']", "is empty"),
        ("[bit_20]", "[' bit_20']", "' bit_20' begins or ends with a space; delete it"),
        ("[bit_20]", "[bit_20\u200b]", "holds U+200B, ZERO WIDTH SPACE; delete it"),
        ("path: var/l", "path: ~/l", "begins with ~, which stands for nothing here; write it out"),
        ("path: var/ledger.db", 'path: "var\\ud800"', "is not text; write it in plain letters"),
        ("path: var/ledger.db", "path: var/ledger.db\n    2", "goes on in the next line"),
        ("name: bit_20", f"name: {'b' * 41}", "is longer than 40 characters"),
    ],
)
def test_a_wrong_value_gets_what_to_write(tmp_path, old, new, complaint):
    mistakes = list_mistakes(tmp_path, change_text((old, new)))
    assert any(complaint in line for line in mistakes), mistakes
    assert all(line.isprintable() and len(line) < 300 for line in mistakes)


def test_null_is_no_remedy_where_a_number_has_to_be(tmp_path):
    (mistake,) = list_mistakes(tmp_path, change_text(("threads: 1 ", "threads: none ")))
    assert mistake.endswith("'none' is not a whole number")


@pytest.mark.parametrize("label", ["010", "005", "no", "yes", "1:30", "2026-11-27", "0o17"])
def test_a_label_is_the_text_that_is_written(tmp_path, crowns, label):
    (mistake,) = list_mistakes(tmp_path, change_text(("[bit_20]", f"[{label}]")), crowns.labels)
    assert f"bins[1].labels[0]: {label!r} is no label" in mistake


@pytest.mark.parametrize(
    "old, new",
    [
        ("speed_mm_s: 250 ", "speed_mm_s: 2.5e2 "),
        ("speed_mm_s: 250 ", "speed_mm_s: +250 "),
        ("speed_mm_s: 250 ", '"speed_mm_s" : 250 '),
        ("gain: 2.0 ", "gain: 2. "),
        ("i2c_address: 64 ", "i2c_address: 0x40 "),
        ("follow_scale: true ", "follow_scale: True "),
        ("path: var/ledger.db", "path: 'var/ledger.db'"),
        ("camera:\n", "---\ncamera:\n"),
        ("turns_per_crop: 4 ", "turns_per_crop: 4.0 "),
    ],
)
def test_other_ways_to_write_the_same_are_read(tmp_path, config, old, new):
    path = tmp_path / "config.yaml"
    path.write_text(change_text((old, new)))
    assert load_config(path) == config


def test_bins_beyond_the_alphabet_are_one_mistake(tmp_path):
    bin_ = "  - name: b\n    labels: [b]\n    flap: {pin: 5, distance_mm: 400}\n"
    mistakes = list_mistakes(tmp_path, "bins:\n" + bin_ * 27)
    assert mistakes == ["config.yaml:1: bins: has 27 entries; there may be 26"]
