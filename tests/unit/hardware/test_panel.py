"""GpioPanel: feeder, LED, button, beam and drop sensors, on gpiozero's own mock pins."""

import sys
import threading

import pytest
from gpiozero import DigitalOutputDevice
from gpiozero.pins.mock import MockFactory, MockPin

from coinsorter.config.schema import PanelSettings
from coinsorter.errors import FlapError
from coinsorter.hardware.panel import FAST_S, SLOW_S, GpioPanel

FEEDER, BEAM, STOP, LED, DROP = 22, 23, 24, 25, 27


@pytest.fixture
def pins():
    factory = MockFactory()
    yield factory
    factory.reset()


@pytest.fixture
def wired(config):
    """Settings with everything wired, and a drop sensor at the third bin."""
    bins = list(config.bins)
    bins[2] = bins[2].model_copy(
        update={"flap": bins[2].flap.model_copy(update={"drop_pin": DROP})}
    )
    pins = PanelSettings(feeder_pin=FEEDER, beam_pin=BEAM, stop_pin=STOP, status_led_pin=LED)
    return config.model_copy(update={"panel": pins, "bins": bins})


@pytest.fixture
def panel(wired, pins):
    panel = GpioPanel(wired, pins)
    yield panel
    panel.close()


class BrokenPin(MockPin):
    def _set_state(self, value):
        raise OSError("no such chip")


class WatchedPin(MockPin):
    """A pin that lets a test wait for so many changes of its own."""

    def __init__(self, factory, info):
        self.changed = threading.Semaphore(0)
        super().__init__(factory, info)

    def _change_state(self, value):
        if super()._change_state(value):
            self.changed.release()
            return True
        return False


def pulse(pins: MockFactory, pin: int, times: int = 1) -> None:
    """Pulls an input to ground and lets go of it again."""
    for _ in range(times):
        pins.pin(pin).drive_low()
        pins.pin(pin).drive_high()


def test_opening_switches_nothing_on(pins, panel):
    assert [pins.pin(pin).function for pin in (FEEDER, LED)] == ["output", "output"]
    assert [state.state for pin in (FEEDER, LED) for state in pins.pin(pin).states] == [
        False,
        False,
    ]


def test_the_feeder_feeds_and_stops(pins, panel):
    panel.feed(True)
    assert pins.pin(FEEDER).state
    panel.feed(False)
    assert not pins.pin(FEEDER).state


@pytest.mark.parametrize(
    "count, pin",
    [
        (GpioPanel.count_presses, STOP),
        (GpioPanel.count_beam_breaks, BEAM),
        (lambda panel: panel.count_drops("bit_50"), DROP),
    ],
)
def test_each_input_is_counted_once_a_pulse_and_reported_once(pins, panel, count, pin):
    assert count(panel) == 0
    pulse(pins, pin, 3)
    assert count(panel) == 3
    assert count(panel) == 0
    pins.pin(pin).drive_low()
    assert count(panel) == 1
    pins.pin(pin).drive_high()
    assert count(panel) == 0


def test_what_one_sensor_sees_is_not_counted_for_another(pins, panel):
    pulse(pins, DROP, 2)
    assert (
        panel.count_presses(),
        panel.count_beam_breaks(),
        panel.count_drops("bit_20"),
        panel.count_drops("bit_50"),
    ) == (0, 0, 0, 2)


def test_the_times_when_things_fell_are_reported(wired, pins):
    times_s = iter([12.5, 13.25, 20.0])
    panel = GpioPanel(wired, pins, lambda: next(times_s))
    pulse(pins, DROP, 2)
    assert panel.take_drop_times_s("bit_50") == [12.5, 13.25]
    assert panel.take_drop_times_s("bit_50") == [] == panel.take_drop_times_s("bit_20")
    pulse(pins, DROP)
    assert panel.take_drop_times_s("bit_50") == [20.0]
    panel.close()


def test_inputs_are_pulled_up_and_debounced(pins, panel):
    assert {pin: (pins.pin(pin).pull, pins.pin(pin).bounce) for pin in (STOP, BEAM, DROP)} == {
        STOP: ("up", 0.05),
        BEAM: ("up", 0.002),
        DROP: ("up", 0.002),
    }


def test_the_led_is_on_while_sorting_and_can_be_off(pins, panel):
    panel.show("sorting")
    assert pins.pin(LED).state
    panel.show("off")
    assert not pins.pin(LED).state


