"""CSV cells of any length, without leaving a trace in the process: the csv module has one limit for
everybody, which is raised while a record is read and put back behind it.
"""

from __future__ import annotations

import csv
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

__all__ = ["LONGEST", "long_cells", "records"]

LONGEST = 1 << 27  # characters a cell may hold; the csv module refuses long documents at 131,072
_LOCK = threading.RLock()


@contextmanager
def long_cells() -> Iterator[None]:
    """Cells may be long within the block; the limit is the process's own again behind it."""
    with _LOCK:
        own = csv.field_size_limit()
        csv.field_size_limit(max(own, LONGEST))
        try:
            yield
        finally:
            csv.field_size_limit(own)


def records(lines: Iterable[str], delimiter: str, *, strict: bool = False) -> Iterator[list[str]]:
    """The records of a delimited text. Raises csv.Error."""
    reader = csv.reader(lines, delimiter=delimiter, strict=strict)
    while True:
        with long_cells():
            record = next(reader, None)
        if record is None:
            return
        yield record
