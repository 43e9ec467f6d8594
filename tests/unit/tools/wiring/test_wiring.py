"""wiring: what is made from config.yaml names and drives every pin in use, and no other."""

import re
import shutil
import subprocess
from itertools import combinations
from xml.etree import ElementTree

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coinsorter.config.schema import Config
from coinsorter.errors import InputError
from coinsorter.tools import wiring
from coinsorter.tools.wiring import lines, lists
from tests.conftest import ROOT

# GPIO number: pin of the 40-pin header, as Raspberry Pi's documentation draws it ("GPIO and the 40-pin header").
HEADER = {
    2: 3,
    3: 5,
    4: 7,
    5: 29,
    6: 31,
    7: 26,
    8: 24,
    9: 21,
    10: 19,
    11: 23,
    12: 32,
    13: 33,
    14: 8,
    15: 10,
    16: 36,
    17: 11,
    18: 12,
    19: 35,
    20: 38,
    21: 40,
    22: 15,
    23: 16,
    24: 18,
    25: 22,
    26: 37,
    27: 13,
}
PANEL = {"feeder_pin": 17, "beam_pin": 27, "stop_pin": 22, "status_led_pin": 23}
NAMES = {
    "feeder_pin": "feeder",
    "beam_pin": "beam",
    "stop_pin": "stop button",
    "status_led_pin": "status LED",
}
DROPS = [4, 14, 15, 18, 24, 25, 8, 7]
SVG = "{http://www.w3.org/2000/svg}"
# The height in the drawing where the header has ended and a servo board has not begun.
BELOW_HEADER = 880
# The width of a letter of a fixed-width face, in parts of its size; the widest of them.
LETTER = 0.61


def machine(pins, driver="gpio", drops=(), panel=None, names=None):
    """Settings of a machine with a flap at each of these pins."""
    bins = [
        {
            "name": name,
            "labels": [f"label_{number}"],
            "flap": {"pin": pin, "distance_mm": 160 + 40 * number}
            | ({"drop_pin": drop} if drop else {}),
        }
        for number, (pin, drop, name) in enumerate(
            zip(
                pins,
                [*drops, *[None] * len(pins)],
                names or [f"bin_{pin}" for pin in pins],
                strict=False,
            )
        )
    ]
    return Config.model_validate({"servo": {"driver": driver}, "bins": bins, "panel": panel or {}})


FULL = machine([5, 6, 13, 16, 19, 20, 21, 26], "gpio", DROPS, PANEL)
BOARD = machine([0, 1, 2, 3, 8, 9, 14, 15], "pca9685", DROPS, PANEL)
PWM = machine([13, 18], "hardware-pwm", [4, 7], PANEL)
MACHINES = {
    "gpio": FULL,
    "pca9685": BOARD,
    "hardware-pwm": PWM,
    "one-flap": machine([2]),
    "board-alone": machine([0], "pca9685"),
}
every_machine = pytest.mark.parametrize("of", MACHINES.values(), ids=MACHINES)


@st.composite
def machines(draw):
    """Any machine that config.yaml can ask for and that can be wired."""
    driver = draw(st.sampled_from(["gpio", "mock", "pca9685", "hardware-pwm"]))
    free = draw(st.permutations([gpio for gpio in HEADER if driver != "pca9685" or gpio > 3]))
    if driver == "pca9685":
        pins = draw(st.lists(st.integers(0, 15), min_size=1, max_size=16, unique=True))
    elif driver == "hardware-pwm":
        pins = draw(st.lists(st.sampled_from([12, 18]), max_size=1)) + [
            draw(st.sampled_from([13, 19]))
        ]
    else:
        pins = free[: draw(st.integers(1, 26))]
    free = [gpio for gpio in free if driver == "pca9685" or gpio not in pins]
    panel = {name: free.pop() for name in draw(st.sets(st.sampled_from(sorted(PANEL)))) if free}
    drops = [free.pop() if free and draw(st.booleans()) else None for _ in pins]
    word = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}", fullmatch=True).filter(
        lambda name: name not in ("reject", "uncertain")
    )
    return machine(
        pins,
        driver,
        drops,
        panel,
        draw(st.lists(word, min_size=len(pins), max_size=len(pins), unique=True)),
    )


