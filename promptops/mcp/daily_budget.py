"""What agents may spend in a day (UTC): fixed by the person who starts the server, and counted in a
file beside the store, so that a restart does not begin again from zero.

Whatever is begun is reserved before it begins, and settled when it ends: a process that dies leaves
its reservation standing.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from pathlib import Path

from ..errors import Refused
from ..markup import count
from ..plain_file import read_plain
from ..registry.write_lock import locked
from ..run import utc

__all__ = ["DailyBudget", "BudgetLeft"]


@dataclass(frozen=True, slots=True)
class BudgetLeft:
    """What is left of today. usd: None if only calls are limited."""

    calls: int
    usd: float | None


@dataclass(frozen=True, slots=True)
class DailyBudget:
    """folder: where the days are counted; calls, usd: of one day; usd None: calls alone count."""

    folder: Path
    calls: int = 0
    usd: float | None = None

    def left(self) -> BudgetLeft:
        """What is left of today, reservations counted as spent."""
        calls, usd = self._spent()
        return BudgetLeft(
            max(self.calls - calls, 0), None if self.usd is None else max(self.usd - usd, 0.0)
        )

    def reserve(self, calls: int, what: str, author: str) -> tuple[str, BudgetLeft]:
        """Reserve calls, and all the money that is left: (the reservation, what it may spend).

        Raises Refused if the day has not so many calls left.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(str(self._path)):
            left = self.left()
            if calls > left.calls or (calls and left.usd == 0):
                money = "" if left.usd is None else f" and {left.usd:.4g} USD"
                raise Refused(
                    f"{what} needs {count(calls, 'call')}, and {left.calls:,}{money} are left of"
                    f" today's budget ({count(self.calls, 'call')}); next: ask fewer examples, use"
                    " answers that are recorded, or ask the person who started the server; only a"
                    " restart with --budget-calls or --budget-usd changes it."
                )
            id_ = uuid.uuid4().hex
            self._write(id_, calls, (left.usd or 0.0) if calls else 0.0, what, author)
        return id_, BudgetLeft(calls, left.usd)

    def raise_to(self, reservation: str, calls: int, usd: float, author: str) -> bool:
        """Whether one more call than was reserved so far is left today, which is then reserved."""
        with locked(str(self._path)):
            if self.left().calls < 1:
                return False
            self._write(reservation, calls, usd, "a retry", author)
        return True

    def settle(self, reservation: str, calls: int, usd: float, author: str) -> None:
        """What it came to."""
        with locked(str(self._path)):
            self._write(reservation, calls, usd, "settled", author)

    @property
    def _path(self) -> Path:
        return self.folder / f"{utc()[:10]}.jsonl"

    def _write(self, id_: str, calls: int, usd: float, what: str, author: str) -> None:
        row = {"id": id_, "at": utc(), "what": what, "by": author, "calls": calls, "usd": usd}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def _spent(self) -> tuple[int, float]:
        """Calls and USD of today; a line that cannot be read, or gives some back, counts as the
        whole budget.
        """
        try:
            lines = read_plain(self._path).splitlines()
        except FileNotFoundError:
            return 0, 0.0
        last: dict[str, tuple[int, float]] = {}
        for line in lines:
            try:
                row = json.loads(line)
                calls, usd = int(row["calls"]), float(row["usd"])
                if calls < 0 or not 0 <= usd < float("inf"):
                    raise ValueError
                last[str(row["id"])] = (calls, usd)
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
                return self.calls, self.usd or 0.0
        return sum(calls for calls, _ in last.values()), sum(usd for _, usd in last.values())