@pytest.mark.parametrize(
    "state, lasts_s", [("paused", SLOW_S), ("waiting", FAST_S), ("fault", FAST_S)]
)
def test_the_led_blinks_slowly_when_paused_flashes_when_waiting_and_fast_at_a_fault(
    wired, pins, state, lasts_s
):
    led = pins.pin(LED, pin_class=WatchedPin)
    panel = GpioPanel(wired, pins)
    panel.show(state)
    for _ in range(2):
        assert led.changed.acquire(timeout=10)
    on, off = led.states[-2:]
    assert (on.state, off.state) == (True, False)
    assert lasts_s * 0.9 < off.timestamp < lasts_s * 0.9 + 0.8 * (SLOW_S - FAST_S)
    panel.show("sorting")
    assert led.state
    panel.close()


def test_closing_stops_the_feeder_and_the_led_and_lets_go_of_every_pin_and_may_be_done_twice(
    wired, pins
):
    panel = GpioPanel(wired, pins)
    panel.feed(True)
    panel.show("fault")
    panel.close()
    panel.close()
    assert [pins.pin(pin).states[-1].state for pin in (FEEDER, LED)] == [False, False]
    assert {pins.pin(pin).function for pin in (FEEDER, LED, STOP, BEAM, DROP)} == {"input"}
    GpioPanel(wired, pins).close()


def test_after_closing_nothing_is_switched_any_more(wired, pins):
    panel = GpioPanel(wired, pins)
    panel.close()
    panel.feed(True)
    panel.show("sorting")
    assert [pins.pin(pin).states[-1].state for pin in (FEEDER, LED)] == [False, False]


def test_the_chip_that_was_opened_for_it_is_closed_again(wired, pins, monkeypatch):
    class OwnPins(MockFactory):
        closed = False

        def close(self):
            super().close()
            self.closed = True

    own = OwnPins()
    monkeypatch.setattr("coinsorter.hardware.gpio_chip.open_pin_factory", lambda: own)
    panel = GpioPanel(wired)
    assert not own.closed
    panel.close()
    assert own.closed

    own.closed = False
    holder = DigitalOutputDevice(STOP, pin_factory=own)
    with pytest.raises(FlapError, match=r"panel.stop_pin"):
        GpioPanel(wired)
    assert own.closed
    holder.close()


def test_without_any_pin_nothing_is_opened_and_nothing_is_ever_reported(config, monkeypatch):
    monkeypatch.setitem(sys.modules, "lgpio", None)
    panel = GpioPanel(config)
    panel.feed(True)
    panel.show("fault")
    assert (panel.count_presses(), panel.count_beam_breaks(), panel.count_drops("bit_10")) == (
        0,
        0,
        0,
    )
    panel.close()


def test_with_pins_but_without_a_pi_the_message_says_what_to_install(wired, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "lgpio", None)
    monkeypatch.setenv("LG_WD", str(tmp_path))
    with pytest.raises(FlapError, match="lgpio is not installed"):
        GpioPanel(wired)


@pytest.mark.parametrize(
    "pin, option",
    [
        (FEEDER, "panel.feeder_pin"),
        (LED, "panel.status_led_pin"),
        (BEAM, "panel.beam_pin"),
        (STOP, "panel.stop_pin"),
        (DROP, r"bins\[2\].flap.drop_pin"),
    ],
)
def test_a_pin_in_use_is_named_by_its_option_and_the_others_are_let_go(wired, pins, pin, option):
    holder = DigitalOutputDevice(pin, pin_factory=pins)
    with pytest.raises(
        FlapError, match=f"{option}: GPIO {pin} cannot be opened: .*; is another program using it"
    ):
        GpioPanel(wired, pins)
    holder.close()
    GpioPanel(wired, pins).close()


@pytest.mark.parametrize(
    "pin, option, call",
    [
        (FEEDER, "panel.feeder_pin", lambda p: p.feed(True)),
        (LED, "panel.status_led_pin", lambda p: p.show("sorting")),
    ],
)
def test_an_output_that_fails_is_named_and_keeps_the_other_from_nothing(
    pins, panel, pin, option, call
):
    panel.feed(True)
    panel.show("sorting")
    pins.pin(pin).__class__ = BrokenPin
    with pytest.raises(
        FlapError, match=f"{option} cannot be switched: no such chip; check the wiring"
    ):
        call(panel)
    panel.close()
    assert not pins.pin(LED if pin == FEEDER else FEEDER).state
