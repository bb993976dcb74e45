"""A table of outputs made elsewhere, read before anything is recorded: score columns, models under
one label, and a note on rows that repeat each other.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import StudyError
from ..scorers.given_scores import RecordedScores
from .near_copies import folded

if TYPE_CHECKING:
    from ..dataset import Dataset

__all__ = [
    "by_model",
    "checked_amounts",
    "content_digest",
    "failure_of",
    "odd_rows",
    "of_examples",
    "score_cells",
    "score_columns",
    "score_scorers",
    "with_answers",
]

_AMOUNTS = ("cost_usd", "latency_ms", "tokens_in", "tokens_out")


def by_model(
    cells: dict[str, list[object]], versions: Mapping[str, Any] | None
) -> tuple[dict[str, list[object]], dict[str, object] | None]:
    """The table with a label for each (version, model), where one label has several models; and the
    versions by those labels.

    Args:
        cells: the columns of the table.
        versions: label -> PromptVersion or saved version, where prompts are known.
    """
    models = cells.get("model")
    labels = [str(label) for label in cells.get("version") or ["outputs"] * len(cells["example"])]
    known = dict(versions) if versions is not None else None
    if models is None:
        return cells, known
    met: dict[str, set[str]] = {}
    for label, model in zip(labels, models, strict=True):
        met.setdefault(label, set()).add(str(model or "model not named"))
    several = {label for label, found in met.items() if len(found) > 1}
    if not several:
        return cells, known
    named: list[object] = []
    for label, model in zip(labels, models, strict=True):
        if label not in several:
            named.append(label)
            continue
        one = f"{label} · {model or 'model not named'}"
        named.append(one)
        if known is not None and label in known:
            version = getattr(known[label], "version", known[label])
            known[one] = version.on(str(model)) if model else version
    for label in several:
        (known or {}).pop(label, None)
    return {**cells, "version": named}, known


def odd_rows(cells: Mapping[str, Sequence[object]]) -> tuple[str, str]:
    """Sentences on rows that repeat each other and on models that may be one; "" if none do."""
    return _repeated_rows(cells), _models_alike(cells)


def _models_alike(cells: Mapping[str, Sequence[object]]) -> str:
    """A sentence on models whose names differ only in how they are typed; "" if there are none."""
    found: dict[str, set[str]] = {}
    for model in cells.get("model") or ():
        if model is not None:
            found.setdefault(folded(str(model)), set()).add(str(model))
    names = next((names for names in found.values() if len(names) > 1), None)
    if names is None:
        return ""
    return (
        f"The models {' and '.join(map(repr, sorted(names)))} differ only in how they are typed,"
        " and are kept as models of their own; write one name if they are one model."
    )


def _repeated_rows(cells: Mapping[str, Sequence[object]]) -> str:
    """A sentence on rows of an example and a version that came before, without a column of
    samples, or "".
    """
    if "sample" in cells:
        return ""
    labels = cells.get("version") or ["outputs"] * len(cells["example"])
    counts = Counter(zip(map(str, cells["example"]), map(str, labels), strict=True))
    again = sum(counts.values()) - len(counts)
    if not again:
        return ""
    (example, label), _ = next(item for item in counts.items() if item[1] > 1)
    return (
        f"{again:,} of {sum(counts.values()):,} rows are of an example and a version that an"
        f" earlier row has (first: example {example!r}, {label!r}); they are read as its repeats."
        " If they are copies, drop them; if they are samples, name their column, as in"
        ' sample="run".'
    )


def checked_amounts(cells: Mapping[str, Sequence[object]]) -> None:
    """Raises StudyError for a cost, latency or number of tokens that is negative or no number,
    naming its row, before anything is kept.
    """
    for name in _AMOUNTS:
        for row, value in enumerate(cells.get(name) or ()):
            digits = isinstance(value, str) and value.isdecimal() and name.startswith("tokens")
            number = isinstance(value, (int, float)) and not value < 0
            if value is not None and not (digits or number):
                raise StudyError(
                    f"row {row} has {name} {value!r}; expected a number from 0, or an empty cell"
                    " where it is unknown."
                )


def score_cells(table: Any, names: Mapping[str, str] | Sequence[str]) -> dict[str, list[Any]]:
    """Name of a score -> its cells, of a DataFrame or a list of rows.

    Args:
        table: the table.
        names: score -> column, or columns that are named as the scores are.

    Raises:
        StudyError: a column is not there.
    """
    wanted = score_columns(names)
    framed = hasattr(table, "columns")
    named = table.columns if framed else (key for row in table for key in row)
    present = list(dict.fromkeys(map(str, named)))
    out = {}
    for name, column in wanted.items():
        if column not in present:
            raise StudyError(
                f"the table has no column {column!r} of scores; it has {', '.join(present)}."
            )
        cells = list(table[column]) if framed else [row.get(column) for row in table]
        out[name] = [_score(value, row, column) for row, value in enumerate(cells)]
    return out


def with_answers(table: Any, column: str) -> object:
    """The table with an empty column of answers if it has none, as a table of scores alone."""
    if hasattr(table, "columns"):
        return table if column in table.columns else table.assign(**{column: None})
    if any(column in row for row in table):
        return table
    return [{**row, column: None} for row in table]


def score_scorers(
    scores: Mapping[str, Sequence[float | None]],
    places: Sequence[tuple[str, int, str]],
    ids: Mapping[str, str],
) -> list[RecordedScores]:
    """A scorer for each column of scores. places: (example, repeat, label) of each row; ids: label
    -> id of its version.
    """
    return [
        RecordedScores.of(
            name,
            {
                (ids[label], example, repeat): value
                for (example, repeat, label), value in zip(places, values, strict=True)
            },
        )
        for name, values in scores.items()
    ]


def of_examples(
    dataset: Dataset, cells: Mapping[str, list[object]], scores: Mapping[str, list[object]]
) -> tuple[dict[str, list[object]], dict[str, list[object]]]:
    """The cells of a dataset's examples alone.

    Raises StudyError if there are none.
    """
    known = {example.id for example in dataset}
    kept = [row for row, example in enumerate(cells["example"]) if str(example) in known]
    if not kept:
        raise StudyError(
            "no row of the table is of an example that the plan asks; its ids look like"
            f" {next(iter(known))!r}."
        )
    taken = [
        {name: [column[row] for row in kept] for name, column in part.items()}
        for part in (cells, scores)
    ]
    return taken[0], taken[1]


def score_columns(names: Mapping[str, str] | Sequence[str]) -> dict[str, str]:
    """Name of a score -> its column."""
    if isinstance(names, Mapping):
        return dict(names)
    return {name: name for name in ([names] if isinstance(names, str) else names)}


def _score(value: object, row: int, column: str) -> float | None:
    """A cell as a score; None if it is empty."""
    if hasattr(value, "item"):
        value = value.item()
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        try:
            value = float(value) if value.strip() else None
        except ValueError:
            raise StudyError(
                f"row {row} has {value!r} in the column of scores {column!r}; expected a number"
                " from 0 to 1."
            ) from None
    if value is None or value != value:  # "nan", as some writers of CSV spell an empty cell
        return None
    if not isinstance(value, (bool, int, float)) or not -1e-6 <= value <= 1 + 1e-6:
        raise StudyError(
            f"row {row} has the score {value!r} in {column!r}; expected a number from 0 to 1: scale"
            " it first."
        )
    return min(max(float(value), 0.0), 1.0)


def content_digest(cells: Mapping[str, Sequence[object]]) -> str:
    """A digest of all that the table says."""
    total = hashlib.sha256()
    for name in sorted(cells):
        total.update(name.encode())
        for value in cells[name]:
            total.update(repr(value).encode("utf-8", "surrogatepass") + b"\0")
    return total.hexdigest()


def failure_of(text: str | None) -> str | None:
    """An answer that nobody has is unknown; one without a word is the model's own failure."""
    if text is None:
        return "internal"
    return None if text.strip() else "empty_output"
