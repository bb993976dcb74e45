"""Decides among labels by how near a text is to their names, their definitions and the examples that the prompt gives.

Nothing is known beforehand but grammar (language.py): a label without words that occur in the text, or that occur in an
example like it, wins nothing. Same prompt and text, same scores, in any process.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from .brief import Field, Scalar
from .language import tokens

__all__ = ["Evidence", "Learner"]

PIECE = 4  # characters of a piece of a word
PIECES = 0.35  # what all pieces of a word weigh beside the word
PAIR = 0.5  # what two words in a row weigh beside each
TOLD, SHOWN, CROWD = 1.0, 1.4, 0.5  # definitions; the nearest examples; all examples of a label together
NEAREST = 3
NAME = 0.6  # of a label's name beside its definition
AGAINST = -0.6  # of words in a definition behind "not" or "except"
REST = 0.08  # what "anything else" starts with
MAX_TOKENS = 3000  # of one text: the head of anything longer
_REST = re.compile(
    r"\b(?:(?:any|every)thing else|otherwise|all other|all the rest|the rest|none of|by default|default|anything that does not|other cases|else)\b",
    re.I,
)
_EXCEPT = re.compile(
    r"(?:,|;|\(|\s)\s*(?:but\s+)?(?:not|except|excluding|other than|rather than|never|no)\s+(?P<what>[^,;.()]{2,120})", re.I
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One text that speaks for a label. weight: negative where it speaks against it; shown: it is an example."""

    label: int
    text: str
    weight: float
    shown: bool = False


class Learner:
    """One field to decide. labels: the allowed values; scores(text) gives one number a label, higher is likelier."""

    def __init__(self, field: Field, examples: Iterable[tuple[str, Scalar]]) -> None:
        self.labels = [label.value for label in field.labels]
        evidence = list(_told(field))
        place = {_same(value): index for index, value in enumerate(self.labels)}
        for text, value in examples:
            if _same(value) in place:
                evidence.append(Evidence(place[_same(value)], text, 1.0, shown=True))
        self._evidence = evidence
        self._start = [REST if _REST.search(label.definition) else 0.0 for label in field.labels]
        bags = [_bag(tokens(each.text)) for each in evidence]
        self._idf = _rarity(bags, [each.label for each in evidence], len(self.labels))
        self._postings: dict[str, list[tuple[int, float]]] = {}
        for index, (each, bag) in enumerate(zip(evidence, bags, strict=True)):
            weights = {feature: count * self._idf[feature] for feature, count in bag.items()}
            norm = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
            for feature, weight in weights.items():
                if weight:
                    self._postings.setdefault(feature, []).append((index, weight * self._idf[feature] * each.weight / norm))
        self._shown = [[i for i, each in enumerate(evidence) if each.shown and each.label == label] for label in range(len(self.labels))]
        self._told = [[i for i, each in enumerate(evidence) if not each.shown and each.label == label] for label in range(len(self.labels))]

    def scores(self, words: Sequence[str]) -> list[float]:
        """One number a label for the tokens of a text."""
        sums = [0.0] * len(self._evidence)
        size = 0.0
        for feature, count in _bag(words).items():
            idf = self._idf.get(feature)
            size += (count * (idf if idf is not None else 1.0)) ** 2
            for index, weight in self._postings.get(feature, ()):
                sums[index] += count * weight
        norm = math.sqrt(size) or 1.0
        found = []
        for start, told, shown in zip(self._start, self._told, self._shown, strict=True):
            score = start + TOLD * sum(sums[index] for index in told) / norm
            if shown:
                near = sorted((sums[index] for index in shown), reverse=True)
                score += SHOWN * sum(near[:NEAREST]) / norm / NEAREST + CROWD * sum(near) / norm / len(near)
            found.append(score)
        return found


def _told(field: Field) -> Iterable[Evidence]:
    for index, label in enumerate(field.labels):
        yield Evidence(index, re.sub(r"[_\-/]+", " ", str(label.value)), NAME)
        said = label.definition
        for match in _EXCEPT.finditer(said):
            yield Evidence(index, match["what"], AGAINST)
        said = _REST.sub(" ", _EXCEPT.sub(" ", said))
        if said.strip():
            yield Evidence(index, said, 1.0)


def _same(value: Scalar) -> str:
    return re.sub(r"[\s_-]+", " ", str(value)).strip().lower()


def _bag(words: Sequence[str]) -> dict[str, float]:
    """Feature -> weight: words (once counts most), their pieces, and pairs of words in a row."""
    bag: dict[str, float] = {}
    previous = ""
    for word, count in Counter(words[:MAX_TOKENS]).items():
        times = 1.0 + math.log(count)
        for feature, weight in _pieces(word):
            bag[feature] = bag.get(feature, 0.0) + times * weight
    for word in words[:MAX_TOKENS]:
        if previous:
            bag[f"{previous} {word}"] = PAIR
        previous = word
    return bag


@lru_cache(maxsize=20_000)
def _pieces(word: str) -> tuple[tuple[str, float], ...]:
    """A word and its pieces, so that "delivery" is near "undelivered" and a slip of the pen near what was meant."""
    if word.startswith("?"):
        return ((word, 1.0),)
    marked = f"<{word[:24]}>"
    pieces = [marked[at : at + PIECE] for at in range(len(marked) - PIECE + 1)] if len(word) >= PIECE else []
    return ((word, 1.0), *((f"~{piece}", PIECES / math.sqrt(len(pieces))) for piece in pieces))


def _rarity(bags: Sequence[dict[str, float]], labels: Sequence[int], n: int) -> dict[str, float]:
    """Feature -> how much it tells: 1 where one label has it, near 0 where all have."""
    owners: dict[str, set[int]] = {}
    for bag, label in zip(bags, labels, strict=True):
        for feature in bag:
            owners.setdefault(feature, set()).add(label)
    return {feature: math.log((n + 1) / len(held)) / math.log(n + 1) for feature, held in owners.items()}
