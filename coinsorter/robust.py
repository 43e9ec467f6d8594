"""What a count proves of the share behind it."""

from scipy.stats import beta


def highest(count: int, of: int, level: float) -> float:
    """The highest share that `count` of `of` is compatible with, at a one-sided confidence level: Clopper and Pearson's bound (1934)."""
    return float(beta.ppf(level, count + 1, of - count)) if count < of else 1.0
