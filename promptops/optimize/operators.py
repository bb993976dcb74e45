"""Ways to rewrite an instruction that ask no model: state the form of the answer, add what the
labels mean, reorder, shorten.

They read train rows with their golden answers and nothing else, and say the same for the same rows.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ..dataset import Example

__all__ = [
    "Beside",
    "LabelledTexts",
    "definitions",
    "form_of",
    "labelled",
    "reordered",
    "shorter",
    "text_of",
]

MOST_LABELS = 30  # golden answers that are names of classes, at most
_WORD = re.compile(r"[^\W\d_]{3,}")
_LISTED = re.compile(r"^[ \t]*(?:[-*•]|\d+[.)])[ \t]", re.M)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_ENDINGS = ("ing", "ied", "ies", "ed", "es", "s", "ly")
Beside = Literal["all", "next"]
_MORE = 8  # words of failed rows for a label
_STEM = 4  # letters that a word keeps when its ending goes


@dataclass(frozen=True, slots=True)
class LabelledTexts:
    """Train rows whose golden answer is one of a few labels: label -> its rows' texts."""

    texts: dict[str, list[str]]

    @property
    def labels(self) -> list[str]:
        """The commonest first, then by name."""
        return sorted(self.texts, key=lambda label: (-len(self.texts[label]), label))


def text_of(example: Example) -> str:
    """The inputs of a row in one text."""
    return " ".join(map(str, example.inputs.values()))


def labelled(pairs: Sequence[tuple[Example, str]]) -> LabelledTexts | None:
    """The rows by their label; None if the golden answers are not labels: too many, too long, or
    all alike.
    """
    found: dict[str, list[str]] = {}
    for example, answer in pairs:
        found.setdefault(answer, []).append(text_of(example))
    few = 2 <= len(found) <= MOST_LABELS and len(found) * 3 <= len(pairs)
    return LabelledTexts(found) if few and all(len(label) <= 60 for label in found) else None


def form_of(rows: LabelledTexts | None, pairs: Sequence[tuple[Example, str]]) -> str:
    """One sentence on the form of the golden answers; "" if they show none."""
    if rows is not None:
        return f"Answer with one label and nothing else: one of {', '.join(sorted(rows.texts))}."
    keys = [_keys(answer) for _, answer in pairs]
    if keys and keys[0] and all(each == keys[0] for each in keys):
        return f"Answer with one JSON object and nothing else, with the keys {', '.join(keys[0])}."
    return ""


def definitions(
    rows: LabelledTexts,
    words: int,
    beside: Beside = "next",
    failed: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """What each label means, by the words that tell its rows from others.

    beside: "next": from those of the label that has the word next most often, inflected forms of a
    word counted together; "all": from all other rows, each form by itself.
    failed: label -> texts that went wrong, of whose words up to 8 are added to those of the label.
    """
    ranked = _beside_next(rows) if beside == "next" else _beside_all(rows)
    lines = []
    for label in rows.labels:
        best = ranked[label][:words]
        if failed is not None:
            theirs = {_family(word) for word in _words(failed.get(label, ()))}
            rest = [word for word in ranked[label][words:] if _family(word) in theirs]
            best = best + rest[:_MORE]
        lines.append(f"- {label}: {', '.join(best)}")
    return "Labels:\n" + "\n".join(lines)


def _beside_all(rows: LabelledTexts) -> dict[str, list[str]]:
    """label -> the words that speak for it, by log odds with a smoothed prior, so that one row
    alone says little.
    """
    counts = {label: Counter(_words(texts)) for label, texts in rows.texts.items()}
    every = sum(counts.values(), Counter[str]())
    total = sum(len(texts) for texts in rows.texts.values())
    ranked = {}
    for label, texts in rows.texts.items():
        scored = []
        for word, count in counts[label].items():
            inside = (count + 0.5) / (len(texts) + 1)
            outside = (every[word] - count + 0.5) / (total - len(texts) + 1)
            scored.append((-math.sqrt(count) * math.log(inside / outside), word))
        ranked[label] = [word for value, word in sorted(scored) if value < 0]
    return ranked


def _beside_next(rows: LabelledTexts) -> dict[str, list[str]]:
    """label -> the words that speak for it, by the logarithm of how much likelier they are there
    than in the next label, for each row that has them.
    """
    forms: dict[str, Counter[str]] = defaultdict(Counter)
    counts: dict[str, Counter[str]] = {}
    for label, texts in rows.texts.items():
        counts[label] = Counter()
        for text in texts:
            found = set(_words([text]))
            counts[label].update({_family(word) for word in found})
            for word in found:
                forms[_family(word)][word] += 1
    # (word, label) -> its share of the label's rows, smoothed, so that one row alone says little
    share = {
        (family, label): (counts[label][family] + 0.5) / (len(rows.texts[label]) + 1)
        for family in forms
        for label in rows.texts
    }
    ranked = {}
    for label in rows.texts:
        scored = []
        for family, count in counts[label].items():
            next_ = max(share[family, other] for other in rows.texts if other != label)
            weight = count * math.log(share[family, label] / next_)
            if weight > 0:
                scored.append((-weight, -count, family))
        ranked[label] = [_commonest(forms[family]) for _, _, family in sorted(scored)]
    return ranked


def _commonest(forms: Counter[str]) -> str:
    return min(forms, key=lambda word: (-forms[word], word))


def _family(word: str) -> str:
    """What the inflected forms of a word have in common: "charg" of charge, charged, charging."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _STEM:
            return word[: -len(ending)]
    return word


def reordered(text: str) -> Iterator[str]:
    """The last paragraph first."""
    parts = [part for part in text.split("\n\n") if part.strip()]
    if len(parts) > 1:
        yield "\n\n".join([parts[-1], *parts[:-1]])


def shorter(text: str) -> Iterator[str]:
    """Without one of its sentences, the last first; a list and its heading go as a whole."""
    parts = [part for part in text.split("\n\n") if part.strip()]
    for at in reversed(range(len(parts))):
        if _LISTED.search(parts[at]):
            rests = [""]
        else:
            said = [each for each in _SENTENCE.split(parts[at]) if each.strip()]
            rests = [" ".join([*said[:n], *said[n + 1 :]]) for n in reversed(range(len(said)))]
        for rest in rests:
            left = [*parts[:at], rest, *parts[at + 1 :]]
            if made := "\n\n".join(part for part in left if part):
                yield made


def _words(texts: Sequence[str]) -> Iterator[str]:
    """Each word once for each text."""
    for text in texts:
        yield from set(_WORD.findall(text.lower()))


def _keys(answer: str) -> tuple[str, ...]:
    try:
        value = json.loads(answer)
    except ValueError:
        return ()
    return tuple(value) if isinstance(value, dict) else ()
