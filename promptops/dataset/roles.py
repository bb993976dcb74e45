"""Which column is what: the inputs, the golden answer, the id, and whatever else has a place in an
example.

What the caller names is taken as named; what is guessed from usual names is reported, and so is a
column whose name nearly is one of them. A column taken as the golden answer is never also an input,
or a model could read it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Literal, TypeAlias

from ..errors import DatasetError
from .example import RESERVED
from .rows import Row

__all__ = ["RequestedRoles", "Named", "Roles", "assign", "likely"]

Named: TypeAlias = str | Literal[False] | None  # a column; False: none, do not guess; None: guess

_COMPARED = 200  # columns that are looked at for names which resemble a role's: 1 ms each
_ALIASES = {
    "expected": (
        *(
            "expected",
            "expected_output",
            "expected_answer",
            "gold",
            "gold_answer",
            "golden",
            "golden_answer",
            "ground_truth",
        ),
        *("expectedoutput", "expected_response", "expectations", "ideal", "correct_label"),
        *("reference", "reference_answer", "answer", "target", "label", "output", "outputs"),
    ),
    "id": ("id", "example_id", "uid", "uuid"),
    "tags": ("tags", "tag"),
}
_GROUPS = (
    "group",
    "group_id",
    "document",
    "document_id",
    "doc_id",
    "conversation_id",
    "thread_id",
    "session_id",
)


@dataclass(frozen=True, slots=True)
class RequestedRoles:
    """What the caller named: columns by role. inputs: variable -> column, or columns that keep
    their names; None: all others.
    """

    inputs: Mapping[str, str] | Sequence[str] | None = None
    expected: Named = None
    id: Named = None
    tags: Named | Sequence[str] = None
    cluster: Named = None
    split: Named = None

    def silent(self) -> bool:
        """Whether nothing was asked for."""
        return all(
            value is None
            for value in (self.inputs, self.expected, self.id, self.tags, self.cluster, self.split)
        )


@dataclass(frozen=True, slots=True)
class Roles:
    """inputs: input's name -> column; tags: columns; the others: one column, or None."""

    inputs: Mapping[str, str]
    tags: tuple[str, ...] = ()
    expected: str | None = None
    id: str | None = None
    split: str | None = None
    cluster: str | None = None
    history: str | None = None
    checks: str | None = None

    def asked(self) -> RequestedRoles:
        """What names exactly these columns, and leaves none to be guessed again."""
        return RequestedRoles(
            dict(self.inputs),
            expected=self.expected or False,
            id=self.id or False,
            tags=list(self.tags) or False,
            cluster=self.cluster or False,
            split=self.split or False,
        )

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "inputs": dict(self.inputs), "tags": list(self.tags)}

    @classmethod
    def from_document(cls, found: Mapping[str, Any]) -> Roles:
        """What `document` gave. Raises TypeError or KeyError for another shape."""
        texts = {name: str(column) for name, column in found["inputs"].items()}
        single = {name: found[name] for name in RESERVED if name != "tags"}
        if not all(column is None or isinstance(column, str) for column in single.values()):
            raise TypeError
        return cls(texts, tuple(map(str, found["tags"])), **single)

    def by_column(self) -> dict[str, str]:
        """column -> the role that it was taken for."""
        single = {
            str(getattr(self, role)): role
            for role in RESERVED
            if role != "tags" and getattr(self, role) is not None
        }
        return {**dict.fromkeys(self.tags, "tags"), **single}


def assign(
    rows: list[Row], nested: Sequence[str], asked: RequestedRoles, notes: list[str]
) -> Roles:
    """The roles of the rows' columns. nested: columns that stood in `inputs`, which are the inputs
    then.

    Raises DatasetError for a named column that no row has, naming the likely one.
    """
    columns = list(dict.fromkeys(name for _, row in rows for name in row))
    free = [
        name
        for name in columns
        if name not in nested and any(row.get(name) not in (None, "") for _, row in rows)
    ]
    given = set(_named(asked).values())
    found: dict[str, str | None] = {}
    for role in RESERVED:
        if role != "tags":
            spare = (
                [name for name in free if name not in given] if role == "expected" else free
            )  # never an input's own column
            found[role] = _one(role, getattr(asked, role, None), columns, spare, notes)
    if nested and asked.expected is None and found["expected"] is None:
        # beside nested inputs an empty text is a golden answer like any other
        found["expected"] = next(("expected" for _, row in rows if row.get("expected") == ""), None)
    listed = [asked.tags] if isinstance(asked.tags, str) else asked.tags
    if listed:
        tags = tuple(_existing(name, "tags", columns) for name in listed)
    else:
        guess = _one("tags", False if listed is False else None, columns, free, notes)
        tags = (guess,) if guess else ()
    roles = Roles(_inputs(asked, columns, nested, {**found, "tags": None}, tags), tags, **found)
    _say_rest(rows, columns, nested, roles, asked, notes)
    return roles


def likely(name: str, columns: Sequence[str]) -> str | None:
    """The column that somebody who wrote `name` most likely meant, or None."""
    keys = {_key(column): column for column in reversed(columns)}
    wanted = _key(name)
    if wanted in keys:
        return keys[wanted]
    close = difflib.get_close_matches(wanted, keys, 1, 0.7)
    if close:
        return keys[close[0]]
    words = [key for key in keys if set(wanted.split("_")) & set(key.split("_"))]
    return keys[words[0]] if len(words) == 1 else None


