"""Columns of another name that hold the golden answer: a version that reads one is shown what it is
asked for.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ..errors import SetupError
from ..models.target import TargetModel
from .near_copies import folded

if TYPE_CHECKING:
    from ..dataset import Example
    from .design import ArmDesign, StudyDesign

__all__ = ["shown_golden"]

_LUCK = 1e-4  # chance that a column of the same labels equals the golden one in every row
_DEEP, _WIDE = 4, 50  # levels and leaves of a nested value that are read


def shown_golden(drawn: StudyDesign) -> Iterator[str]:
    """A sentence for each column that a version reads and that equals the golden answer in every
    row, typed as it may be. Repeating an input may be the task, so it is not an error.
    """
    first = drawn.scorers[0] if drawn.scorers else None
    needs = [name for name in getattr(first, "needs", ()) if name != "*"]
    golden = needs[0] if needs else "expected"
    readers: dict[str, list[str]] = {}
    for arm in drawn.arms:
        for name in sorted(_read(arm, drawn.dataset[0]) - {golden}):
            readers.setdefault(name, []).append(arm.label)
    rows, equal = _equal(drawn, golden, readers)
    for name, paths in equal.items():
        inside = f" (at {min(paths)})" if "" not in paths else ""
        who = " and ".join(dict.fromkeys(readers[name]))
        yield (
            f"The column {name!r}{inside}, which {who} reads, equals the golden answer in all"
            f" {rows:,} rows: the model may be shown what it is asked for. Take it out of the"
            " prompt unless repeating it is the task."
        )


def _read(arm: ArmDesign, example: Example) -> set[str]:
    """Columns that an arm reads by name."""
    if not isinstance(arm.model, TargetModel):
        return {variable.name for variable in arm.version.variables} & set(example.inputs)
    try:
        return set(arm.model.bind(example.inputs)[1])
    except SetupError:  # this row fails by itself
        return set()


def _equal(
    drawn: StudyDesign, golden: str, names: Mapping[str, object]
) -> tuple[int, dict[str, set[str]]]:
    """How many rows have a golden answer, and the columns that equal it in each of them, with the
    places within their values; none if so few rows or so few labels may be equal by luck.
    """
    left: dict[str, set[str]] = {}
    counts: Counter[str] = Counter()
    for example in drawn.dataset if names else ():
        try:
            value = example.column(golden)
        except KeyError:
            continue
        wanted = {folded(_text(one)) for one in _members(value)} - {""}
        if not wanted:
            continue
        found = {
            name: {path for path, text in _leaves(example.inputs.get(name)) if text in wanted}
            for name in (left if counts else names)
        }
        counts[min(wanted)] += 1
        left = {name: left.get(name, paths) & paths for name, paths in found.items()}
        left = {name: paths for name, paths in left.items() if paths}
        if not left:
            return 0, {}
    rows = counts.total()
    alike = sum((count / rows) ** 2 for count in counts.values()) if rows else 1.0
    return (rows, left) if rows * math.log(alike) < math.log(_LUCK) else (rows, {})


def _members(value: object) -> list[object]:
    """The golden answers of a row, any of which is right."""
    listed = list(value) if isinstance(value, (list, tuple)) else [value]
    return [one for one in listed if one is not None]


def _leaves(value: object, path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """(place, text as it is compared) of a value and of what is within it."""
    if isinstance(value, str):
        yield path, folded(value)
        if depth < _DEEP and value.lstrip()[:1] in ("{", "["):
            try:
                inner = json.loads(value)
            except (ValueError, RecursionError):
                return
            if isinstance(inner, (dict, list)):
                yield from _leaves(inner, path, depth + 1)
    elif isinstance(value, (Mapping, list, tuple)):
        yield path, folded(_text(value))
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        if depth < _DEEP:
            for key, item in list(items)[:_WIDE]:
                yield from _leaves(item, f"{path}.{key}".lstrip("."), depth + 1)
    elif value is not None:
        yield path, folded(_text(value))


def _text(value: object) -> str:
    """A value as text: 3.0 is written 3."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
