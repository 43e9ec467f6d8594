"""Which pictures show what another one shows already: equal pixel by pixel, or nearly so."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Duplicate:
    """A picture that is one too many. of: the index of the one it repeats. bits: how far their perceptual hashes are apart; None: equal."""

    of: int
    bits: int | None = None


def exact(digests: Sequence[str], labels: Sequence[str]) -> dict[int, Duplicate]:
    """By index, the pictures that repeat an earlier one; where equal pictures have different labels no label can be trusted: all of them."""
    equal = defaultdict(list)
    for i, digest in enumerate(digests):
        equal[digest].append(i)
    found = {}
    for same in equal.values():
        for i in same:
            rivals = [j for j in same if labels[j] != labels[i]]
            if rivals or i != same[0]:
                found[i] = Duplicate((rivals or same)[0])
    return found


def near(
    hashes: Sequence[str], labels: Sequence[str], bits: int, tell: Callable[[int], None]
) -> dict[int, Duplicate]:
    """By index, the pictures whose hash is within so many bits of that of an earlier one of their label that is none itself.

    hashes: in hexadecimal, all of one length; "" is like nothing. tell hears how many are done.
    """
    kept: dict[str, list[int]] = defaultdict(list)
    width = max(map(len, hashes), default=0) // 2
    codes = {label: np.empty((count, width), np.uint8) for label, count in Counter(labels).items()}
    found = {}
    for i, (digits, label) in enumerate(zip(hashes, labels)):
        tell(i + 1)
        if not digits:
            continue
        own, earlier = np.frombuffer(bytes.fromhex(digits), np.uint8)[None], kept[label]
        if earlier:
            apart, place = cv2.batchDistance(
                own, codes[label][: len(earlier)], cv2.CV_32S, normType=cv2.NORM_HAMMING, K=1
            )
            if apart[0, 0] <= bits:
                found[i] = Duplicate(earlier[place[0, 0]], int(apart[0, 0]))
                continue
        codes[label][len(earlier)] = own
        earlier.append(i)
    return found
