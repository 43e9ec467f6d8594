"""Machines to be wired, and what is connected to which pin of each, by the settings alone."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from coinsorter.config.schema import Config

# The header's pin of each GPIO number ("GPIO and the 40-pin header" in Raspberry Pi's documents).
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
        pins = [
            *draw(st.lists(st.sampled_from([12, 18]), max_size=1)),
            draw(st.sampled_from([13, 19])),
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
    """GPIO number: what is on it and whether it is driven, by the settings alone; I2C left out."""
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
