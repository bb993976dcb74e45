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
    """One row of a dataset: what a prompt is asked, and what a good answer is.

    Args:
        id: unique in its dataset.
        inputs: every column that is not reserved, typed as read.
        expected: the golden answer (text, number, list, object), or None.
        split: "train", "val", "test", or None.
        cluster: what groups dependent rows (a document, a conversation), or None.
        tags: labels of the row, by which comparisons are sliced.
        history: messages spliced into the prompt.
        checks: declarative assertions of this row.
    """

    id: str
    inputs: Mapping[str, Any]
    expected: Any = None
    split: str | None = None
    cluster: str | None = None
    tags: tuple[str, ...] = ()
    history: tuple[Mapping[str, Any], ...] = ()
    checks: tuple[str, ...] = field(default=())
    _print: str = field(
        default="", init=False, repr=False, compare=False
    )  # the fingerprint, once it was asked for

    @property
    def fingerprint(self) -> str:
        """32 hex digits over what a model and a scorer see (inputs, expected, history, checks): not
        id, split, tags.
        """
        if not self._print:
            content = [self.inputs, self.expected, self.history, self.checks]
            object.__setattr__(
                self, "_print", hashlib.sha256(canonical(content).encode()).hexdigest()[:32]
            )
        return self._print

    def column(self, name: str) -> Any:
        """The value of a column by name, reserved or input.

        Raises KeyError if the row has none.
        """
        if name in self.inputs:
            return self.inputs[name]
        if name in RESERVED:
            return getattr(self, name)
        raise KeyError(name)

    def beside(self, columns: Mapping[str, object]) -> Example:
        """The same example as it is judged beside one answer, with that answer's own columns among
        its inputs. Its fingerprint stays.
        """
        found = replace(self, inputs={**self.inputs, **columns})
        object.__setattr__(found, "_print", self.fingerprint)
        return found

    def values(self, names: frozenset[str] | set[str]) -> dict[str, Any]:
        """The inputs that a version takes: those of `names`, and history where there is one and it
        is named.
        """
        values = {name: value for name, value in self.inputs.items() if name in names}
        if "history" in names and self.history:
            values["history"] = [dict(message) for message in self.history]
        return values

    def document(self) -> dict[str, Any]:
        """JSON-ready: every field that is set."""
        fields: dict[str, Any] = {
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
    def from_document(cls, document: Mapping[str, Any], fingerprint: str = "") -> Example:
        """The example of what `document()` gave.

        Args:
            document: as it was stored.
            fingerprint: as it was recorded beside the document, so that it is not derived again.
        """
        rest = {name: tuple(document.get(name) or ()) for name in ("tags", "history", "checks")}
        found = cls(
            document["id"],
            document["inputs"],
            document.get("expected"),
            document.get("split"),
            document.get("cluster"),
            **rest,
        )
        object.__setattr__(found, "_print", fingerprint)
        return found
