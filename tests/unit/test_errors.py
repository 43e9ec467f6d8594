"""errors: each failure has a sentence of its own and an exit status that systemd understands."""

import pytest

from coinsorter import errors

CLASSES = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.CoinsorterError)
]


@pytest.mark.parametrize("kind", CLASSES)
def test_a_failure_is_one_sentence_and_an_exit_status(kind):
    assert kind.__doc__.splitlines()[0].endswith((".", ";", ":")) or "." in kind.__doc__
    assert 0 < kind.exit_code < 128


@pytest.mark.parametrize("kind", [errors.ConfigError, errors.BundleError])
def test_what_no_restart_mends_has_the_status_that_the_unit_does_not_restart(kind):
    assert kind.exit_code == 78


def test_every_failure_can_be_caught_at_once():
    for kind in CLASSES:
        with pytest.raises(errors.CoinsorterError):
            raise kind("what, where and what to do")
