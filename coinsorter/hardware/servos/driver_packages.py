"""The Python packages that a servo driver needs, as setup.cfg names them."""

import re
from importlib import metadata


def list_missing_packages(driver: str) -> list[str]:
    """What pip has to install before a driver can be opened, as requirements.

    These are the requirements of the extra in setup.cfg that has the driver's name, without those
    that are installed.
    """
    requirements = _list_requirements(driver)
    return [requirement for requirement in requirements if not _is_installed(requirement)]


def _list_requirements(extra: str) -> list[str]:
    marker = f'extra == "{extra}"'
    lines = metadata.requires("coinsorter") or []
    return [line.partition(";")[0].strip() for line in lines if marker in line]


def _is_installed(requirement: str) -> bool:
    package = re.split(r"[^\w.-]", requirement)[0]
    try:
        metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return False
    return True
