"""Rows become examples: every one checked, with an id that is unique and stays, and a split that
never moves.

An id made here is `x-` and 12 hex digits over what the model would see (inputs and history), so a
corrected golden answer keeps its id and its split. Rows that ask the same are numbered (`x-…-2`) in
the order of their whole content, so the order of the rows in the file decides nothing.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from ..canonical import canonical
from ..errors import DatasetError
from .cells import as_checks, as_history, as_split, as_tags, as_text, fault_of
from .example import RESERVED, Example
from .roles import Roles
from .rows import Row, Source, say_count
from .split import SPLITS, key_of, split_of

__all__ = ["build", "checked"]


@dataclass(slots=True)
class _Draft:
    """An example without its id and split yet. asks: digest of inputs and history; content: of all
    that is judged.
    """

    place: int
    fields: dict[str, Any]
    asks: str
    content: str


def build(rows: Iterable[Row], roles: Roles, source: Source) -> tuple[Example, ...]:
    """The examples, in the order of the rows; adds what they show to `source.notes`.

    Raises DatasetError at the first row that cannot be one, naming place and fault.
    """
    drafts = [_draft(place, row, roles, source) for place, row in rows]
    _give_ids(drafts, source, roles)
    for draft in drafts:
        fields = draft.fields
        fields["split"] = fields["split"] or split_of(key_of(fields["id"], fields["cluster"]))
    _say_missing(drafts, roles, source)
    _say_equal(drafts, source)
    _say_torn(drafts, source)
    return tuple(Example(**draft.fields) for draft in drafts)


def checked(examples: Iterable[Example]) -> tuple[Example, ...]:
    """Examples made by hand, held to the same rules, each with a split.

    Raises DatasetError naming the example.
    """
    out: list[Example] = []
    seen: set[str] = set()
    for index, example in enumerate(examples):
        if not isinstance(example, Example):
            raise DatasetError(
                f"item {index} is a {type(example).__name__}; expected an Example, or use"
                " Dataset.read for dicts."
            )
        where = f"example {example.id!r}"
        if not isinstance(example.id, str) or not example.id.strip() or example.id in seen:
            raise DatasetError(
                f"{where} (item {index}) {'is there twice' if example.id in seen else 'has no id'};"
                " ids are texts, each once."
            )
        seen.add(example.id)
        reserved = [
            name for name in example.inputs if name in RESERVED or not isinstance(name, str)
        ]
        if reserved:
            raise DatasetError(
                f"{where} has an input named {reserved[0]!r}, which is reserved; rename it."
            )
        if example.split is not None and example.split not in SPLITS:
            raise DatasetError(
                f"{where} is in the split {example.split!r}; the splits are {', '.join(SPLITS)}."
            )
        _canonical(
            {
                "id": example.id,
                **example.inputs,
                **{name: getattr(example, name) for name in RESERVED[1:]},
            },
            where,
        )
        out.append(example if example.split else _with_split(example))
    return tuple(out)


def _with_split(example: Example) -> Example:
    return replace(example, split=split_of(key_of(example.id, example.cluster)))


def _draft(place: int, row: dict[str, object], roles: Roles, source: Source) -> _Draft:
    where = source.at

    def read(role: str, column: str | None, reader: Callable[[object], object]) -> Any:
        try:
            return reader(row.get(column)) if column is not None else reader(None)
        except ValueError as error:
            raise DatasetError(
                f"{where(place)}: the column {column!r}, read as {role}: {error}; fix the row."
            ) from None

    inputs = {name: row[column] for name, column in roles.inputs.items() if column in row}
    expected = row.get(roles.expected) if roles.expected is not None else None
    fields = {
        "id": read("id", roles.id, as_text),
        "inputs": inputs,
        "expected": None if source.text and expected == "" else expected,
        "split": read("split", roles.split, as_split),
        "cluster": read("cluster", roles.cluster, as_text),
        "tags": tuple(
            dict.fromkeys(tag for column in roles.tags for tag in read("tags", column, as_tags))
        ),
        "history": read("history", roles.history, as_history),
        "checks": read("checks", roles.checks, as_checks),
    }
    asks = _canonical(inputs, lambda: where(place))
    if fields["history"]:
        asks += _canonical({"history": fields["history"]}, lambda: where(place))
    judged = _canonical(
        {"expected": fields["expected"], "checks": fields["checks"]}, lambda: where(place)
    )
    return _Draft(place, fields, _digest(asks), _digest(asks + judged))


def _canonical(columns: dict[str, object], where: str | Callable[[], str]) -> str:
    """The one text of some columns. Raises DatasetError naming the column that JSON cannot hold."""
    try:
        return canonical(columns)
    except ValueError as error:
        name, fault = next(
            (
                (name, found)
                for name, value in columns.items()
                if (found := fault_of([name, value]))
            ),
            ("", str(error)),
        )
        raise DatasetError(
            f"{where if isinstance(where, str) else where()}: the column {name!r} {fault}."
        ) from None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _give_ids(drafts: list[_Draft], source: Source, roles: Roles) -> None:
    """Ids for the rows that have none.

    Raises DatasetError if one is given twice, naming both places.
    """
    seen: dict[str, _Draft] = {}
    nameless: dict[str, list[_Draft]] = {}
    for draft in drafts:
        given = draft.fields["id"]
        if given is None:
            nameless.setdefault(draft.asks[:12], []).append(draft)
        elif given in seen:
            first = source.at(seen[given].place)
            raise DatasetError(
                f"{source.at(draft.place)} has the id {given[:60]!r}, which {first} has too; make"
                " them differ, or pass id=False."
            )
        else:
            seen[given] = draft
    if not nameless:
        return
    for asks, group in nameless.items():
        numbers = itertools.count(2)
        for draft in sorted(group, key=lambda draft: draft.content):
            name = f"x-{asks}"
            while name in seen:
                name = f"x-{asks}-{next(numbers)}"
            draft.fields["id"] = name
            seen[name] = draft
    lacking = [source.at(draft.place) for group in nameless.values() for draft in group]
    if roles.id is None:
        source.notes.append(
            "there is no id column: ids are made from the inputs (give rows an id to keep it when"
            " their inputs change)."
        )
    else:
        say_count(
            source.notes,
            lacking,
            "rows without an id: {n} (first: {first}); theirs are made from the inputs.",
        )


def _say_missing(drafts: list[_Draft], roles: Roles, source: Source) -> None:
    for name in roles.inputs:
        lacking = [
            source.at(draft.place)
            for draft in drafts
            if draft.fields["inputs"].get(name) in (None, "")
        ]
        say_count(
            source.notes,
            lacking,
            f"{{n}} of {len(drafts):,} rows have nothing in {name!r} (first: {{first}}).",
        )
    lacking = [source.at(draft.place) for draft in drafts if draft.fields["expected"] is None]
    if len(lacking) == len(drafts):
        source.notes.append(
            "no row has an expected answer; pass expected=... if a column holds it."
        )
    else:
        say_count(
            source.notes,
            lacking,
            f"{{n}} of {len(drafts):,} rows have no expected answer (first: {{first}}).",
        )
    if roles.cluster:
        lacking = [source.at(draft.place) for draft in drafts if draft.fields["cluster"] is None]
        say_count(
            source.notes,
            lacking,
            "rows without a cluster: {n} (first: {first}); each counts by itself.",
        )


def _say_equal(drafts: list[_Draft], source: Source) -> None:
    """Rows equal in content, and rows that ask the same and expect something else."""
    content: dict[str, _Draft] = {}
    asks: dict[str, _Draft] = {}
    equal: list[str] = []
    torn: list[str] = []
    apart = 0
    for draft in drafts:
        same, alike = content.setdefault(draft.content, draft), asks.setdefault(draft.asks, draft)
        if same is not draft:
            equal.append(f"{source.at(draft.place)} equals {source.at(same.place)}")
            apart += same.fields["split"] != draft.fields["split"]
        elif alike is not draft:
            torn.append(f"{source.at(draft.place)} and {source.at(alike.place)}")
            apart += alike.fields["split"] != draft.fields["split"]
    say_count(
        source.notes, equal, "rows equal to another under a different id: {n} (first: {first})."
    )
    say_count(
        source.notes,
        torn,
        "rows that ask the same as another and expect something else: {n} (first: {first}).",
    )
    if apart:
        source.notes.append(
            f"of these pairs {apart:,} lie across two splits, so that one side gives the other"
            " away."
        )


def _say_torn(drafts: list[_Draft], source: Source) -> None:
    """Clusters whose rows an explicit split column puts on both sides."""
    first: dict[str, str] = {}
    torn: dict[str, None] = {}
    for draft in drafts:
        cluster, split = draft.fields["cluster"], draft.fields["split"]
        if cluster is not None and first.setdefault(cluster, split) != split:
            torn[cluster] = None
    say_count(
        source.notes,
        list(map(repr, torn)),
        "clusters in more than one split: {n} (first: {first}); what is learnt on one side is known"
        " on the other.",
    )
