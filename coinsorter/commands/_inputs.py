"""What several commands read first: the bundle that fits config.yaml, and the bins by name."""

from pathlib import Path
from typing import TYPE_CHECKING

from coinsorter.config.load import format_mistakes, read_config
from coinsorter.config.schema import Config
from coinsorter.errors import ConfigError, InputError

if TYPE_CHECKING:
    from coinsorter.recognition.bundle import Bundle


def select_bins(settings: Config, wanted: list[str]) -> list[str]:
    """The bins that the command line names; all bins where it names none.

    Raises InputError naming one that is not in config.yaml.
    """
    names = [bin_.name for bin_ in settings.bins]
    for name in wanted:
        if name not in names:
            raise InputError(f"{name}: no such bin; there are {', '.join(names)}")
    return wanted or names


def load_matching_bundle(settings: Config, config_path: Path) -> "Bundle":
    """The bundle that config.yaml names.

    Raises ConfigError where bins ask for labels that the bundle does not have.
    """
    from coinsorter.recognition.bundle import load_bundle

    bundle = load_bundle(config_path.parent / settings.runtime.bundle)
    _, mistakes = read_config(config_path, bundle.labels)
    if mistakes:
        raise ConfigError("\n".join(format_mistakes(config_path, mistakes)))
    return bundle
