"""Your own scorers: any function, bound by the names of its arguments.

A function's version is the hash of its code, defaults and captured values: an edited function is
another version, and its scores are never mixed with the old ones.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypedDict, Unpack, overload

from ..errors import ScorerError
from ..markup import count
from ..score import Score
from ..signatures import explained
from .case import Case, Scorer
from .isolated import IsolatedFunction
from .rule import Judged, snippet

__all__ = ["FunctionScorer", "as_scorer", "scorer"]

ARGUMENTS = ("output", "example", "expected", "run", "reference")
_TAKEN = ", ".join(ARGUMENTS)
# words that a function may answer with; anything else is a label without a value
_ABOUT = frozenset({"label", "explanation", "reason", "passed"})  # beside "score" in a map
_WORDS = {
    **dict.fromkeys(("pass", "passed", "yes", "true", "correct", "good", "ok"), True),
    **dict.fromkeys(("fail", "failed", "no", "false", "incorrect", "wrong", "bad"), False),
}


@dataclass(frozen=True, slots=True)
class FunctionScorer:
    """A function as a scorer; calling it calls the function.

    It may wait, so the score phase gives it a watchdog.
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

    def score(self, case: Case) -> Judged:
        """What the function says of the case, as scores in [0, 1]; awaitable where the function is
        async.
        """
        result = self.function(**{name: getattr(case, name) for name in self.arguments})
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
        return self.function(*args, **kwargs)

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
        result = self.function(
            **{name: [getattr(case, name) for case in cases] for name in self.arguments}
        )
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


class ScorerOptions(TypedDict, total=False):
    """The keywords of the decorator `scorer`, as it documents them."""

    name: str | None
    version: str | None
    at_least: float | None
    labels: Mapping[str, float] | None
    needs: Sequence[str]
    against: str | None
    judges_failures: bool
    batch: bool
    isolated: bool


@overload
def scorer(function: Callable[..., object], /) -> FunctionScorer: ...


@overload
def scorer(
    **options: Unpack[ScorerOptions],
) -> Callable[[Callable[..., object]], FunctionScorer]: ...


def scorer(
    function: Callable[..., object] | None = None, /, **options: Unpack[ScorerOptions]
) -> FunctionScorer | Callable[[Callable[..., object]], FunctionScorer]:
    """Turn a function into a scorer: `@scorer`, or `@scorer(name=..., version=..., at_least=...,
    labels=...)`.

    The function takes any of output, example, expected, run, reference, and returns a bool, a
    number in [0, 1], a text label, a Score, several Scores, or a mapping of names to verdicts; it
    may be async.

    A call that takes too long is cancelled, and only its row is lost. This works for Python code
    and for waiting. C code that blocks the interpreter (a regular expression that backtracks)
    stops the whole process, and only a later warning can name it. With isolated=True, such code,
    and code that crashes the interpreter, also loses only its row; the scorer's version does not
    change. If another call blocked the loop of an async function, it is called again for that
    answer.

    Args:
        function: the function, if the decorator has no arguments.
        options: name, version and at_least (the lowest value that passes); labels (label -> value);
            needs, the columns that a row must have (`expected` is needed if it is an argument
            without default); against, the id of the version whose runs are `reference`;
            judges_failures, whether it judges answers that failed by the model's own fault; batch,
            whether its arguments are lists over many answers and it returns a list with a verdict
            for each; isolated, whether it runs in a separate process, on a copy of its arguments.
    """
    unknown = options.keys() - ScorerOptions.__annotations__.keys()
    if unknown:
        raise TypeError(
            f"@scorer has no option {min(unknown)!r}; its options are"
            f" {', '.join(ScorerOptions.__annotations__)}."
        )
    if function is not None:
        return _build(function, options)
    return lambda wrapped: _build(wrapped, options)


@explained
def as_scorer(obj: object) -> Scorer:
    """A scorer unchanged, or a function as a scorer, bound by its argument names.

    Raises ScorerError for anything else; the message lists what is accepted.
    """
    if isinstance(obj, type):
        raise ScorerError(f"{obj.__name__} is a class, not a scorer; pass an instance of it.")
    if isinstance(obj, Scorer):
        return obj
    if inspect.isfunction(obj) and obj.__module__.rpartition(".")[0] == __package__:
        name = obj.__name__
        raise ScorerError(f"{name} is a scorer factory: call it, e.g. {name}(...).")
    if not callable(obj):
        raise ScorerError(
            f"{obj!r} is not a scorer; pass a scorer or a function of output, expected, ..."
        )
    return _build(obj, {})


def _build(function: Callable[..., object], options: ScorerOptions) -> FunctionScorer:
    called: str = options.get("name") or str(getattr(function, "__name__", type(function).__name__))
    if called == "<lambda>":
        raise ScorerError(
            'a lambda has no name; give it one, as in scorer(name="is_short")(lambda output: ...).'
        )
    at_least, labels = options.get("at_least"), options.get("labels")
    if at_least is not None and not (isinstance(at_least, (int, float)) and 0 <= at_least <= 1):
        raise ScorerError(
            f"at_least={at_least!r} of {called} is not a threshold; give a number between 0 and 1."
        )
    wrong = [
        f"{label}: {value!r}" for label, value in (labels or {}).items() if not 0 <= value <= 1
    ]
    if wrong:
        raise ScorerError(
            f"labels of {called} have values outside [0, 1] ({wrong[0]}); scale them."
        )
    taken, needed = _arguments(function, called)
    build = BatchFunctionScorer if options.get("batch") else FunctionScorer
    return build(
        IsolatedFunction(function, called) if options.get("isolated") else function,
        called,
        options.get("version") or f"s-{identity_of(function, at_least, labels)}",
        taken,
        at_least,
        tuple(dict.fromkeys((*needed, *options.get("needs", ())))),
        options.get("judges_failures", False),
        options.get("against"),
        labels,
    )


def _arguments(
    function: Callable[..., object], called: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(arguments that are bound, columns that they need).

    Raises ScorerError for an argument that nobody could fill.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise ScorerError(
            f"{called} hides its arguments; wrap it in a function of output, expected, ..."
        ) from None
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return ARGUMENTS, ()
    taken, needed = [], []
    for parameter in parameters:
        free = (
            parameter.default is parameter.empty and parameter.kind is not parameter.VAR_POSITIONAL
        )
        known = parameter.name in ARGUMENTS and parameter.kind is not parameter.POSITIONAL_ONLY
        if known:
            taken.append(parameter.name)
            if parameter.name == "expected" and free:
                needed.append("expected")
        elif free:
            raise ScorerError(
                f"{called} takes {parameter.name!r}, which no scorer is given; it may take"
                f" {_TAKEN}."
            )
    if not taken:
        raise ScorerError(
            f"{called} takes no argument that a scorer is given; let it take any of {_TAKEN}."
        )
    return tuple(taken), tuple(needed)


def identity_of(
    function: Callable[..., object],
    at_least: float | None = None,
    labels: Mapping[str, float] | None = None,
) -> str:
    """8 hex digits over what it does: its code, defaults and captured values, and how its values
    are read.
    """
    # the built-in scorers need nothing that reads code
    from ..models.function_identity import identify

    found = identify(function, programs=False)
    parts = (found.digest, repr(at_least), repr(sorted((labels or {}).items())))
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:8]
