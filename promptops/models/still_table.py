"""A table of pandas, to be read while another thread may be adding columns to it.

What pandas itself reads of a frame goes by an index of its blocks, which is made where it is needed
and is written without a check: made while another thread adds a column, it is written beyond its
end, which ends the process. A frame is therefore taken apart as pickling does, where nothing is
made, and what is read is another one of the same blocks.
"""

from __future__ import annotations

import time
from typing import Any

__all__ = ["is_frame", "still_frame"]

_TRIES = 20
_PAUSE_S = 0.0005  # for the thread that is adding a column


def is_frame(value: object) -> bool:
    """Whether a value is a table of pandas."""
    kind = type(value)
    return (kind.__module__.partition(".")[0], kind.__name__) == ("pandas", "DataFrame")


def still_frame(frame: Any) -> Any:
    """A frame of the same columns that no other thread has. Raises RuntimeError, as a map that
    grows does, where the frame was never found whole.
    """
    for _ in range(_TRIES):
        make, given, state = frame.__reduce_ex__(4)[:3]
        kind, (blocks, axes) = state["_mgr"].__reduce_ex__(4)[:2]
        axes = list(axes)
        parts = [block.__reduce_ex__(4)[:2] for block in blocks]
        if _is_whole([held for _, held in parts], *map(len, axes)):
            made = make(*given)
            manager = kind(tuple(make_block(*held) for make_block, held in parts), axes)
            made.__setstate__({**state, "_mgr": manager})
            return made
        time.sleep(_PAUSE_S)
    raise RuntimeError("a table changed size during each reading")


def _is_whole(blocks: list[tuple[Any, Any, int]], columns: int, rows: int) -> bool:
    """Whether each column is in one block, and each block has all rows."""
    found: list[int] = []
    for values, at, _ in blocks:
        places = range(at.start, at.stop, at.step or 1) if isinstance(at, slice) else at.tolist()
        if values.shape[-1] != rows or len(places) != (values.shape[0] if values.ndim > 1 else 1):
            return False
        found += places
    return sorted(found) == list(range(columns))
