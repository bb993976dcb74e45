"""A function as a scorer: what it answers, as scores in [0, 1]."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from ..markup import count
from ..score import Score
from .case import Case
from .function_version import FunctionVersion
from .isolated import IsolatedFunction
from .rule import Judged, snippet

__all__ = ["BatchFunctionScorer", "FunctionScorer"]

# words that a function may answer with; anything else is a label without a value
_ABOUT = frozenset({"label", "explanation", "reason", "passed"})  # beside "score" in a map
_WORDS = {
    **dict.fromkeys(("pass", "passed", "yes", "true", "correct", "good", "ok"), True),
    **dict.fromkeys(("fail", "failed", "no", "false", "incorrect", "wrong", "bad"), False),
}


@dataclass(frozen=True, slots=True)
class FunctionScorer:
    """A function as a scorer; calling it calls the function.

    It may wait, so the score phase gives it a watchdog. code: whose version it has; None if the
    user gave it one.
    """

    function: Callable[..., object] = field(compare=False, repr=False)  # its address says nothing
    name: str
    version: str
    arguments: tuple[str, ...]
    threshold: float | None = None
    needs: tuple[str, ...] = ()
    judges_failures: bool = False
    against: str | None = None
    labels: Mapping[str, float] | None = field(default=None, compare=False)
    kind: str = "user"
    remote: bool = True
    code: FunctionVersion | None = field(default=None, compare=False, repr=False)

    def as_it_is(self) -> Self:
        """The scorer under the version of what its function is now: a notebook may have edited a
        function that it calls, or a value that it reads, since it was made.
        """
        if self.code is None:
            return self
        function, isolated = self.function, isinstance(self.function, IsolatedFunction)
        own = function.function if isinstance(function, IsolatedFunction) else function
        version = f"s-{self.code.now(own)}"
        if version == self.version.partition("+")[0]:  # "+1": judged again where it failed
            return self
        # a process of its own still holds the old code
        now = IsolatedFunction(own, self.name) if isolated else own
        return replace(self, function=now, version=version)

    def score(self, case: Case) -> Judged:
        """What the function says of the case, as scores in [0, 1]; awaitable where the function is
        async.
        """
        result = self(**{name: getattr(case, name) for name in self.arguments})
        return self._later(result) if inspect.isawaitable(result) else self._read(result)

    async def _later(self, result: Awaitable[object]) -> Score | Sequence[Score]:
        return self._read(await result)

    def _read(self, result: object) -> Score | Sequence[Score]:
        if isinstance(result, Score):
            return self._held(result)
        if isinstance(result, Mapping) and "score" in result and result.keys() & _ABOUT:
            return self._about(result)
        if isinstance(result, Mapping):
            return [replace(self._one(value), name=str(name)) for name, value in result.items()]
        if (
            isinstance(result, (list, tuple))
            and result
            and all(isinstance(item, Score) for item in result)
        ):
            return [self._held(item) for item in result]
        return self._one(result)

    def _one(self, result: object) -> Score:
        if hasattr(result, "item") and not isinstance(result, Score):  # numpy's bool and numbers
            result = result.item()
        if isinstance(result, Score):
            return self._held(result)
        if isinstance(result, bool):
            return Score(float(result), result)
        if isinstance(result, (int, float)):
            return self._held(Score(float(result)))
        if isinstance(result, str):
            return self._label(result)
        if result is None:
            return Score.none(f"{self.name} gave no verdict (None)")
        raise TypeError(
            "a scorer gives bool, a number in [0, 1], text, Score or scores, not"
            f" {type(result).__name__}"
        )

    def _about(self, result: Mapping[str, object]) -> Score:
        """One score with its label and its explanation: {"score", "label", "explanation"}."""
        if unknown := sorted(map(str, result.keys() - _ABOUT - {"score"})):
            raise TypeError(
                f"a score in a map has the unknown key {unknown[0]!r}; the keys are score,"
                f" {', '.join(sorted(_ABOUT))}"
            )
        found = self._one(result["score"])
        reason = result.get("explanation", result.get("reason"))
        label = result.get("label")
        return replace(
            found,
            reason=found.reason if reason is None else str(reason),
            category=found.category if label is None else str(label),
            passed=found.passed if result.get("passed") is None else bool(result["passed"]),
        )

    def _label(self, label: str) -> Score:
        if self.labels is not None:
            if label not in self.labels:
                return Score(None, unscored=f"label {snippet(label)} has no value", category=label)
            return replace(self._held(Score(float(self.labels[label]))), category=label)
        word = _WORDS.get(label.strip().lower())
        if word is None:
            return Score(
                None,
                unscored="a label without a value: say @scorer(labels={label: value})",
                category=label,
            )
        return Score(float(word), word, category=label)

    def _held(self, score: Score) -> Score:
        if self.threshold is None or score.value is None or score.passed is not None:
            return score
        return replace(score, passed=score.value >= self.threshold)

    def __call__(self, *args: object, **kwargs: object) -> object:
        if self.code is None:
            return self.function(*args, **kwargs)
        return self.code.calling(lambda: self.function(*args, **kwargs))

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class BatchFunctionScorer(FunctionScorer):
    """A function of many answers at once: each argument is a list, and so is what it gives;
    implements `BatchScorer`.
    """

    def score(self, case: Case) -> Judged:
        """The verdict on one case, asked for as a batch of one."""
        found = self.score_many([case])
        return found[0] if isinstance(found, list) else self._first(found)

    def score_many(self, cases: Sequence[Case]) -> list[Score] | Awaitable[list[Score]]:
        """A score for each case, in order.

        Raises TypeError if the function gives another number of verdicts.
        """
        result = self(**{name: [getattr(case, name) for case in cases] for name in self.arguments})
        return (
            self._all_later(result, len(cases))
            if inspect.isawaitable(result)
            else self._all(result, len(cases))
        )

    async def _all_later(self, result: Awaitable[object], count: int) -> list[Score]:
        return self._all(await result, count)

    async def _first(self, found: Awaitable[list[Score]]) -> Score:
        return (await found)[0]

    def _all(self, result: Any, answers: int) -> list[Score]:
        verdicts = list(result)
        if len(verdicts) != answers:
            raise TypeError(
                f"{self.name} gave {count(len(verdicts), 'verdict')} on"
                f" {count(answers, 'answer')}; a batch scorer"
                " gives one for each."
            )
        return [self._one(verdict) for verdict in verdicts]
