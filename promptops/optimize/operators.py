"""Ways to rewrite an instruction that ask no model: state the form of the answer, add what the
labels mean, reorder, shorten.

They read train rows with their golden answers and nothing else, and say the same for the same rows.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..dataset import Example

__all__ = ["Labelled", "definitions", "form_of", "labelled", "reordered", "shorter"]

MOST_LABELS = 30  # golden answers that are names of classes, at most
_WORD = re.compile(r"[^\W\d_]{3,}")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_COMMON = (
    "the and for that with this you your are was were have has had not but can from our they"
    " when what which will would there been into than then them its out all any one get got"
    " just now please thanks hello dear since still only how why where who"
)
_FOLDED = frozenset(_COMMON.split())


@dataclass(frozen=True, slots=True)
class Labelled:
    """Train rows whose golden answer is one of a few labels: label -> its rows' texts."""

    texts: dict[str, list[str]]

    @property
    def labels(self) -> list[str]:
        """The commonest first, then by name."""
        return sorted(self.texts, key=lambda label: (-len(self.texts[label]), label))


def labelled(pairs: Sequence[tuple[Example, str]]) -> Labelled | None:
    """The rows by their label; None if the golden answers are not labels: too many, too long, or
    all alike.
    """
    found: dict[str, list[str]] = {}
    for example, answer in pairs:
        found.setdefault(answer, []).append(" ".join(map(str, example.inputs.values())))
    few = 2 <= len(found) <= MOST_LABELS and len(found) * 3 <= len(pairs)
    return Labelled(found) if few and all(len(label) <= 60 for label in found) else None


def form_of(rows: Labelled | None, pairs: Sequence[tuple[Example, str]]) -> str:
    """One sentence on the form of the golden answers; "" if they show none."""
    if rows is not None:
        return f"Answer with one label and nothing else: one of {', '.join(sorted(rows.texts))}."
    keys = [_keys(answer) for _, answer in pairs]
    if keys and keys[0] and all(each == keys[0] for each in keys):
        return f"Answer with one JSON object and nothing else, with the keys {', '.join(keys[0])}."
    return ""


def definitions(rows: Labelled, words: int) -> str:
    """What each label means, by the words that tell its rows from the others: log odds with a
    smoothed prior, so that one row alone says little.
    """
    counts = {label: Counter(_words(texts)) for label, texts in rows.texts.items()}
    sizes = {label: len(texts) for label, texts in rows.texts.items()}
    every = sum(counts.values(), Counter[str]())
    total = sum(sizes.values())
    lines = []
    for label in rows.labels:
        held, n = counts[label], sizes[label]
        scored = []
        for word, count in held.items():
            inside = (count + 0.5) / (n + 1)
            outside = (every[word] - count + 0.5) / (total - n + 1)
            scored.append((-math.sqrt(count) * math.log(inside / outside), word))
        best = [word for value, word in sorted(scored)[:words] if value < 0]
        lines.append(f"- {label}: {', '.join(best)}")
    return "Labels:\n" + "\n".join(lines)


def reordered(text: str) -> Iterator[str]:
    """The last paragraph first."""
    parts = [part for part in text.split("\n\n") if part.strip()]
    if len(parts) > 1:
        yield "\n\n".join([parts[-1], *parts[:-1]])


def shorter(text: str) -> Iterator[str]:
    """Without one of its sentences, the last first."""
    parts = [part for part in _SENTENCE.split(text) if part.strip()]
    for at in reversed(range(len(parts))):
        if len(parts) > 1:
            yield " ".join([*parts[:at], *parts[at + 1 :]])


def _words(texts: Sequence[str]) -> Iterator[str]:
    """Each word once for each text."""
    for text in texts:
        yield from set(_WORD.findall(text.lower())) - _FOLDED


def _keys(answer: str) -> tuple[str, ...]:
    try:
        value = json.loads(answer)
    except ValueError:
        return ()
    return tuple(value) if isinstance(value, dict) else ()
