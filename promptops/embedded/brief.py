"""The instructions of the embedded model (not an LLM): values read out of the rendered messages and
nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

__all__ = ["Brief", "Field", "Format", "AllowedValue", "Scalar", "Shot"]

Scalar: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class AllowedValue:
    """One allowed value, and what the prompt says that it means ("" if it says nothing)."""

    value: Scalar
    definition: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to decide among labels."""

    name: str
    labels: tuple[AllowedValue, ...]


@dataclass(frozen=True, slots=True)
class Shot:
    """One example with its answer. answer: as it is written; fields: its parsed values ({} for
    prose).
    """

    question: str
    answer: str
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Format:
    """How to answer. kind: "json", "lines" (Name: value), "label" (nothing but the value) or
    "prose".
    """

    kind: str = "prose"
    keys: tuple[str, ...] = ()
    compact: bool = False
    sorted: bool = False
    fenced: bool = False
    indent: int | None = None


@dataclass(frozen=True, slots=True)
class Brief:
    """All that the prompt says: what to decide, by which examples, in which form.

    samples: key -> texts that show what an id looks like; absent: what the examples write where
        there is none;
    unsaid: words that must not occur in the answer.
    """

    fields: tuple[Field, ...] = ()
    shots: tuple[Shot, ...] = ()
    format: Format = Format()
    samples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    absent: Mapping[str, object] = field(default_factory=dict)
    unsaid: tuple[str, ...] = ()
