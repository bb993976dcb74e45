"""One dataset row: what goes into the prompt, what is expected, and where the row belongs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..canonical import canonical

__all__ = ["RESERVED", "Example"]

# columns that are never prompt variables
RESERVED = ("id", "expected", "split", "cluster", "tags", "history", "checks")


@dataclass(frozen=True, slots=True)
class Example:
    """One row of a dataset: the input of a prompt, and what a good answer is.

    Args:
        id: its id, unique in the dataset.
        inputs: every column that is not reserved, with the type that was read.
        expected: the golden answer (text, number, list, object), or None.
        split: "train", "val", "test", or None.
        cluster: the group of dependent rows (a document, a conversation), or None.
        tags: labels of the row, by which comparisons are sliced.
        history: messages inserted into the prompt.
        checks: declarative assertions of this row.
    """

    id: str
    inputs: Mapping[str, object]
    expected: object = None
    split: str | None = None
    cluster: str | None = None
    tags: tuple[str, ...] = ()
    history: tuple[Mapping[str, object], ...] = ()
    checks: tuple[str, ...] = field(default=())
    _print: str = field(
        default="", init=False, repr=False, compare=False
    )  # the fingerprint, once it was asked for

    @property
    def fingerprint(self) -> str:
        """32 hex digits: a hash of what a model and a scorer see (inputs, expected, history,
        checks), without id, split and tags.
        """
        if not self._print:
            content = [self.inputs, self.expected, self.history, self.checks]
            object.__setattr__(
                self, "_print", hashlib.sha256(canonical(content).encode()).hexdigest()[:32]
            )
        return self._print

    def column(self, name: str) -> object:
        """The value of a column by name, reserved or input.

        Raises KeyError if the row has none.
        """
        if name in self.inputs:
            return self.inputs[name]
        if name in RESERVED:
            return getattr(self, name)
        raise KeyError(name)

    def beside(self, columns: Mapping[str, object]) -> Example:
        """The same example with the columns of one answer added to its inputs, as scorers see it.
        Its fingerprint does not change.
        """
        found = replace(self, inputs={**self.inputs, **columns})
        object.__setattr__(found, "_print", self.fingerprint)
        return found

    def values(self, names: frozenset[str] | set[str]) -> dict[str, object]:
        """The inputs that a version takes: those in `names`, and the history if the example has one
        and `names` contains "history".
        """
        values = {name: value for name, value in self.inputs.items() if name in names}
        if "history" in names and self.history:
            values["history"] = [dict(message) for message in self.history]
        return values

    def document(self) -> dict[str, object]:
        """Every field that is set, ready for JSON."""
        fields: dict[str, object] = {
            "id": self.id,
            "inputs": dict(self.inputs),
            "expected": self.expected,
        }
        for name in ("split", "cluster", "tags", "history", "checks"):
            value = getattr(self, name)
            if value:
                fields[name] = list(value) if isinstance(value, tuple) else value
        return fields

    @classmethod
    def from_document(cls, document: Mapping[str, object], fingerprint: str = "") -> Example:
        """Restore an example from the result of `document()`.

        Args:
            document: the document as it was stored.
            fingerprint: the fingerprint recorded with the document; it is then not computed again.
        """
        given: Mapping[str, Any] = document
        rest = {name: tuple(given.get(name) or ()) for name in ("tags", "history", "checks")}
        found = cls(
            given["id"],
            given["inputs"],
            given.get("expected"),
            given.get("split"),
            given.get("cluster"),
            **rest,
        )
        object.__setattr__(found, "_print", fingerprint)
        return found
