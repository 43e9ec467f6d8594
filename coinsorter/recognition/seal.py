"""The seal of a bundle: the SHA-256 of bundle.yaml and of its parts, in a file beside it.

bundle.yaml has the SHA-256 of every other file, so that the seal's digest stands for the whole
bundle: the ledger and the reports name it. `sha256sum -c bundle.sha256` checks it, too. A seal
shows what was damaged, or altered since it was checked; it does not say who made a bundle.
"""

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import yaml
from yaml.error import MarkedYAMLError

from coinsorter.errors import BundleError
from coinsorter.files.atomic import replace_file
from coinsorter.files.ownership import Claim, recognize_start
from coinsorter.files.strict_yaml import load_yaml
from coinsorter.recognition.bundle_files import MANIFEST, SEAL, read_bundle_file

#: The bundles that come with this program, by the SHA-256 of their bundle.yaml: they need no seal
#: beside them, and are not tried again before they are used.
SHIPPED_DIGESTS = frozenset(
    {
        "c89c0b8837284bdad7cc9ab0456c5956dd0546ef46e32d840be451cebba1c516",  # crowns
        "efd73ab6ef1b41ee7d1b75c8c7d8d87be15f26d56601365508caaca6b4d66010",  # brl
        "f6ef3f03ef01b4cfd476db096338c6124fe9e53828863b22d7792104012d40c4",  # euro
    }
)

#: Hexadecimal digits that are kept of each part's SHA-256: they only tell which part was altered.
PART_DIGITS = 12

_HEADER = (
    "# The seal of this bundle: `sha256sum -c bundle.sha256` checks it. After a change of\n"
    "# bundle.yaml on purpose, `coinsorter seal FOLDER` checks the bundle and makes a new one.\n"
)
#: A seal takes the place of an earlier one only.
_CLAIM = Claim(recognize_start(b"# The seal of this bundle"), "move it away")
_DIGEST_LINE = re.compile(rf"([0-9a-f]{{64}}) [ *]{re.escape(MANIFEST)}")
_PART_LINE = re.compile(rf"# part (\S+) ([0-9a-f]{{{PART_DIGITS}}})")


def compute_digest(text: bytes) -> str:
    """The SHA-256 of a bundle.yaml, in hexadecimal digits."""
    return hashlib.sha256(text).hexdigest()


def write_seal(folder: Path, text: bytes) -> None:
    """Write the seal of a bundle whose bundle.yaml is `text`. Raises OSError."""
    parts = [f"# part {name} {digits}\n" for name, digits in _hash_parts(text).items()]
    digest_line = f"{compute_digest(text)}  {MANIFEST}\n"
    if (folder / SEAL).is_symlink():
        (folder / SEAL).unlink()
    with replace_file(folder / SEAL, _CLAIM) as new, new.open("w", encoding="utf-8") as file:
        file.writelines([_HEADER, digest_line, *parts])
        file.flush()
        os.fsync(file.fileno())


def check_seal(folder: Path, text: bytes) -> None:
    """Check that a bundle's seal is that of its bundle.yaml.

    text: the content of bundle.yaml. Raises BundleError that names the parts that were altered.
    """
    digest = compute_digest(text)
    if digest in SHIPPED_DIGESTS:
        return
    if not os.path.lexists(folder / SEAL):
        raise BundleError(
            f"bundle {folder}: {MANIFEST} has no seal ({SEAL}), so nothing shows whether it was "
            f"altered; look through it, then run `coinsorter seal {folder}`"
        )
    sealed, parts = read_seal(folder)
    if digest != sealed:
        raise BundleError(
            f"bundle {folder}: {MANIFEST} is damaged or was altered "
            f"({name_changes(text, parts)}); copy the bundle again, or where you altered it "
            f"yourself, run `coinsorter seal {folder}`"
        )


def read_seal(folder: Path) -> tuple[str | None, dict[str, str]]:
    """What a seal says: the digest of bundle.yaml, None where it says none, and those of its parts.

    Raises BundleError where it cannot be read.
    """
    lines = read_bundle_file(folder, SEAL).decode("utf-8", "replace").splitlines()
    digests = [match[1] for match in map(_DIGEST_LINE.fullmatch, lines) if match]
    parts = {match[1]: match[2] for match in map(_PART_LINE.fullmatch, lines) if match}
    return digests[0] if len(digests) == 1 else None, parts


def name_changes(text: bytes, sealed_parts: dict[str, str]) -> str:
    """Which parts of a bundle.yaml are not as they were sealed, in words.

    sealed_parts: the digests of its parts, as `read_seal` returns them.
    """
    try:
        parts = _hash_parts(text)
    except (yaml.YAMLError, ValueError) as error:
        return f"it is not YAML: {describe_yaml_error(error)}"
    if not sealed_parts:
        return f"{SEAL} does not say in which part"
    names = [*parts, *(name for name in sealed_parts if name not in parts)]
    changed = [name for name in names if parts.get(name) != sealed_parts.get(name)]
    return ", ".join(changed) or "its spelling or the order of its parts"


def describe_yaml_error(error: yaml.YAMLError | ValueError) -> str:
    """What is wrong with a YAML text and in which line, without quoting what it holds there."""
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        return str(error).splitlines()[0]
    return f"line {error.problem_mark.line + 1}: {error.problem or error.context}"


def _hash_parts(text: bytes) -> dict[str, str]:
    """The digits of each part of a bundle.yaml, by its key. Raises yaml.YAMLError, ValueError."""
    content = load_yaml(text)
    if not isinstance(content, dict):
        raise ValueError("it has no keys")
    return {_shorten(name): _hash_value(value) for name, value in content.items()}


def _shorten(name: object) -> str:
    """A key as one word of letters: what it may be in a bundle that makes sense, and no escape."""
    return re.sub(r"\W", "_", str(name))[:40]


def _hash_value(value: Any) -> str:
    canonical = json.dumps(value, ensure_ascii=True)  # in the order of its keys
    return hashlib.sha256(canonical.encode()).hexdigest()[:PART_DIGITS]
