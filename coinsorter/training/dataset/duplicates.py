"""Which images repeat another one: equal pixel by pixel, or nearly so."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

#: Bits. Copies that were saved again, made smaller or brighter differ by 2 to 24 bits; the nearest
#: images of different labels by 36 in brl-frames/day1, 34 in euro-crops, 28 in krw-crops. A hash of
#: 64 bits had 2 to 6.
NEAR_BITS = 20


@dataclass(frozen=True)
class Duplicate:
    """An image that is one too many.

    of: the index of the image it repeats.
    bits: the Hamming distance of their perceptual hashes; None where they are equal.
    """

    of: int
    bits: int | None = None


def find_exact(digests: Sequence[str], labels: Sequence[str]) -> dict[int, Duplicate]:
    """By index, the images that repeat an earlier one.

    Where equal images have different labels, no label can be trusted: all of them are duplicates.
    """
    by_digest = defaultdict(list)
    for index, digest in enumerate(digests):
        by_digest[digest].append(index)
    duplicates = {}
    for equal in by_digest.values():
        for index in equal:
            rivals = [other for other in equal if labels[other] != labels[index]]
            if rivals or index != equal[0]:
                duplicates[index] = Duplicate((rivals or equal)[0])
    return duplicates


def find_near(
    hashes: Sequence[str],
    labels: Sequence[str],
    bits: int,
    report: Callable[[int], None],
) -> dict[int, Duplicate]:
    """By index, the images whose hash is within so many bits of an earlier one of their label.

    An earlier one counts only if it is no duplicate itself. hashes: in hexadecimal, all of one
    length; "" resembles nothing. report: called with the number of images that are done.
    """
    known = _KnownHashes(hashes, labels)
    duplicates = {}
    for index, (digits, label) in enumerate(zip(hashes, labels)):
        report(index + 1)
        if not digits:
            continue
        code = np.frombuffer(bytes.fromhex(digits), np.uint8)[None]
        nearest = known.find_nearest(label, code)
        if nearest and nearest.bits is not None and nearest.bits <= bits:
            duplicates[index] = nearest
        else:
            known.add(label, index, code)
    return duplicates


class _KnownHashes:
    """Perceptual hashes by label, as uint8 rows that OpenCV compares at once."""

    def __init__(self, hashes: Sequence[str], labels: Sequence[str]) -> None:
        width = max(map(len, hashes), default=0) // 2
        self._indices: dict[str, list[int]] = defaultdict(list)
        self._codes = {
            label: np.empty((count, width), np.uint8) for label, count in Counter(labels).items()
        }

    def find_nearest(self, label: str, code: np.ndarray) -> Duplicate | None:
        indices = self._indices[label]
        if not indices:
            return None
        codes = self._codes[label][: len(indices)]
        distances, places = cv2.batchDistance(
            code, codes, cv2.CV_32S, normType=cv2.NORM_HAMMING, K=1
        )
        return Duplicate(indices[places[0, 0]], int(distances[0, 0]))

    def add(self, label: str, index: int, code: np.ndarray) -> None:
        indices = self._indices[label]
        self._codes[label][len(indices)] = code
        indices.append(index)