any_machine = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def wired(of) -> dict[int, tuple[str, bool]]:
    """GPIO number: what is on it and whether it is driven, told from the settings alone; I2C left out."""
    found = (
        {}
        if of.servo.driver == "pca9685"
        else {bin_.flap.pin: (f"flap {bin_.name}", True) for bin_ in of.bins}
    )
    found |= {
        bin_.flap.drop_pin: (f"drop sensor {bin_.name}", False)
        for bin_ in of.bins
        if bin_.flap.drop_pin is not None
    }
    for option, name in NAMES.items():
        if (gpio := getattr(of.panel, option)) is not None:
            found[gpio] = (name, option in ("feeder_pin", "status_led_pin"))
    return found


def drawn(of) -> ElementTree.Element:
    return ElementTree.fromstring(wiring.made(of)["wiring.svg"])


def words_of(svg: ElementTree.Element) -> list[tuple[str, float, float, float]]:
    """Every text of a drawing: its words, where it begins or ends, the height of its middle, its size."""
    found = [
        (node.text, *(float(node.get(name)) for name in ("x", "y", "font-size")))
        for node in svg.iter(f"{SVG}text")
    ]
    return [(words, x, round(y - 0.35 * size, 3), size) for words, x, y, size in found]


# -- the files in the repository ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["coinsorter.txt", "coinsorter-overlay.dts", "pins.md", "wiring.svg", "bom.md"]
)
def test_the_committed_file_is_what_the_shipped_settings_make(config, name):
    committed = (ROOT / "firmware" / name).read_text(encoding="utf-8")
    assert committed == wiring.made(config)[name], (
        f"firmware/{name} is stale; run `coinsorter wiring --config config.yaml --out firmware`"
    )


def test_every_file_is_written_and_written_again_the_same(tmp_path, config):
    paths = wiring.write(config, tmp_path / "new" / "firmware")
    first = [path.read_bytes() for path in paths]
    assert wiring.write(config, tmp_path / "new" / "firmware") == paths
    assert [path.read_bytes() for path in paths] == first
    assert sorted(path.name for path in paths) == sorted(wiring.made(config))


def test_a_folder_that_cannot_be_is_named(tmp_path, config):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        InputError,
        match=r"file/firmware: cannot be written: Not a directory; name another folder with --out",
    ):
        wiring.write(config, tmp_path / "file" / "firmware")


# -- every pin, and no other ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gpio, header_pin", HEADER.items())
def test_a_gpio_has_its_pin_of_the_header(gpio, header_pin):
    assert lines.Line(gpio, "sensor", "beam").header_pin == header_pin


@any_machine
@given(machines())
def test_the_firmware_sets_every_pin_in_use_and_no_other(of):
    found = dict(re.findall(r"^gpio=(\d+)=(.*)$", wiring.settings(of), re.MULTILINE))
    assert found == {
        str(gpio): "op,dl,pd" if driven else "ip,pu" for gpio, (_, driven) in wired(of).items()
    }


# As Linux' binding brcm,bcm2835-gpio counts: function 0 is an input, 1 an output; pull 1 is down, 2 is up.
STATES = {
    "coinsorter_low": ["brcm,function = <1>", "brcm,pull = <1>"],
    "coinsorter_level": ["output-low"],
    "coinsorter_pwm": ["brcm,pull = <1>"],
    "coinsorter_up": ["brcm,function = <0>", "brcm,pull = <2>"],
}


def settings_of(body: str) -> list[str]:
    return sorted(
        part.strip() for part in body.split(";") if part.strip() and "pins = " not in part
    )


@any_machine
@given(machines())
def test_linux_sets_every_pin_in_use_and_no_other(of):
    text = re.sub(r"/\*.*?\*/", "", wiring.overlay(of), flags=re.DOTALL)
    states = dict(re.findall(r"(\w+): \w+ \{(.*?)\};", text, re.DOTALL))
    lists = {name: re.search(r"pins = (.*?);", body)[1] for name, body in states.items()}
    pins = {
        name: [int(number) for number in re.findall(r"\d+", found)] for name, found in lists.items()
    }
    pwm = {bin_.flap.pin for bin_ in of.bins} if of.servo.driver == "hardware-pwm" else set()
    driven = {gpio for gpio, (_, is_driven) in wired(of).items() if is_driven}
    assert (
        set(pins.get("coinsorter_low", [])) == set(pins.get("coinsorter_level", [])) == driven - pwm
    )
    assert set(pins.get("coinsorter_pwm", [])) == pwm
    assert set(pins.get("coinsorter_up", [])) == set(wired(of)) - driven
    assert set(re.findall(r"<&(coinsorter_\w+)>", text)) == set(states)
    assert {name: settings_of(body) for name, body in states.items()} == {
        name: STATES[name] for name in states
    }


