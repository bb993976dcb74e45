"""The order in which a study asks its examples: shuffled, and fixed by the study's id before
anything is asked, so that a look at its beginning is a look at a random part of the dataset.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

__all__ = ["order"]


def order(study: str, ids: Sequence[str]) -> list[str]:
    """The shuffled order of a study's examples: the same on every machine, whatever the order of
    the rows.
    """
    out = sorted(ids)
    random.Random(study).shuffle(out)
    return out
