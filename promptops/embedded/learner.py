"""Decides among labels by how near a text is to their names, their definitions and the examples
that the prompt gives.

Nothing is known beforehand but language basics (language.py): a label none of whose words, and none
of whose examples' words, occur in a text wins nothing by it. Same prompt and text, same scores, in
any process.

Names and definitions vote with the words that they share with a text. Examples correct that vote: a
softmax regression in the space of text similarities (kernel logistic regression in dual form,
Jaakkola and Haussler 1999) is fitted to them once, with the definitions' vote as its fixed start,
so that examples that agree with the definitions change little.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from .brief import Field, Scalar
from .word_forms import COMMON, tokens

__all__ = ["SHARP", "Learner", "shares"]

# weights of what texts may share; tuned on the train and val splits of the support tickets, never
# on their test split
PIECE = 4  # characters of a piece of a word
PIECES = 1.1  # all pieces of a word, beside the word itself
PAIR = 0.2  # two words in a row
CUE = 0.65  # a question, a negation
ORDINARY = 0.55  # one of the commonest words
NAME = 0.4  # a label's name, beside its definition
AGAINST = -0.6  # words of a definition behind "not" or "except"
LENGTH = 0.2  # how much a long definition is reduced: its vote is divided by its size to this power
REST = 0.15  # what "everything else" starts with
STEPS, RATE, SHARP = (
    20,
    0.2,
    12.0,
)  # of the regression: passes over the examples, step, slope of the softmax
PRIOR, PSEUDO = (
    0.2,
    6.0,
)  # how often the examples show a label; examples of even shares that are added to them
MAX_TOKENS = 3000  # of one text: the head of anything longer
MAX_EXAMPLES = 120  # that are learnt from, the last ones; the work grows with their square

_REST = re.compile(
    r"\b(?:(?:any|every)thing else|what(?:ever|soever) (?:else|remains)|otherwise|all other|all the"
    r" rest|the rest|none of|(?:by )?default|"
    r"anything that does not|other cases|else)\b",
    re.I,
)
_EXCEPT = re.compile(
    r"(?:[,;(]\s*(?:but\s+)?(?:not|no|never)|(?:,\s*)?\b(?:but not|except(?: for)?|excluding|other"
    r" than|rather than))\s+(?P<what>[^,;.()]{2,120})",
    re.I,
)

Bag = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Said:
    """One piece of a definition. weight: below 0 if it speaks against the label."""

    label: int
    text: str
    weight: float


class Learner:
    """One field to decide. labels: the allowed values; scores(words) gives one number per label,
    higher is likelier.

    examples: (text, value) pairs; those whose value is not a label are left out.
    """

    def __init__(self, field: Field, examples: Iterable[tuple[str, Scalar]]) -> None:
        self.labels = [label.value for label in field.labels]
        place = {_same(value): index for index, value in enumerate(self.labels)}
        shown = [(text, place[_same(value)]) for text, value in examples if _same(value) in place][
            -MAX_EXAMPLES:
        ]
        self._votes = _votes(list(_said(field)), len(self.labels))
        self._start = [REST if _REST.search(label.definition) else 0.0 for label in field.labels]
        bags = [_bag(tokens(text)) for text, _ in shown]
        answers = [label for _, label in shown]
        self._rarity = _rarity(bags)
        self._postings = _postings([_unit(bag, self._rarity) for bag in bags])
        self._pull = self._fitted(bags, answers)
        if answers:
            count, even = Counter(answers), PSEUDO / len(self.labels)
            self._start = [
                start
                + PRIOR * math.log((count[label] + even) / (len(answers) / len(self.labels) + even))
                for label, start in enumerate(self._start)
            ]

    def scores(self, words: Sequence[str]) -> list[float]:
        """One number per label, in the order of `labels`, for the tokens of a text."""
        bag = _bag(words)
        found = self._told(bag)
        if self._pull:
            for index, near in self._near(bag).items():
                for label, pull in enumerate(self._pull[index]):
                    found[label] += near * pull
        return found

    def _told(self, bag: Bag) -> list[float]:
        """The vote of names and definitions alone."""
        found = [0.0] * len(self.labels)
        for feature, count in bag.items():
            for label, weight in self._votes.get(feature, ()):
                found[label] += count * weight
        size = math.sqrt(sum(count * count for count in bag.values())) or 1.0
        return [start + vote / size for start, vote in zip(self._start, found, strict=True)]

    def _near(self, bag: Bag) -> dict[int, float]:
        """Example -> cosine to the text, in [0, 1]."""
        found: dict[int, float] = {}
        for feature, weight in _unit(bag, self._rarity).items():
            for index, other in self._postings.get(feature, ()):
                found[index] = found.get(index, 0.0) + weight * other
        return found

    def _fitted(self, bags: Sequence[Bag], answers: Sequence[int]) -> list[list[float]]:
        """How each example pulls each label, one row per example, by stochastic gradient steps in
        the order given.
        """
        pull = [[0.0] * len(self.labels) for _ in bags]
        near = [list(self._near(bag).items()) for bag in bags]
        told = [self._told(bag) for bag in bags]
        for _ in range(STEPS if len(self.labels) > 1 else 0):
            for index, answer in enumerate(answers):
                scores = list(told[index])
                for other, weight in near[index]:
                    row = pull[other]
                    for label in range(len(scores)):
                        scores[label] += weight * row[label]
                for label, share in enumerate(shares(scores, SHARP)):
                    pull[index][label] += RATE * ((label == answer) - share)
        return pull


def shares(scores: Sequence[float], slope: float) -> list[float]:
    """The softmax of slope times the scores: as many numbers in [0, 1], together 1."""
    top = max(scores)
    weights = [math.exp(slope * (score - top)) for score in scores]
    whole = sum(weights)
    return [weight / whole for weight in weights]


def _said(field: Field) -> Iterable[_Said]:
    for index, label in enumerate(field.labels):
        yield _Said(index, re.sub(r"[_\-/]+", " ", str(label.value)), NAME)
        for match in _EXCEPT.finditer(label.definition):
            yield _Said(index, match["what"], AGAINST)
        rest = _REST.sub(" ", _EXCEPT.sub(" ", label.definition))
        if rest.strip():
            yield _Said(index, rest, 1.0)


def _same(value: Scalar) -> str:
    return re.sub(r"[\s_-]+", " ", str(value)).strip().lower()


def _votes(wording: Sequence[_Said], n: int) -> dict[str, list[tuple[int, float]]]:
    """Feature -> (label, weight) pairs.

    A feature that all labels share tells nothing, one of a single label tells most.
    """
    bags = [_bag(tokens(each.text)) for each in wording]
    owners: dict[str, set[int]] = {}
    for each, bag in zip(wording, bags, strict=True):
        for feature in bag:
            owners.setdefault(feature, set()).add(each.label)
    found: dict[str, list[tuple[int, float]]] = {}
    for each, bag in zip(wording, bags, strict=True):
        size = math.sqrt(sum(count * count for count in bag.values())) or 1.0
        for feature, count in bag.items():
            weight = (
                each.weight
                * count
                * math.log((n + 1) / len(owners[feature]))
                / math.log(n + 1)
                / size**LENGTH
            )
            found.setdefault(feature, []).append((each.label, weight))
    return found


def _bag(words: Sequence[str]) -> dict[str, float]:
    """Feature -> weight: words (a second time counts less), their pieces, and pairs of words in a
    row.
    """
    bag: dict[str, float] = {}
    words = words[:MAX_TOKENS]
    for word, count in Counter(words).items():
        times = 1.0 + math.log(count)
        for feature, weight in _features(word):
            bag[feature] = bag.get(feature, 0.0) + times * weight
    for first, second in pairwise(words):
        bag[f"{first} {second}"] = PAIR
    return bag


@lru_cache(maxsize=20_000)
def _features(word: str) -> tuple[tuple[str, float], ...]:
    """A word and its pieces, so that "delivery" is near "undelivered", and a slip of the pen near
    what was meant.
    """
    if word.startswith("?"):
        return ((word, CUE),)
    weight = ORDINARY if word in COMMON else 1.0
    if len(word) < PIECE:
        return ((word, weight),)
    marked = f"<{word[:24]}>"
    pieces = [marked[at : at + PIECE] for at in range(len(marked) - PIECE + 1)]
    return (
        (word, weight),
        *((f"~{piece}", weight * PIECES / math.sqrt(len(pieces))) for piece in pieces),
    )


def _rarity(bags: Sequence[Bag]) -> dict[str, float]:
    """Feature -> how rare it is among the examples: 1 if one has it, near 0 if all have.

    What none has counts as rare.
    """
    n = len(bags)
    if n < 2:
        return {}
    held = Counter(feature for bag in bags for feature in bag)
    return {
        feature: max(math.log((n + 2) / (count + 1)) / math.log((n + 2) / 2), 0.05)
        for feature, count in held.items()
    }


def _unit(bag: Bag, rarity: Mapping[str, float]) -> dict[str, float]:
    """The bag with rare features before others, as a vector of length 1."""
    weighed = {feature: count * rarity.get(feature, 1.0) for feature, count in bag.items()}
    size = math.sqrt(sum(weight * weight for weight in weighed.values())) or 1.0
    return {feature: weight / size for feature, weight in weighed.items()}


def _postings(vectors: Sequence[Bag]) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for index, vector in enumerate(vectors):
        for feature, weight in vector.items():
            found.setdefault(feature, []).append((index, weight))
    return found
