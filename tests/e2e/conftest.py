"""What tests of whole programs share with those of commands."""

from tests.unit.commands.conftest import photographs, simulated_run

__all__ = ["photographs", "simulated_run"]
