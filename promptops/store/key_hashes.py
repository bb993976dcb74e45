"""Hashes of the keys of the runs in a DuckDB file, so that a question asked for the first time is
known to be new without opening the file, which takes ten times as long as everything else.

They hold for one state of the file: whatever writes it makes them worth nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

__all__ = ["KeyHashes"]

MOST = 100_000  # runs: more keys would take more than ten megabytes
_PER_LOOK = 10_000  # keys that are read in about the time of one look into the file


class KeyHashes:
    """state: whatever changes with the file. They are read once enough questions came since it
    changed that reading them pays.
    """

    def __init__(self) -> None:
        self._state: object = None
        self._asked, self._rows = 0, 0
        self._hashes: frozenset[int] | None = None

    def lack(
        self,
        keys: Iterable[str],
        state: object,
        count: Callable[[], int],
        read: Callable[[], Sequence[tuple[str]]],
    ) -> bool:
        """Whether surely none of the keys is in the file in this state. count, read: of the keys
        in it.
        """
        if state != self._state:
            self._state, self._asked, self._hashes = state, 0, None
        if self._hashes is None:
            self._asked += 1
            if self._asked < 3:  # the first questions count nothing, since most are the last, too
                return False
            if self._asked == 3:
                self._rows = count()
            if self._rows > MOST or self._asked < 3 + self._rows // _PER_LOOK:
                return False
            self._hashes = frozenset(hash(key) for (key,) in read())
        return all(hash(key) not in self._hashes for key in keys)
