"""Options that contradict each other, in a technician's words."""

import pytest

from tests.unit.config.conftest import change_text, list_mistakes


@pytest.mark.parametrize(
    "old, new, complaint",
    [
        ("pin: 6", "pin: 5", "bins[1].flap.pin: GPIO 5 drives bins[0] already"),
        (
            "name: bit_20",
            "name: bit_10",
            "bins[1].name: 'bit_10' is bins[0] already; take another name",
        ),
        (
            "name: bit_20",
            "name: reject",
            "bins[1].name: 'reject' is the reject bin already; take another name",
        ),
        ("[bit_20]", "[bit_10]", "bins[1].labels[0]: 'bit_10' goes to bins[0] already"),
        (
            "open_deg: 135, distance_mm: 200",
            "open_deg: 95, distance_mm: 200",
            "bins[1].flap.open_deg: 95 is within 10 degrees of rest_deg 90: "
            "the flap would not open",
        ),
        (
            "distance_mm: 160",
            "distance_mm: 90",
            "bins[0].flap.distance_mm: 90 is too near: no decision is in time before 118",
        ),
        (
            "distance_mm: 200",
            "distance_mm: 165",
            "bins[1].flap.distance_mm: 165 overlaps the flap of bins[0], which ends at 165",
        ),
        (
            "reject_bin: reject ",
            "reject_bin: uncertain ",
            "reject_bin: 'uncertain' is the ledger's word for coins that may lie anywhere; "
            "take another name",
        ),
        (
            "name: bit_20",
            "name: uncertain",
            "bins[1].name: 'uncertain' is the ledger's word for coins that may lie anywhere "
            "already; take another name",
        ),
    ],
)
def test_options_that_cannot_be_together_are_a_mistake(tmp_path, old, new, complaint):
    mistakes = list_mistakes(tmp_path, change_text((old, new)))
    assert any(line.endswith(f": {complaint}") for line in mistakes), mistakes


@pytest.mark.parametrize(
    "changes, complaint",
    [
        (
            [("source: pi ", "source: folder ")],
            "camera.folder: is missing; source: folder shows the images that lie in it",
        ),
        ([("stop_pin: null", "stop_pin: 6")], "panel.stop_pin: GPIO 6 serves bins[1] already"),
        (
            [("beam_pin: null", "beam_pin: 4"), ("stop_pin: null", "stop_pin: 4")],
            "panel.stop_pin: GPIO 4 serves panel.beam_pin already",
        ),
        (
            [("travel_ms: 80}", "travel_ms: 80, drop_pin: 5}")],
            "bins[0].flap.drop_pin: GPIO 5 serves bins[0] already",
        ),
        ([("pin: 5,", "pin: 0,")], "bins[0].flap.pin: 0 is none of gpio's: GPIO 2 to 27"),
        (
            [("driver: gpio ", "driver: hardware-pwm ")],
            "bins[0].flap.pin: 5 is none of hardware-pwm's: GPIO 12 or 18, and 13 or 19",
        ),
        (
            [("driver: gpio ", "driver: pca9685 ")],
            "bins[3].flap.pin: 16 is none of pca9685's: the board's outputs 0 to 15",
        ),
        (
            [("driver: gpio ", "driver: pca9685 "), ("pin: 6,", "pin: 5,")],
            "bins[1].flap.pin: output 5 drives bins[0] already",
        ),
        (
            [("driver: gpio ", "driver: pca9685 "), ("stop_pin: null", "stop_pin: 2")],
            "panel.stop_pin: GPIO 2 serves the servo board's I2C bus already",
        ),
        (
            [
                ("driver: gpio ", "driver: hardware-pwm "),
                ("pin: 5,", "pin: 12,"),
                ("pin: 6,", "pin: 18,"),
            ],
            "bins[1].flap.pin: GPIO 18 has the PWM channel of bins[0]; "
            "for more than two servos take gpio or pca9685",
        ),
    ],
)
def test_wiring_that_cannot_be_is_a_mistake(tmp_path, changes, complaint):
    mistakes = list_mistakes(tmp_path, change_text(*changes))
    assert any(line.endswith(f": {complaint}") for line in mistakes), mistakes


