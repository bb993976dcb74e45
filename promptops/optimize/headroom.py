"""What there is to win, before a call is spent on searching: noise, the best constant answer, the
failures by class, and the smallest gain that the test split can show.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..analysis.words import percent
from ..score import Score
from ..scorers.case import Case, Scorer
from .halving import mean_of
from .task import Result, Task

__all__ = ["Headroom", "detectable", "look"]

_ROWS, _AGAIN = 64, 16  # val rows that the seed is asked, and those that it is asked twice
_SHARE = 5  # of the budget, at most: 1 in 5
_CONSTANTS = 5
_DISAGREE = 0.3  # share of the test rows on which two versions are taken to differ
_ADVICE = {
    "truncated_length": "raise max_tokens first: nothing that a prompt says brings the rest back",
    "content_filter_input": "ask the provider about its filter, or leave those rows out",
    "content_filter_output": "ask the provider about its filter, or leave those rows out",
    "context_length": "the requests are too long for this model",
    "render_error": "those rows lack a value that the prompt needs",
    "empty_output": "the model answers with nothing",
}


@dataclass(frozen=True, slots=True)
class Headroom:
    """n: val rows that the seed answered; score: its mean there; noise: share of the rows that were
    judged otherwise when asked again, of `again` rows; constant and constant_score: the best
    answer that is the same for every row; failures: class -> rows; detectable: the smallest gain
    that `test` rows show 80 % of the time, None if no gain does.
    """

    n: int
    score: float
    noise: float = 0.0
    again: int = 0
    constant: str = ""
    constant_score: float | None = None
    failures: Mapping[str, int] = field(default_factory=dict)
    test: int = 0
    detectable: float | None = None

    def sentences(self) -> Iterator[str]:
        """What a person should know before the search is paid for."""
        for failure, count in self.failures.items():
            share = f"all {self.n}" if count == self.n else f"{count} of {self.n}"
            advice = _ADVICE.get(failure, "look at those answers first")
            yield f"{share} answers of the seed failed as {failure}: {advice}."
        yield f"The seed is right on {percent(self.score)} of {self.n} val rows."
        if self.again:
            yield f"Asked again, {percent(self.noise)} of {self.again} rows were judged otherwise."
        if self.constant_score is not None:
            beats = "which the seed does not beat" if self.score <= self.constant_score else "below"
            yield (
                f"The best constant answer, {self.constant[:60]!r}, is right on"
                f" {percent(self.constant_score)} of them, {beats}."
            )
        if self.detectable is None:
            yield f"The {self.test} test rows cannot show any gain: add rows before you search."
        else:
            yield (
                f"The {self.test} test rows show a gain of {100 * self.detectable:.0f} points or"
                " more 80 % of the time."
            )

    def __str__(self) -> str:
        return " ".join(self.sentences())


async def look(task: Task, primary: Scorer, test: int) -> Headroom | None:
    """Ask the seed some val rows; None if the budget does not allow one."""
    most = _ROWS if task.left is None else min(_ROWS, task.left // _SHARE)
    rows = list(task.val)[:most]
    first = (await task.ask([task.seed], rows))[task.seed.id] if rows else []
    if not first:
        return None
    twice = rows[:_AGAIN] if len(rows) == _ROWS else []
    again = (await task.ask([task.seed], twice, repeat=1))[task.seed.id] if twice else []
    other = sum(a.score != b.score for a, b in zip(first, again, strict=False))
    answer, score = _constant(task, primary, first)
    failed = Counter(r.run.failure for r in first if r.run.failure is not None)
    return Headroom(
        len(first),
        mean_of(first),
        other / len(again) if again else 0.0,
        len(again),
        answer,
        score,
        dict(failed.most_common()),
        test,
        detectable(test),
    )


def detectable(n: int) -> float | None:
    """The smallest gain, in steps of a point, that the exact test finds 80 % of the time on n rows
    of which 30 % differ; None if it finds none.
    """
    from ..analysis.power import exact_power

    for points in range(1, int(100 * _DISAGREE) + 1):
        gain = points / 100
        if exact_power((_DISAGREE + gain) / 2, (_DISAGREE - gain) / 2, n) >= 0.8:
            return gain
    return None


def _constant(task: Task, primary: Scorer, on: Sequence[Result]) -> tuple[str, float | None]:
    """The best of train's commonest golden answers as the answer to every row."""
    if primary.remote or primary.against is not None:
        return "", None
    counts = Counter(text for each in task.train if (text := task.golden_text(each)))
    best: tuple[str, float | None] = ("", None)
    for text, _ in counts.most_common(_CONSTANTS):
        cases = [
            Case(text, r.example, replace(r.run, output=text, failure=None, finish_reason="stop"))
            for r in on
        ]
        scores = [found.outcome for c in cases if isinstance(found := primary.score(c), Score)]
        given = [score for score in scores if score is not None]
        if given and (best[1] is None or sum(given) / len(given) > best[1]):
            best = text, sum(given) / len(given)
    return best