@any_machine
@given(machines())
def test_the_table_has_every_pin_in_use_with_its_place_and_name(of):
    rows = [
        row.strip("| ").split(" | ")
        for row in wiring.table(of).split("## ")[0].splitlines()
        if row.startswith("| ")
    ][2:]
    buses = (
        {(3, "GPIO 2", "I2C data", "both"), (5, "GPIO 3", "I2C clock", "both")}
        if of.servo.driver == "pca9685"
        else set()
    )
    used = {
        (HEADER[gpio], f"GPIO {gpio}", name, "output" if driven else "input")
        for gpio, (name, driven) in wired(of).items()
    }
    assert {
        (int(pin), gpio, name, direction) for pin, gpio, name, direction, *_ in rows
    } == used | buses
    assert [int(row[0]) for row in rows] == sorted(int(row[0]) for row in rows)


@any_machine
@given(machines())
def test_the_drawing_has_every_name_once_and_beside_its_pin(of):
    words = words_of(drawn(of))
    pins = {
        words: (x, y)
        for words, x, y, size in words
        if size == 11 and words.isdigit() and y < BELOW_HEADER
    }
    for gpio, (name, _) in wired(of).items():
        pin_x, pin_y = pins[str(HEADER[gpio])]
        ((x, y),) = [(x, y) for words, x, y, size in words if words == name and size == 14]
        assert y == pin_y
        assert (x < pin_x) == (HEADER[gpio] % 2 == 1)


def test_a_servo_board_has_every_flap_at_its_output():
    heights = {words: y for words, _, y, _ in words_of(drawn(BOARD)) if y > BELOW_HEADER}
    rows = dict(re.findall(r"^\| (\d+) \| (flap \S+) \|$", wiring.table(BOARD), re.MULTILINE))
    assert rows == {str(bin_.flap.pin): f"flap {bin_.name}" for bin_ in BOARD.bins}
    assert all(heights[name] == heights[output] for output, name in rows.items())


# -- the drawing ----------------------------------------------------------------------------------------------------------------------


def boxes_of_texts(svg: ElementTree.Element) -> list[tuple[str, float, float, float, float]]:
    """Words and where they stand: left, top, right, bottom."""
    found = []
    for node in svg.iter(f"{SVG}text"):
        size, x, y = (float(node.get(name)) for name in ("font-size", "x", "y"))
        width = LETTER * size * len(node.text)
        left = x - {"start": 0, "middle": width / 2, "end": width}[node.get("text-anchor")]
        found.append((node.text, left, y - 0.8 * size, left + width, y + 0.2 * size))
    return found


def stretches(svg: ElementTree.Element):
    """Every straight stretch of wire: left, top, right, bottom, colour."""
    for node in svg.iter(f"{SVG}polyline"):
        points = [
            tuple(float(number) for number in point.split(","))
            for point in node.get("points").split()
        ]
        for (x1, y1), (x2, y2) in zip(points, points[1:], strict=False):
            yield min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2), node.get("stroke")


def apart(one, other) -> bool:
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


@any_machine
@given(machines())
def test_no_words_touch_other_words_or_a_wire_and_none_leave_the_sheet(of):
    svg = drawn(of)
    words = boxes_of_texts(svg)
    width, height = float(svg.get("width")), float(svg.get("height"))
    assert all(
        left >= 0 and right <= width and top >= 0 and bottom <= height
        for _, left, top, right, bottom in words
    )
    assert [(a[0], b[0]) for a, b in combinations(words, 2) if not apart(a[1:], b[1:])] == []
    assert [text for text, *box in words for wire in stretches(svg) if not apart(box, wire)] == []


@any_machine
@given(machines())
def test_wires_of_two_colours_never_run_together(of):
    for one, other in combinations(stretches(drawn(of)), 2):
        both_upright, both_level = (
            one[0] == one[2] and other[0] == other[2],
            one[1] == one[3] and other[1] == other[3],
        )
        if one[4] != other[4] and (both_upright or both_level):
            left, top, right, bottom = one[:4]
            assert apart(
                (left - 5, top, right + 5, bottom)
                if both_upright
                else (left, top - 5, right, bottom + 5),
                other,
            ), (one, other)


@any_machine
@given(machines())
def test_a_dot_joins_wires_of_its_own_colour_only(of):
    svg = drawn(of)
    circles = [
        (*(float(node.get(name)) for name in ("cx", "cy", "r")), node.get("fill"))
        for node in svg.iter(f"{SVG}circle")
    ]
    dots = [circle for circle in circles if circle[2] <= 5]  # larger ones are pins
    assert dots
    for x, y, radius, colour in dots:
        touched = {
            wire[4]
            for wire in stretches(svg)
            if not apart((x - radius, y - radius, x + radius, y + radius), wire)
        }
        assert touched == {colour}, (x, y)


