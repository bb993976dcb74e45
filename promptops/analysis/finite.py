"""What a statistic may be computed from: finite numbers, else one sentence that says which value is
not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import StatisticsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["counts", "finite", "share"]


def finite(values: object, what: str = "d") -> Floats:
    """One dimension of float64.

    Raises StatisticsError for NaN, infinity, text or another shape; an unknown score is never
    dropped here.
    """
    import numpy as np

    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise StatisticsError(
            f"{what} holds something that is not a number; pass a list of finite numbers."
        ) from None
    if array.ndim != 1:
        raise StatisticsError(
            f"{what} has {array.ndim} dimensions; expected one number per example."
        )
    wrong = np.flatnonzero(~np.isfinite(array))
    if len(wrong):
        raise StatisticsError(
            f"{what} holds {array[wrong[0]]} at place {wrong[0]}; an unknown score is left out as"
            " unscored and reported, never passed as NaN."
        )
    return array


def share(value: float, what: str = "level") -> float:
    """`value`, strictly between 0 and 1. Raises StatisticsError else."""
    if not 0 < value < 1:
        raise StatisticsError(
            f"{what} is {value!r}; expected a share between 0 and 1, such as 0.95."
        )
    return value


def counts(successes: int, n: int) -> tuple[int, int]:
    """(successes, n) as integers with 0 <= successes <= n. Raises StatisticsError else."""
    if not 0 <= successes <= n or int(successes) != successes or int(n) != n:
        raise StatisticsError(
            f"{successes!r} of {n!r} is not a count; expected whole numbers with 0 <= successes"
            f" <= n."
        )
    return int(successes), int(n)
