"""One budget of a search over task, judge and proposer calls, outside the optimiser.

What counts is each distinct cell (version, example, repeat) and each proposal, whether it was asked
now or answered from the store, so that a resumed search walks the path of an uninterrupted one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..engine.budget import CHARACTERS_PER_TOKEN, counted
from ..errors import StudyError
from ..run import Run

__all__ = ["Allowance", "Cost", "Spending", "tokens_of"]

Cost = tuple[float, float]  # tokens, USD


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a search may spend. None: no limit."""

    calls: int | None = None
    tokens: int | None = None
    usd: float | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("calls", "tokens", "usd", "seconds"):
            value = getattr(self, name)
            if value is None:
                continue
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            whole = name in ("calls", "tokens")
            if not number or not 0 < value < math.inf or (whole and value != int(value)):
                raise StudyError(
                    f"budget_{name} is {value!r}; give a number above 0"
                    f"{', a whole one' if whole else ''}, or leave it out."
                )
        if self.calls is None and self.tokens is None and self.usd is None and self.seconds is None:
            raise StudyError(
                "a search needs a budget; pass budget_calls=500, or budget_tokens, budget_usd or"
                " budget_s."
            )

    def document(self) -> dict[str, float | int]:
        """JSON-ready: the limits that there are."""
        named = {
            "calls": self.calls,
            "tokens": self.tokens,
            "usd": self.usd,
            "seconds": self.seconds,
        }
        return {name: value for name, value in named.items() if value is not None}


def tokens_of(run: Run, asked: int = 0) -> int:
    """What a call took, in and out; by its characters if the model reports no usage. asked:
    characters of the request.
    """
    if run.tokens_in is None and run.tokens_out is None:
        return (asked + len(run.output or "")) // CHARACTERS_PER_TOKEN
    return (run.tokens_in or 0) + (run.tokens_out or 0)