def test_outputs_of_a_board_of_their_own_are_no_pins_of_the_pi(tmp_path):
    text = change_text(("driver: gpio ", "driver: pca9685 "), ("stop_pin: null", "stop_pin: 5"))
    for pin, output in ((16, 7), (19, 8), (20, 9), (21, 10), (26, 11)):
        text = text.replace(f"pin: {pin},", f"pin: {output},")
    assert list_mistakes(tmp_path, text) == []


def test_a_label_that_is_too_long_for_a_line_is_shortened(tmp_path, crowns):
    text = change_text(("[bit_20]", f"[bit_{'9' * 400}]"))
    (mistake,) = list_mistakes(tmp_path, text, crowns.labels)
    assert "bins[1].labels[0]: 'bit_999" in mistake and "...' is no label of" in mistake
    assert len(mistake) < 400


def test_labels_are_checked_against_the_bundle(tmp_path, crowns):
    (mistake,) = list_mistakes(tmp_path, change_text(("[bit_20]", "[bit_21]")), crowns.labels)
    assert (
        "bins[1].labels[0]: 'bit_21' is no label of models/crowns; it knows bit_10, bit_20"
        in mistake
    )


def test_servos_that_could_not_turn_are_a_mistake(tmp_path):
    (mistake,) = list_mistakes(
        tmp_path,
        change_text(
            ("min_pulse_us: 500 ", "min_pulse_us: 1500 "),
            ("max_pulse_us: 2500 ", "max_pulse_us: 1500 "),
        ),
    )
    assert mistake.endswith(
        "servo.max_pulse_us: 1500 is not above min_pulse_us 1500: the servos could not turn"
    )


@pytest.mark.parametrize(
    "old, allowed, refused, complaint",
    [
        (
            "max_diameter_error_mm: null",
            "max_diameter_error_mm: 0.01",
            "max_diameter_error_mm: 0.009",
            "0.009 lets no coin pass: none is measured so exactly; write at least 0.01",
        ),
        (
            "min_confidence: null",
            "min_confidence: 0.9999",
            "min_confidence: 1",
            "1 lets no coin pass: no label is certain; write at most 0.9999",
        ),
        (
            "feeder_pin: null",
            "feeder_pin: 4",
            "feeder_pin: 3",
            "GPIO 3 is pulled up on the board, so that the feeder would run by itself; "
            "take another pin",
        ),
    ],
)
def test_options_that_stop_all_sorting_are_a_mistake(tmp_path, old, allowed, refused, complaint):
    assert list_mistakes(tmp_path, change_text((old, allowed))) == []
    (mistake,) = list_mistakes(tmp_path, change_text((old, refused)))
    assert mistake.endswith(complaint)


@pytest.mark.parametrize(
    "address, is_allowed", [(111, True), (112, False), (119, True), (120, False)]
)
def test_an_address_that_no_board_has_for_itself_is_a_mistake(tmp_path, address, is_allowed):
    pins = [
        (f"{{pin: {pin},", f"{{pin: {n},") for n, pin in enumerate((5, 6, 13, 16, 19, 20, 21, 26))
    ]
    text = change_text(
        ("driver: gpio ", "driver: pca9685 "),
        ("i2c_address: 64 ", f"i2c_address: {address} "),
        *pins,
    )
    mistakes = list_mistakes(tmp_path, text)
    assert (mistakes == []) is is_allowed
    assert all("is no board's own address; take one of 64 to 119" in line for line in mistakes)


def test_a_letter_that_looks_like_another_is_named(tmp_path, crowns):
    (mistake,) = list_mistakes(tmp_path, change_text(("[bit_20]", "[bit_2\u041e]")), crowns.labels)
    assert "(it holds U+041E, CYRILLIC CAPITAL LETTER O) is no label of models/crowns" in mistake
