"""Your own scorers: any function, bound by the names of its arguments.

A function's version is the hash of its code, defaults and captured values: an edited function is
another version, and its scores are never mixed with the old ones.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict, Unpack, overload

from ..errors import ScorerError
from ..signatures import explained
from .case import Scorer
from .function_scorer import BatchFunctionScorer, FunctionScorer
from .function_version import FunctionVersion
from .isolated import IsolatedFunction
from .rule import Rule

__all__ = ["FunctionScorer", "as_scorer", "scorer"]

ARGUMENTS = ("output", "example", "expected", "run", "reference")
_TAKEN = ", ".join(ARGUMENTS)


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
    """A scorer under the version of what it does now, or a function as a scorer, bound by its
    argument names.

    Raises ScorerError for anything else; the message lists what is accepted.
    """
    if isinstance(obj, type):
        raise ScorerError(f"{obj.__name__} is a class, not a scorer; pass an instance of it.")
    if isinstance(obj, (FunctionScorer, Rule)):
        return obj.as_it_is()
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
    code = (
        FunctionVersion(function, at_least, labels) if options else FunctionVersion.known(function)
    )
    build = BatchFunctionScorer if options.get("batch") else FunctionScorer
    return build(
        IsolatedFunction(function, called) if options.get("isolated") else function,
        called,
        options.get("version") or f"s-{code.now(function)}",
        taken,
        at_least,
        tuple(dict.fromkeys((*needed, *options.get("needs", ())))),
        options.get("judges_failures", False),
        options.get("against"),
        labels,
        code=None if options.get("version") else code,
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