@every_machine
def test_the_pi_meets_the_servos_ground_at_one_pin_only(of):
    """With two, the servos' current would run through the Pi."""
    svg = drawn(of)
    pi = next(node for node in svg.iter(f"{SVG}rect") if node.get("fill") == "#e4efe2")
    left, top, width, height = (float(pi.get(name)) for name in ("x", "y", "width", "height"))
    reach_the_pi = [
        wire for wire in stretches(svg) if not apart((left, top, left + width, top + height), wire)
    ]
    assert [wire[4] for wire in reach_the_pi].count("#40464d") == 1


@any_machine
@given(machines())
def test_every_name_fits_into_its_box(of):
    svg = drawn(of)
    white = [node for node in svg.iter(f"{SVG}rect") if node.get("fill") == "#ffffff"]
    boxes = [
        tuple(float(node.get(name)) for name in ("x", "y", "width", "height")) for node in white
    ]
    for text, left, top, right, bottom in boxes_of_texts(svg):
        if text.startswith(("flap ", "drop sensor ")):
            assert any(
                x <= left and right <= x + width and y <= top and bottom <= y + height
                for x, y, width, height in boxes
            ), text


@every_machine
def test_the_drawing_brings_its_own_paper(of):
    """So that it can be read on a dark page too."""
    first = drawn(of)[0]
    assert (first.tag, first.get("width"), first.get("height"), first.get("fill")) == (
        f"{SVG}rect",
        "100%",
        "100%",
        "#fcfbf8",
    )


# -- the firmware's settings ----------------------------------------------------------------------------------------------------------


@any_machine
@given(machines())
def test_no_line_is_longer_than_the_firmware_reads(of):
    assert max(map(len, wiring.settings(of).splitlines())) <= 98


@pytest.mark.parametrize(
    "pins, line",
    [
        ([12, 13], "dtoverlay=pwm-2chan,pin=12,func=4,pin2=13,func2=4"),
        ([19, 18], "dtoverlay=pwm-2chan,pin=18,func=2,pin2=19,func2=2"),
        ([13, 18], "dtoverlay=pwm-2chan,pin=18,func=2,pin2=13,func2=4"),
        ([19], "dtoverlay=pwm,pin=19,func=2"),
    ],
)
def test_hardware_pwm_gets_its_pins_and_their_functions(pins, line):
    assert line in wiring.settings(machine(pins, "hardware-pwm")).splitlines()


@every_machine
def test_pwm_and_i2c_are_switched_on_only_for_the_driver_that_needs_them(of):
    text = wiring.settings(of)
    assert ("dtoverlay=pwm" in text) == (of.servo.driver == "hardware-pwm")
    assert ("dtparam=i2c_arm=on" in text) == (of.servo.driver == "pca9685")


@pytest.mark.parametrize(
    "pin, switch",
    [
        (2, "dtparam=i2c_arm=off"),
        (3, "dtparam=i2c_arm=off"),
        (7, "dtparam=spi=off"),
        (11, "dtparam=spi=off"),
        (14, "enable_uart=0"),
        (15, "enable_uart=0"),
        (18, "dtparam=i2s=off"),
        (21, "dtparam=i2s=off"),
    ],
)
def test_an_interface_that_would_take_a_pin_is_switched_off(pin, switch):
    switches = {
        line
        for line in wiring.settings(machine([pin])).splitlines()
        if line.endswith(("=off", "enable_uart=0"))
    }
    assert switches == {switch}


@pytest.mark.parametrize("pin", [4, 5, 6, 12, 13, 16, 17, 22, 27])
def test_interfaces_that_take_no_pin_of_ours_are_left_alone(pin):
    assert "=off" not in wiring.settings(machine([pin])) and "enable_uart" not in wiring.settings(
        machine([pin])
    )


@pytest.mark.parametrize("source, told", [("pi", True), ("usb", False)])
def test_only_the_pis_own_camera_is_looked_for(config, source, told):
    of = config.model_copy(update={"camera": config.camera.model_copy(update={"source": source})})
    assert ("camera_auto_detect=1" in wiring.settings(of).splitlines()) == told


# -- the overlay ----------------------------------------------------------------------------------------------------------------------


