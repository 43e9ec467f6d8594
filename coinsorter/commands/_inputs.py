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
    """The bundle that config.yaml names, tried in a process of its own where it is not known.

    Raises BundleError where it cannot be used, ConfigError where bins ask for labels that it does
    not have.
    """
    from coinsorter.recognition.bundle import load_bundle
    from coinsorter.recognition.runtime import pick_runtime
    from coinsorter.recognition.trial import ensure_tried

    runtime = settings.runtime
    bundle = load_bundle(config_path.parent / runtime.bundle)
    ensure_tried(bundle, pick_runtime(runtime.interpreter), runtime.turns_per_crop)
    _, mistakes = read_config(config_path, bundle.labels, bundle.crop)
    if mistakes:
        raise ConfigError("\n".join(format_mistakes(config_path, mistakes)))
    return bundle
