"""What a built-in scorer says of itself, once, beside its function: family, an example that runs,
and where its rule comes from. The catalogue is derived from these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

__all__ = ["Declaration", "Family", "declaration_of", "declared"]

Family = Literal["assertion", "semantic", "regression", "judge", "composition"]
_ATTRIBUTE = "declaration"
F = TypeVar("F", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Declaration:
    """family: what kind of rule it is; example: an expression over the names of
    `promptops.scorers`; output, given: what it is tried on with `try_out(example, output,
    **given)`; value: what it then gives, None if a model has to be asked; whole: whether it
    gives only 0 or 1; source: where the rule comes from.
    """

    family: Family
    example: str
    output: str
    value: float | None
    whole: bool = True
    source: str = "promptops"
    given: Mapping[str, object] = field(default_factory=dict)


def declared(
    family: Family,
    *,
    example: str,
    output: str,
    value: float | None,
    whole: bool = True,
    source: str = "promptops",
    given: Mapping[str, object] | None = None,
) -> Callable[[F], F]:
    """Declare the function below a scorer of the catalogue; see `Declaration`."""
    declaration = Declaration(family, example, output, value, whole, source, given or {})

    def mark(function: F) -> F:
        setattr(function, _ATTRIBUTE, declaration)
        return function

    return mark


def declaration_of(value: object) -> Declaration | None:
    """What a function was declared as; None if it is not a scorer of the catalogue."""
    found = getattr(value, _ATTRIBUTE, None) if callable(value) else None
    return found if isinstance(found, Declaration) else None
