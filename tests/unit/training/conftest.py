"""What tests of training share."""

import pytest

from tests.conftest import needs_training, runner_of


@pytest.fixture
def command(capsys):
    """Runs `coinsorter-train`; returns its exit status, standard output and standard error."""
    needs_training()
    from coinsorter.training import train_cli

    return runner_of(train_cli.main, capsys)
