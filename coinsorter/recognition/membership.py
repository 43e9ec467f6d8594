"""Whether something is one of the bundle's coins at all: the gate's logits -> log odds.

The gate is a network that was trained to separate genuine coins from all that training could show
it of other things. It is asked apart from the label: one posterior over the labels and a strong
"none of these" rejects genuine coins whose label alone is in doubt.
"""

from math import exp, log

import numpy as np


def compute_membership(logits: np.ndarray) -> float:
    """The natural logarithm of the odds that it is any of the labels, rather than none.

    logits: float (labels + 1,), the last of "none of these".
    """
    own: list[float] = logits[:-1].tolist()
    none_of_these = float(logits[-1])
    top = max(own)
    total = sum(exp(logit - top) for logit in own)
    return top + log(total) - none_of_these


def compare_labels(logits: np.ndarray, labels: int) -> np.ndarray:
    """What the gate says of each label beside the likeliest one: float32 (labels,), at most 0.

    logits: float32 (trained + 1,). Of labels that were taught to the bundle later it knows nothing,
    which tells for none of them and against none: 0.
    """
    trained = logits[:-1]
    compared = np.zeros(labels, np.float32)
    compared[: len(trained)] = trained - trained.max()
    return compared