@dataclass(slots=True)
class Spending:
    """The ledger of one search. Used on one event loop; its figures may be read from any thread.

    calls: by role (task, judge, propose); usd and tokens: of all of them, as far as they are known.
    """

    allowance: Allowance
    clock: Callable[[], float] = time.monotonic
    calls: dict[str, int] = field(default_factory=dict)
    tokens: int = 0
    usd: float = 0.0
    exhausted: str = ""  # why nothing more is asked; "" while something may be
    began: float | None = None
    counted: set[tuple[str, str, int]] = field(default_factory=set)
    runs: set[str] = field(default_factory=set)
    dearest: dict[str, Cost] = field(default_factory=dict)  # version -> most that an answer took
    prices: Mapping[str, object] | None = None  # the project's
    judging: Cost = (0.0, 0.0)  # the most that one call of a judge took
    judged: int = 0  # calls of judges that were made: one that cannot be read is asked again

    @property
    def spent_calls(self) -> int:
        """Calls of all roles."""
        return sum(self.calls.values())

    @property
    def left(self) -> int | None:
        """Calls that may still be made; None if calls are not limited."""
        most = self.allowance.calls
        return None if most is None else max(0, most - self.spent_calls)

    @property
    def metered(self) -> bool:
        """Whether tokens or money are limited."""
        return self.allowance.tokens is not None or self.allowance.usd is not None

    def likely(self, version: str, characters: int, judges: int) -> Cost:
        """Of one more answer of a version and its judges: the most that one of it took. If there
        is none yet, by the characters of the request, and no less than the most of any other.
        """
        tokens, usd = self.dearest.get(version) or self._dearest_after(characters)
        return tokens + judges * self.judging[0], usd + judges * self.judging[1]

    def _dearest_after(self, characters: int) -> Cost:
        known = [*self.dearest.values()]
        most = max((tokens for tokens, _ in known), default=0.0)
        rate = max((usd / tokens for tokens, usd in known if tokens), default=0.0)
        tokens = max(most, characters / CHARACTERS_PER_TOKEN)
        return tokens, tokens * rate

    def fits(self, cost: Cost) -> bool:
        """Whether so much more is within the limits of tokens and money."""
        most = self.allowance
        return (most.tokens is None or self.tokens + cost[0] <= most.tokens) and (
            most.usd is None or self.usd + cost[1] <= most.usd
        )

    def exhaust(self, step: Cost) -> None:
        """The next step is likely to take more than there is."""
        most = self.allowance
        if most.tokens is not None and self.tokens + step[0] > most.tokens:
            wording = f"{self.tokens:,} of {most.tokens:,} tokens", f"{step[0]:,.0f}"
        else:
            wording = f"{self.usd:.4g} of {most.usd:g} USD", f"{step[1]:.2g}"
        self.exhausted = self.exhausted or (
            f"{wording[0]} are spent, and the next step is likely to take {wording[1]}."
        )

    def unjudged(self, judges: int) -> bool:
        """Whether calls are limited, and nobody knows yet how often judges are asked again."""
        return bool(judges) and self.left is not None and not self.calls.get("task")

    def calls_of(self, answers: int, before: int, judges: int) -> int:
        """Of so many answers, each with its judges, after others of the same step, whose judges may
        be asked again as often as those so far.
        """
        asked = self.calls.get("task", 0) - before
        again = max(0.0, self.judged / asked - judges) if asked > 0 else 0.0
        return answers * (1 + judges) + math.ceil((answers + before) * again)

    def may(self, calls: int) -> bool:
        """Whether so many calls more fit; where they do not, the search is exhausted."""
        if not self.exhausted and self.left is not None and calls > self.left:
            self.exhausted = (
                f"{self.spent_calls:,} of {self.allowance.calls:,} calls are spent, and the next"
                f" step takes {calls:,}."
            )
        return not self.look()

    def count(self, role: str, calls: int = 1) -> None:
        """So many calls of a role are made; fewer than 0 take back what was not asked."""
        if calls or role in self.calls:
            self.calls[role] = self.calls.get(role, 0) + calls
        if self.judged > self.calls.get("judge", 0):
            self.calls["judge"] = self.judged

    def pay(self, run: Run, asked: int = 0, role: str = "task") -> None:
        """What a run took: once for each run, replayed or not. asked: characters of the request,
        which replace the usage of a model that reports none: a limit counts it all the same.
        """
        if run.id in self.runs:
            return
        self.runs.add(run.id)
        tokens = tokens_of(run, asked)
        self.tokens += tokens
        usd = self._usd_of(run, asked)
        self.usd += usd
        if role == "task":
            self.dearest[run.version_id] = _most(self.dearest.get(run.version_id), tokens, usd)
        elif role == "judge":
            self.judging = _most(self.judging, tokens, usd)
            self.judged += 1
            self.count("judge", 0)

    def _usd_of(self, run: Run, asked: int) -> float:
        """What a run cost; by its characters if the model reports no usage, where money is limited:
        what is unknown is not free.
        """
        if run.cost_usd is not None or self.allowance.usd is None:
            return run.cost_usd or 0.0
        return counted(run, asked, self.prices)[0]

    @property
    def seconds_left(self) -> float | None:
        """Of the limit, which begins with the first look at it, or None."""
        most, now = self.allowance.seconds, self.clock()
        self.began = now if self.began is None else self.began
        return None if most is None else max(0.0, most - (now - self.began))

    def look(self) -> str:
        """Why nothing more may be asked; "" if something may."""
        if self.exhausted:
            return self.exhausted
        now, most = self.clock(), self.allowance
        self.began = now if self.began is None else self.began
        if most.tokens is not None and self.tokens >= most.tokens:
            self.exhausted = f"{self.tokens:,} of {most.tokens:,} tokens are spent."
        elif most.usd is not None and self.usd >= most.usd:
            self.exhausted = f"{self.usd:.4g} of {most.usd:g} USD are spent."
        elif most.seconds is not None and now - self.began >= most.seconds:
            self.exhausted = f"the {most.seconds:g} seconds are over."
        return self.exhausted


def _most(before: Cost | None, tokens: float, usd: float) -> Cost:
    known = before or (0.0, 0.0)
    return max(known[0], tokens), max(known[1], usd)
