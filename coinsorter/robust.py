"""Statistics that outliers and small samples do not mislead."""

import numpy as np

#: Standard deviation of a normal distribution over its median absolute deviation: 1 / 0.67449
#: (Rousseeuw and Croux, 1993).
MAD_TO_STD = 1.4826


def mad_std(values: np.ndarray, center: float | None = None) -> float:
    """Standard deviation estimated by the median absolute deviation, which outliers hardly move.

    values: float (n,). center: what the deviations are from; None takes the median of the values.
    Where the true value is known (0 for errors, 1 for ratios), give it, or a common error is not
    counted.
    """
    if center is None:
        center = float(np.median(values))
    deviations = np.abs(values - center)
    median_deviation = float(np.median(deviations))
    return MAD_TO_STD * median_deviation


def clopper_pearson_upper(count: int, total: int, level: float) -> float:
    """Clopper-Pearson upper confidence bound of a proportion of which `count` of `total` were seen.

    level: one-sided confidence, 0..1 (Clopper and Pearson, 1934).
    """
    # Only training has SciPy. Its scipy.stats, which has the distribution by name, takes a second.
    from scipy.special import betaincinv

    if count >= total:
        return 1.0
    return float(betaincinv(count + 1, total - count, level))
