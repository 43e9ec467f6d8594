"""The arrays in a bundle's .npz files, whoever made them: of known names, kinds and sizes only.

An .npz file is a ZIP of .npy files (numpy.org/devdocs/reference/generated/numpy.lib.format.html).
What it says of itself is checked before anything is unpacked, and nothing in it is executed.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

#: The end of a ZIP without a comment: its mark, and where the directory's size stands in it.
_END_BYTES = 22
_END_MARK = b"PK\x05\x06"
_DIRECTORY_SIZE = slice(12, 16)
#: Bytes of the directory of a ZIP: a file in it takes some 60.
_MAX_DIRECTORY_BYTES = 4096
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_IS_ENCRYPTED = 1

#: The beginning of an .npy file of version 1.0, and the bytes of its header's length.
_NPY_MARK = b"\x93NUMPY\x01\x00"
_LENGTH_BYTES = 2
#: The header as NumPy writes it.
_HEADER = re.compile(
    rb"\{'descr': '([<|][a-z][0-9]{1,2})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:[0-9]{1,9}, ?)*(?:[0-9]{1,9})?)\), \} *\n"
)


@dataclass(frozen=True)
class ArrayRule:
    """What an array has to be.

    kinds: NumPy's names of its dtype. dimensions: how many. may_be_nan: values may be missing.
    """

    kinds: tuple[str, ...]
    dimensions: int
    may_be_missing: bool = False
    may_be_nan: bool = False


FLOATS = ("<f4", "<f8")
INTEGERS = ("<i4", "<i8")

GOLDEN_RULES = {
    "crops": ArrayRule(("|u1",), 4),
    "logits": ArrayRule(FLOATS, 2),
    "errors": ArrayRule(FLOATS, 1),
    "blemishes": ArrayRule(FLOATS, 1, may_be_missing=True),
    "distances": ArrayRule(FLOATS, 2, may_be_missing=True),
    "memberships": ArrayRule(FLOATS, 1, may_be_missing=True),
}
RELIEF_RULES = {
    "spectra": ArrayRule(("|i1",), 4),
    "labels": ArrayRule(INTEGERS, 1),
    "projection": ArrayRule(FLOATS, 2),
    "step": ArrayRule(FLOATS, 0),
}
EMBEDDING_RULES = {
    "means": ArrayRule(FLOATS, 2),
    "whitening": ArrayRule(("<f2", *FLOATS), 2),
}


def read_arrays(
    content: bytes, rules: Mapping[str, ArrayRule], max_bytes: int
) -> dict[str, np.ndarray]:
    """The arrays in the content of an .npz file, by their names.

    max_bytes: of all arrays together. Raises ValueError where the file holds other arrays than the
    rules ask for, larger ones, or numbers that are not finite.
    """
    _check_directory(content)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = _list_members(archive, rules, max_bytes)
            files = {name: _unpack(archive, member) for name, member in members.items()}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
        raise ValueError(f"it is no whole .npz file: {error}") from error
    return {name: _read_array(name, file, rules[name]) for name, file in files.items()}


def _check_directory(content: bytes) -> None:
    """Raises ValueError unless the content ends like a ZIP of a few files."""
    end = content[-_END_BYTES:]
    if not end.startswith(_END_MARK):
        raise ValueError("it is no .npz file, or its end is missing")
    size = int.from_bytes(end[_DIRECTORY_SIZE], "little")
    if size > _MAX_DIRECTORY_BYTES:
        raise ValueError("it holds too many files")


def _list_members(
    archive: zipfile.ZipFile, rules: Mapping[str, ArrayRule], max_bytes: int
) -> dict[str, zipfile.ZipInfo]:
    """The archive's files by the names of their arrays."""
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    needed = {name for name, rule in rules.items() if not rule.may_be_missing}
    missing = sorted(needed - set(members))
    if missing:
        raise ValueError(f"{missing[0]} is missing")
    if len(members) < len(archive.infolist()) or set(members) - set(rules):
        raise ValueError("it holds other arrays than those of a bundle")
    infos = members.values()
    if any(info.compress_type not in _METHODS or info.flag_bits & _IS_ENCRYPTED for info in infos):
        raise ValueError("it is packed in another way than NumPy packs")
    if sum(info.file_size for info in infos) > max_bytes:
        raise ValueError(f"its arrays are larger than {max_bytes / 1e6:g} MB")
    return members


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with archive.open(member) as file:
        return file.read(member.file_size)  # zipfile unpacks no more than that


def _read_array(name: str, file: bytes, rule: ArrayRule) -> np.ndarray:
    """The array in the content of an .npy file."""
    start = len(_NPY_MARK) + _LENGTH_BYTES
    length = int.from_bytes(file[len(_NPY_MARK) : start], "little")
    header = _HEADER.fullmatch(file[start : start + length])
    if not file.startswith(_NPY_MARK) or header is None:
        raise ValueError(f"{name} is no array as NumPy writes it")
    kind = header[1].decode()
    shape = tuple(int(edge) for edge in header[3].split(b",") if edge.strip())
    if kind not in rule.kinds or len(shape) != rule.dimensions:
        raise ValueError(f"{name} is {kind} with {len(shape)} dimensions")
    values = file[start + length :]
    if len(values) != prod(shape) * np.dtype(kind).itemsize:
        raise ValueError(f"{name} has {len(values)} bytes, which is not what its shape takes")
    is_by_column = header[2] == b"True"
    array: np.ndarray
    array = np.frombuffer(values, kind).reshape(shape, order="F" if is_by_column else "C").copy()
    if not rule.may_be_nan and not np.isfinite(array).all():
        raise ValueError(f"{name} has values that are no numbers")
    return array
