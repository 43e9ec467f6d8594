"""bundle_arrays: arrays of known names, kinds and sizes are read, and nothing else unpacks."""

import io
import pickle
import struct
import zipfile

import numpy as np
import pytest

from coinsorter.recognition.bundle_arrays import (
    EMBEDDING_RULES,
    GOLDEN_RULES,
    RELIEF_RULES,
    ArrayRule,
    read_arrays,
)
from coinsorter.recognition.bundle_files import EMBEDDING, GOLDEN, RELIEFS
from tests.conftest import BRL, CROWNS, EURO

RULES = {"a": ArrayRule(("<f4",), 2), "b": ArrayRule(("<i8",), 0, may_be_missing=True)}
LIMIT = 1_000_000


def save(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def pack(members: dict[str, bytes], method=zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def make_npy(header: bytes, values: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + values


def describe(kind="<f4", shape=b"(1, 1)", values=bytes(4)) -> bytes:
    header = b"{'descr': '%b', 'fortran_order': False, 'shape': %b, }\n"
    return make_npy(header % (kind.encode(), shape), values)


FLOATS = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize("array", [FLOATS, np.asfortranarray(FLOATS), FLOATS[:0]])
def test_arrays_come_back_as_numpy_wrote_them(array):
    stored = read_arrays(save(a=array, b=np.int64(7)), RULES, LIMIT)
    assert (stored["a"] == array).all() and stored["a"].shape == array.shape
    assert stored["b"] == 7 and "b" not in read_arrays(save(a=array), RULES, LIMIT)


@pytest.mark.parametrize(
    "path, rules",
    [
        *((bundle / GOLDEN, GOLDEN_RULES) for bundle in (CROWNS, BRL, EURO)),
        *((bundle / RELIEFS, RELIEF_RULES) for bundle in (BRL, EURO)),
        *((bundle / EMBEDDING, EMBEDDING_RULES) for bundle in (BRL, EURO)),
    ],
)
def test_the_files_of_shipped_bundles_are_read_as_numpy_reads_them(path, rules):
    stored = read_arrays(path.read_bytes(), rules, 8_000_000)
    with np.load(path) as expected:
        assert set(stored) == set(expected)
        assert all((stored[key] == expected[key]).all() for key in stored)


def test_the_limit_is_that_of_all_arrays_together():
    content = save(a=FLOATS)
    size = zipfile.ZipFile(io.BytesIO(content)).infolist()[0].file_size
    assert read_arrays(content, RULES, size)
    with pytest.raises(ValueError, match="larger than"):
        read_arrays(content, RULES, size - 1)


BOMB = pack({"a.npy": describe(shape=b"(50000, 10000)", values=bytes(2_000_000))})
SHORT = describe(shape=b"(999999999, 999999999)")
CODE = make_npy(b"{'descr': '|O', 'fortran_order': False, 'shape': (1, 1), }\n", pickle.dumps(1))
HOSTILE = {
    "empty": (b"", "no .npz file"),
    "words": (b"words" * 100, "no .npz file"),
    "torn": (save(a=FLOATS)[:-30], "no .npz file"),
    "with a comment": (save(a=FLOATS)[:-2] + b"\x05\x00hello", "no .npz file"),
    "of nothing": (pack({}), "a is missing"),
    "of many files": (pack({f"{n}.npy": b"" for n in range(200)}), "too many files"),
    "of an unknown array": (save(a=FLOATS, c=FLOATS), "other arrays"),
    "that would leave the folder": (pack({"a.npy": describe(), "../b.npy": b""}), "other arrays"),
    "of one array under two names": (pack({"a.npy": describe(), "a": b""}), "other arrays"),
    "that unpacks to more": (BOMB, "larger than 1 MB"),
    "packed with LZMA": (pack({"a.npy": describe()}, zipfile.ZIP_LZMA), "in another way"),
    "of a huge shape": (pack({"a.npy": SHORT}), "not what its shape takes"),
    "of more values than its shape": (pack({"a.npy": describe(values=bytes(8))}), "shape takes"),
    "of code": (pack({"a.npy": CODE}), "no array as NumPy writes it"),
    "of text": (save(a=np.array([["x"]])), "no array as NumPy|<U1"),
    "of another kind": (save(a=FLOATS.astype(np.float64)), "a is <f8 with 2 dimensions"),
    "of other dimensions": (save(a=FLOATS[0]), "a is <f4 with 1 dimensions"),
    "of no numbers": (save(a=FLOATS * np.nan), "no numbers"),
    "with no header": (pack({"a.npy": b"\x93NUMPY\x01\x00"}), "no array as NumPy"),
    "with a nested header": (pack({"a.npy": make_npy(b"(" * 60_000)}), "no array as NumPy"),
    "of a folder": (pack({"a.npy/": b""}), "a is missing"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_file_that_is_not_what_it_should_be_is_refused_with_its_reason(kind):
    content, complaint = HOSTILE[kind]
    with pytest.raises(ValueError, match=complaint):
        read_arrays(content, RULES, LIMIT)


def test_whatever_byte_is_altered_nothing_but_a_value_error_comes_of_it():
    content = save(a=FLOATS, b=np.int64(7))
    rng = np.random.default_rng(1)
    refused = 0
    for _ in range(1000):
        altered = bytearray(content)
        altered[rng.integers(len(altered))] = rng.integers(256)
        try:
            read_arrays(bytes(altered), RULES, LIMIT)
        except ValueError:
            refused += 1
    assert refused > 500
