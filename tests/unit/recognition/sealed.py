"""Bundles that are changed and sealed again, as one who means the change would."""

import hashlib
from pathlib import Path
from typing import Any

import yaml

from coinsorter.recognition.bundle_files import MANIFEST
from coinsorter.recognition.seal import write_seal


def read_facts(folder: Path) -> dict[str, Any]:
    return yaml.safe_load((folder / MANIFEST).read_text())


def write_sealed(folder: Path, facts: dict[str, Any]) -> None:
    """Write bundle.yaml and its seal, whatever sense it makes."""
    text = yaml.safe_dump(facts, sort_keys=False).encode()
    (folder / MANIFEST).write_bytes(text)
    write_seal(folder, text)


def replace_sealed(folder: Path, name: str, content: bytes) -> None:
    """Replace one of a bundle's files, its hash and the seal."""
    (folder / name).write_bytes(content)
    facts = read_facts(folder)
    facts["files"][name] = hashlib.sha256(content).hexdigest()
    write_sealed(folder, facts)
