"""Which bundle a machine uses: it is not replaced without `--force`."""

from pathlib import Path
from typing import Any

import yaml

from coinsorter.files.bounded import read_bounded
from coinsorter.files.ownership import Claim, is_same_file
from coinsorter.files.strict_yaml import load_yaml
from coinsorter.training.export.bundle_writer import BUNDLE_CLAIM

SETTINGS_NAME = "config.yaml"
#: Where `make install` puts the machine's settings.
INSTALLED_SETTINGS = Path("/etc/coinsorter/config.yaml")
#: Folders above a bundle in which its machine's settings may lie, as in models/crowns.
MAX_LEVELS_UP = 3
#: Bytes of a settings file; one of ours has 6 kB.
MAX_SETTINGS_BYTES = 1_000_000


def claim_bundle(out: Path, force: bool, *inputs: Path | None) -> Claim:
    """What a new bundle may take the place of: earlier ones that no machine uses.

    inputs: what it is made from. Raises InputError where a machine uses the bundle in `out`, unless
    by force.
    """
    claim = Claim(remedy=BUNDLE_CLAIM.remedy, force=force).spare(*inputs)
    user = None if force else find_settings_of(out)
    if user is not None:
        raise claim.refuse(out, f"is the bundle that {user} names")
    return claim


def find_settings_of(bundle: Path) -> Path | None:
    """The settings of a machine that uses a bundle; None where none is known."""
    places = [Path.cwd(), *bundle.resolve().parents[:MAX_LEVELS_UP]]
    for path in (*(place / SETTINGS_NAME for place in places), INSTALLED_SETTINGS):
        named = _read_bundle_name(path)
        if named is not None and bundle.exists() and is_same_file(path.parent / named, bundle):
            return path
    return None


def _read_bundle_name(path: Path) -> str | None:
    """What a settings file says of its bundle; None where it cannot be read."""
    try:
        settings: Any = load_yaml(read_bounded(path, MAX_SETTINGS_BYTES))
        return str(settings["runtime"]["bundle"])
    except (OSError, ValueError, yaml.YAMLError, TypeError, KeyError):
        return None
