"""What scorers need of a dataset's rows, checked before anything is asked or paid for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from ..dataset.example import Example
from ..errors import ScorerError
from ..scorers.case import Scorer

__all__ = ["check_names", "check_needs"]

_GOLDEN = frozenset(("answer", "gold", "golden", "target", "label", "output", "reference"))


def check_names(scorers: Sequence[Scorer]) -> None:
    """Raises ScorerError if two scorers share a name: their scores could not be
    distinguished.
    """
    seen: dict[str, str] = {}
    for scorer in scorers:
        if scorer.name in seen:
            raise ScorerError(
                f"two scorers are called {scorer.name!r}; give one another name, as in"
                ' .named("...").'
            )
        seen[scorer.name] = scorer.version


def check_needs(scorers: Sequence[Scorer], examples: Iterable[Example]) -> list[str]:
    """What the rows lack, before anything is asked: a sentence for each column that some rows leave
    out.

    Raises ScorerError if no row has a column that a scorer needs, with the column that is likely
    meant, and for the first row whose own checks cannot be read.
    """
    check_names(scorers)
    wanted = {name: scorer.name for scorer in reversed(scorers) for name in scorer.needs}
    if not wanted:
        return []
    listed = list(examples)
    if "checks" in wanted:
        from ..scorers.row_checks import check_checks

        check_checks(listed)
    text = []
    for column, name in wanted.items():
        lacking = [example.id for example in listed if _lacks(example, column)]
        if listed and len(lacking) == len(listed):
            raise ScorerError(
                f"{name} needs the column {column!r}, which no example has;"
                f" {_likely(column, listed)}."
            )
        if lacking:
            text.append(
                f"{len(lacking):,} of {len(listed):,} examples (first: {lacking[0]!r}) have no"
                f" value in the column {column!r}; {name} will leave them unscored."
            )
    return text


def _lacks(example: Example, column: str) -> bool:
    try:
        return example.column(column) in (None, ())
    except KeyError:
        return True


def _likely(column: str, examples: list[Example]) -> str:
    columns = list(dict.fromkeys(name for example in examples[:1000] for name in example.inputs))
    if any(example.expected is not None for example in examples):
        columns.append("expected")
    shown = {name.casefold().replace(" ", "_"): name for name in columns}
    close = difflib.get_close_matches(column.casefold(), shown, 1, 0.6)
    held = [name for key, name in shown.items() if column.casefold() in key]
    if column == "expected":  # the golden answer goes by many names
        held += [name for key, name in shown.items() if not _GOLDEN.isdisjoint(key.split("_"))]
    guess = [shown[name] for name in close] or held
    if guess:
        return (
            f"did you mean {guess[0]!r}? Say so when the dataset is read, or build the scorer with"
            " that column"
        )
    return f"its columns are {', '.join(map(repr, columns[:12])) or 'none'}"
