"""A call with wrong arguments raises a TypeError that names what the function accepts.

Python's own message counts arguments; a person wants to know which name was wrong, which are
accepted, and how the call is written. Types are compared only once a call has failed: what works
is never refused, and what fails for its type says so.
"""

from __future__ import annotations

import difflib
import functools
import inspect

from .errors import PromptOpsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")
    C = TypeVar("C", bound=type)

__all__ = ["explained", "explained_methods", "misfit"]


def explained(function: Callable[P, R]) -> Callable[P, R]:
    """The function, whose wrong calls explain themselves; its signature and docstring stay.

    Args:
        function: a public function or method with named parameters.

    Returns:
        The function to call in its place. It raises TypeError before anything runs if the
        arguments do not fit, and TypeError in place of another library's error if one of them is
        of a type that its annotation does not name.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            raise TypeError(misfit(function.__name__, signature, args, kwargs)) from None
        try:
            return function(*args, **kwargs)
        except PromptOpsError:
            raise
        except Exception as fault:
            if said := _wrong_type(function, bound):
                raise TypeError(said) from fault
            raise

    return call


def explained_methods(owner: C) -> C:
    """The class, each public method of which explains its wrong calls; properties stay."""
    for name, member in list(vars(owner).items()):
        bound = isinstance(member, classmethod)
        function = member.__func__ if bound else member
        if (
            name.startswith("_")
            or not inspect.isfunction(function)
            or hasattr(function, "__wrapped__")
        ):
            continue
        setattr(owner, name, classmethod(explained(function)) if bound else explained(function))
    return owner


def _wrong_type(function: Callable[P, R], bound: inspect.BoundArguments) -> str | None:
    from .argument_types import misfit_type

    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD, "self", "cls")
    given = {
        name: value
        for name, value in bound.arguments.items()
        if not {bound.signature.parameters[name].kind, name} & set(variable)
    }
    return misfit_type(function, given)


def misfit(
    name: str,
    signature: inspect.Signature,
    args: tuple[object, ...],
    kwargs: dict[str, object],
) -> str:
    """One sentence: what does not fit the signature, and what is accepted.

    Args:
        name: what the function is called.
        signature: what it accepts; a first parameter `self` is not counted.
        args: what was given by position, `self` included.
        kwargs: what was given by name.
    """
    parameters = [p for p in signature.parameters.values() if p.name not in ("self", "cls")]
    given = len(args) - (len(signature.parameters) - len(parameters))
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    named = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    accepted = ", ".join(
        [p.name for p in positional] + [f"{p.name}=" for p in named] or ["nothing"]
    )
    names = [p.name for p in positional + named]
    unknown = [key for key in kwargs if key not in names]
    if unknown:
        near = difflib.get_close_matches(unknown[0], names, 1, 0.6)
        near = near or [own for own in names if own.startswith(f"{unknown[0]}_")][:1]
        hint = f"did you mean {near[0]}=? " if near else ""
        return f"{name}() has no parameter {unknown[0]!r}; {hint}it accepts {accepted}."
    if given > len(positional):
        required = [p.name for p in named if p.default is p.empty] or [p.name for p in named]
        shown = ", ".join([p.name for p in positional] + [f"{own}=..." for own in required[:2]])
        limit = f"only {' and '.join(p.name for p in positional)}" if positional else "nothing"
        return (
            f"{name}() takes {limit} by position; name the rest, as in {name}({shown}); it accepts"
            f" {accepted}."
        )
    twice = [p.name for p in positional[:given] if p.name in kwargs]
    if twice:
        return f"{name}() got {twice[0]} twice, by position and by name; give it once."
    missing = [
        p.name
        for p in [*positional[given:], *named]
        if p.default is p.empty and p.name not in kwargs
    ]
    return f"{name}() needs {' and '.join(missing)}; it accepts {accepted}."
