"""The catalogue: every built-in scorer with its signature, what it says, its range, where it comes
from, and an example that runs.

Every value is in [0, 1] and higher is better, for all of them. All of it is taken from the function
itself and its `declared(...)`, so that the catalogue cannot say what the code does not.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import get_args

from . import (
    assertion,
    chosen,
    composition,
    fields,
    ifeval,
    lengths,
    meaning,
    numbers,
    overlap,
    pairs,
    patterns,
    pii,
    rating,
    refusal,
    regression,
    retrieval,
    row_checks,
    semantic,
    structure,
    tools,
    usage,
)
from .declaration import Declaration, Family, declaration_of

__all__ = ["CATALOGUE", "Entry"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One scorer of the catalogue.

    family: "assertion" | "semantic" | "regression" | "judge" | "composition"; signature: as Python
    prints it; doc: the first paragraph of its docstring on one line; rule: the rest of it on one
    line, including the arguments; example: an expression with the names of `promptops.scorers`;
    output, given: the arguments of a trial, `try_out(example, output, **given)`; value: the result
    of that trial, None if it needs a model; range: "0 or 1" or "[0, 1]"; source: the origin of the
    rule. For every scorer, higher is better.
    """

    name: str
    family: str
    signature: str
    doc: str
    example: str
    output: str
    value: float | None
    range: str
    source: str
    given: Mapping[str, object] = field(default_factory=dict)
    direction: str = "higher is better"
    rule: str = ""


_MODULES = (
    assertion,
    lengths,
    patterns,
    structure,
    fields,
    numbers,
    chosen,
    refusal,
    usage,
    tools,
    pii,
    ifeval,
    row_checks,
    semantic,
    meaning,
    regression,
    retrieval,
    overlap,
    composition,
    rating,
    pairs,
)
_FAMILIES = get_args(Family)
_ANNOTATED = re.compile(r": '([^']*)'")  # annotations are kept as text, and printed as such


def _entries() -> Iterator[Entry]:
    """Every function that is declared a scorer, in the order of the modules and of their code."""
    for module in _MODULES:
        for name, function in vars(module).items():
            found = declaration_of(function)
            if found is not None and function.__module__ == module.__name__:
                yield _entry(name, function, found)


def _entry(name: str, function: Callable[..., object], found: Declaration) -> Entry:
    doc, _, rest = inspect.cleandoc(function.__doc__ or "").partition("\n\n")
    signature = _ANNOTATED.sub(r": \1", str(inspect.signature(function)).partition(" ->")[0])
    return Entry(
        name,
        found.family,
        f"{name}{signature}",
        doc.replace("\n", " "),
        found.example,
        found.output,
        found.value,
        "0 or 1" if found.whole else "[0, 1]",
        found.source,
        found.given,
        rule=rest.replace("\n", " "),
    )


CATALOGUE: tuple[Entry, ...] = tuple(
    sorted(_entries(), key=lambda entry: _FAMILIES.index(entry.family))
)