def _key(name: str) -> str:
    return re.sub(r"[\W_]+", "_", name.casefold()).strip("_")


def _one(
    role: str, asked: Named, columns: Sequence[str], free: Sequence[str], notes: list[str]
) -> str | None:
    if asked is False:
        return None
    if asked is not None:
        return _existing(asked, role, columns)
    hits = [name for alias in _ALIASES.get(role, (role,)) for name in free if _key(name) == alias]
    if not hits:
        return None
    if hits[0] == role and role == "expected" and hits[1:]:
        notes.append(
            f"besides 'expected', {_shown(hits[1:])} stayed among the inputs; pass inputs=[...]"
            " without what a model may not see."
        )
    if hits[0] != role:
        others = f", not {', '.join(map(repr, hits[1:]))}" if hits[1:] else ""
        notes.append(
            f"{role} was taken from the column {hits[0]!r}{others}; pass {role}=... to choose"
            f" ({role}=False for none)."
        )
    return hits[0]


def _existing(name: object, role: str, columns: Sequence[str]) -> str:
    if name in columns:
        return str(name)
    guess = likely(str(name), columns)
    hint = f"did you mean {guess!r}?" if guess else f"the columns are {_shown(columns)}."
    raise DatasetError(f"no row has the column {name!r} that {role} names; {hint}")


def _named(asked: RequestedRoles) -> dict[str, str]:
    """What `inputs` names, as variable -> column."""
    given = [asked.inputs] if isinstance(asked.inputs, str) else asked.inputs or []
    return dict(given) if isinstance(given, Mapping) else {str(name): name for name in given}


def _inputs(
    asked: RequestedRoles,
    columns: Sequence[str],
    nested: Sequence[str],
    found: Mapping[str, str | None],
    tags: Sequence[str],
) -> dict[str, str]:
    if asked.inputs is not None:
        inputs = {
            name: _existing(column, "inputs", columns) for name, column in _named(asked).items()
        }
    else:
        kept = {
            found["cluster"] if asked.cluster else None,
            *(tags if asked.tags else ()),
        }  # a group or a topic gives nothing away
        used = {*found.values(), *tags} - kept
        inputs = {
            name: name
            for name in nested or columns
            if name not in used and (nested or name not in RESERVED)
        }
    reserved = [name for name in inputs if name in RESERVED]
    if reserved:
        raise DatasetError(
            f"an input cannot be named {reserved[0]!r}, which is a reserved column; pass"
            f" inputs={{'other_name': {inputs[reserved[0]]!r}}}."
        )
    if not inputs:
        raise DatasetError(
            f"no column is left as an input; the columns are {_shown(columns)}: pass inputs=[...]."
        )
    return inputs


def _say_rest(
    rows: list[Row],
    columns: Sequence[str],
    nested: Sequence[str],
    roles: Roles,
    asked: RequestedRoles,
    notes: list[str],
) -> None:
    """What was left out, what cannot be a variable, and what looks like another column."""
    by_column = roles.by_column()
    blank = {name for name in RESERVED if all(row.get(name) in (None, "", []) for _, row in rows)}
    taken = set(roles.inputs.values())
    left = [
        name
        for name in columns
        if name not in taken and name not in by_column and name not in blank
    ]
    if left:
        beside = " (beside the nested inputs)" if nested and asked.inputs is None else ""
        notes.append(f"left out{beside}: {_shown(left)}; name them in inputs=[...] to keep them.")
    odd = [name for name in roles.inputs if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)]
    if odd:
        plain = re.sub(r"\W+", "_", odd[0], flags=re.ASCII).strip("_").lower() or "text"
        notes.append(
            f"{_shown(odd)} cannot be written as a variable; pass inputs={{{plain!r}: {odd[0]!r}}}"
            " to use it in a prompt."
        )
    unfilled = [
        role
        for role in RESERVED
        if not (roles.tags if role == "tags" else getattr(roles, role))
        and getattr(asked, role, None) is None
    ]
    notes += _likenesses(rows, nested, roles, unfilled)


def _likenesses(
    rows: list[Row], nested: Sequence[str], roles: Roles, unfilled: Sequence[str]
) -> Iterator[str]:
    """A sentence on each input that looks like a role that no column has."""
    by_column = roles.by_column()
    alike = {alias: role for role in unfilled for alias in _ALIASES.get(role, (role,))}
    for name, column in islice(roles.inputs.items(), _COMPARED):
        near = (
            difflib.get_close_matches(_key(name), alike, 1, 0.8)
            if column not in by_column and name not in nested
            else []
        )
        if near:
            role = alike[near[0]]
            how = (
                f"say {role}={column!r} if it is meant"
                if role not in ("history", "checks")
                else "rename it if it is meant"
            )
            yield f"{name!r} was read as an input and looks like the column {role!r}; {how}."
        elif "cluster" in unfilled and _key(name) in _GROUPS and _repeats(rows, column):
            yield (
                f"{name!r} repeats: if its rows depend on each other, pass cluster={column!r} so"
                " that they count as one."
            )


def _repeats(rows: list[Row], column: str) -> bool:
    values = [str(row[column]) for _, row in rows if row.get(column) not in (None, "")]
    return len(set(values)) < len(values)


def _shown(columns: Sequence[str]) -> str:
    return ", ".join(repr(name[:40]) for name in columns[:12]) + (
        f" and {len(columns) - 12} more" if len(columns) > 12 else ""
    )