@every_machine
def test_the_overlay_compiles_without_a_warning_and_holds_the_pins(tmp_path, of):
    if shutil.which("dtc") is None:
        pytest.skip("no dtc; install the package device-tree-compiler")
    source, binary = tmp_path / "coinsorter-overlay.dts", tmp_path / "coinsorter.dtbo"
    source.write_text(wiring.overlay(of), encoding="utf-8")
    compiled = subprocess.run(
        ["dtc", "-@", "-I", "dts", "-O", "dtb", "-o", binary, source],
        capture_output=True,
        text=True,
    )
    assert (compiled.returncode, compiled.stdout, compiled.stderr) == (0, "", "")

    text = subprocess.run(
        ["dtc", "-q", "-q", "-I", "dtb", "-O", "dts", binary],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    cells = [
        int(cell, 16)
        for found in re.findall(r"brcm,pins = <(.*?)>", text)
        for cell in found.split()
    ]
    assert sorted(cells) == sorted(wired(of))
    assert text.count('gpio = "/fragment@0:target:0"') == (
        1 if cells else 0
    )  # which makes it the Pi's own GPIO controller that is set


# What the overlay is laid over on a Pi, as far as it is concerned.
BASE = "/dts-v1/; / { gpio: gpio@7e200000 { reg = <0x7e200000>; #address-cells = <0>; }; };"


def test_laid_over_a_pis_device_tree_the_overlay_sets_the_gpio_controllers_default_state(tmp_path):
    if shutil.which("fdtoverlay") is None:
        pytest.skip("no fdtoverlay; install the package device-tree-compiler")
    for name, source in (("base", BASE), ("over", wiring.overlay(FULL))):
        (tmp_path / f"{name}.dts").write_text(source, encoding="utf-8")
        subprocess.run(
            [
                "dtc",
                "-q",
                "-@",
                "-O",
                "dtb",
                "-o",
                tmp_path / f"{name}.dtb",
                tmp_path / f"{name}.dts",
            ],
            check=True,
        )
    subprocess.run(
        [
            "fdtoverlay",
            "-i",
            tmp_path / "base.dtb",
            "-o",
            tmp_path / "whole.dtb",
            tmp_path / "over.dtb",
        ],
        check=True,
    )
    states = ["coinsorter_low", "coinsorter_level", "coinsorter_up"]
    handles = [
        asked(tmp_path / "whole.dtb", f"/gpio@7e200000/{state}", "phandle") for state in states
    ]
    assert asked(tmp_path / "whole.dtb", "/gpio@7e200000", "pinctrl-0") == " ".join(handles)
    assert asked(tmp_path / "whole.dtb", "/gpio@7e200000/coinsorter_up", "brcm,pins") == " ".join(
        str(pin) for pin in [*DROPS, 27, 22]
    )


def asked(tree, node: str, name: str) -> str:
    """A property of a compiled device tree, its cells as decimal numbers."""
    return subprocess.run(
        ["fdtget", "-t", "u", tree, node, name], capture_output=True, text=True, check=True
    ).stdout.strip()


# -- the parts ------------------------------------------------------------------------------------------------------------------------


def counts(of) -> dict[str, int]:
    rows = [
        row.strip("| ").split(" | ")
        for row in wiring.parts(of).splitlines()
        if row.startswith("| ")
    ][2:]
    return {part: int(count) for part, count, *_ in rows}


def test_parts_are_counted_from_the_settings():
    assert counts(FULL)["servo"] == counts(FULL)["return spring"] == 8
    assert counts(FULL)["drop or beam sensor"] == 9
    assert {"feeder MOSFET", "resistor 10 kΩ", "button", "LED and resistor 330 Ω"} <= set(
        counts(FULL)
    )
    assert counts(BOARD)["servo board"] == 1


def test_parts_that_nothing_asks_for_are_left_out():
    optional = {
        "servo board",
        "drop or beam sensor",
        "feeder MOSFET",
        "resistor 10 kΩ",
        "button",
        "LED and resistor 330 Ω",
    }
    assert not optional & set(counts(machine([5])))


@pytest.mark.parametrize(
    "servos, fuse, supply", [(1, 1, 2), (2, 2, 3), (5, 4, 6), (6, 5, 7), (8, 7.5, 10), (26, 25, 33)]
)
def test_the_fuse_bears_every_servo_stalled_and_blows_before_the_supply_gives_in(
    servos, fuse, supply
):
    assert (lists.fuse_a(servos), lists.supply_a(servos)) == (fuse, supply)


def test_the_servos_speed_follows_from_the_quickest_flap():
    of = yaml.safe_load((ROOT / "config.yaml").read_text())
    of["bins"][3]["flap"]["travel_ms"] = 60  # for 45 degrees, so 80 ms for 60
    assert "| 0.08 s per 60° or faster" in wiring.parts(Config.model_validate(of))
