"""From a Brief and a text to an answer in the form that was asked for.

The same prompt, text and chance give the same answer in any process. Words that the prompt forbids
never occur in it.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from . import answer_form, ids
from .brief import Brief, Scalar
from .learner import SHARP, Learner, shares
from .reader import KEPT, Told, brief_of
from .word_forms import sentences, tokens

__all__ = ["Chance", "answer"]

QUOTE = 240  # characters of the text that prose quotes
_OPENINGS = (
    "This seems to be",
    "I would say that this is",
    "It is probably",
    "This is most likely",
)


class Chance:
    """Noise of a call: none at temperature 0, else by its own generator, seeded by what was asked
    and how often.
    """

    def __init__(self, temperature: float, seed: str) -> None:
        self._temperature = temperature
        self._random = random.Random(seed)

    def pick(self, scores: Sequence[float]) -> int:
        """The index of the highest score, the first of equals; above temperature 0 one drawn from
        the softmax at that temperature.
        """
        if self._temperature <= 0 or len(scores) < 2:
            return max(range(len(scores)), key=scores.__getitem__)
        noisy = [
            SHARP * score / self._temperature - math.log(-math.log(self._random.random() or 1e-300))
            for score in scores
        ]
        return max(range(len(noisy)), key=noisy.__getitem__)


@dataclass(frozen=True, slots=True)
class _Decided:
    """One decision. sure: its share of the softmax at temperature 1, in [0, 1]."""

    value: Scalar
    sure: float


def answer(told: Told, text: str, rng: Chance) -> str:
    """What the prompt makes of the text."""
    brief, learners = _prepared(told)
    found = tokens(text)
    decided = {name: _decide(learner, found, rng) for name, learner in learners.items()}
    kind = brief.format.kind
    if kind == "json":
        return answer_form.dumps(_values(brief, decided, text), brief.format)
    if kind == "lines":
        values = _values(brief, decided, text)
        return "\n".join(
            f"{key}: {'none' if value is None else _plain(value)}" for key, value in values.items()
        )
    if kind == "label" and decided:
        return _plain(next(iter(decided.values())).value)
    return _prose(brief, decided, text, found, rng)


@lru_cache(maxsize=KEPT)
def _prepared(told: Told) -> tuple[Brief, dict[str, Learner]]:
    """The Brief, and for each field a learner of its examples."""
    brief = brief_of(told)
    learners = {}
    for field in brief.fields:
        pairs = [
            (shot.question, _label_in(shot.fields, shot.answer, field.name)) for shot in brief.shots
        ]
        learners[field.name] = Learner(
            field, [(question, value) for question, value in pairs if value is not None]
        )
    return brief, learners


def _label_in(fields: Mapping[str, object], text: str, name: str) -> Scalar:
    """What an example answers for a field: its value, or the whole answer if that has no
    fields.
    """
    value = fields.get(name) if fields else text.strip().rstrip(".")
    return value if isinstance(value, (str, int, float, bool)) else None


def _decide(learner: Learner, found: Sequence[str], rng: Chance) -> _Decided:
    scores = learner.scores(found)
    index = rng.pick(scores)
    return _Decided(learner.labels[index], shares(scores, SHARP)[index])


def _values(brief: Brief, decided: Mapping[str, _Decided], text: str) -> dict[str, object]:
    """key -> value, in the order of the prompt."""
    sure = min((each.sure for each in decided.values()), default=0.5)
    found: dict[str, Any] = {}
    for key in brief.format.keys:
        if key in decided:
            found[key] = decided[key].value
        elif key in brief.samples or ids.is_id_key(key):
            value = ids.find(text, key, brief.samples.get(key, ()))
            found[key] = brief.absent.get(key) if value is None else _allowed(value, brief.unsaid)
        elif key.lower() in ("confidence", "score", "certainty", "probability"):
            found[key] = round(sure, 2)
        else:
            found[key] = _extract(text, brief.unsaid, 160)
    return found


def _prose(
    brief: Brief, decided: Mapping[str, _Decided], text: str, found: Sequence[str], rng: Chance
) -> str:
    """A sentence or two that quote the text; without labels, a guess by its longest word."""
    opening = _OPENINGS[rng.pick([0.2, 0.0, 0.0, 0.0])]
    quote = _extract(text, brief.unsaid, QUOTE)
    wording = f' The text says: "{quote}"' if quote else ""
    if decided:
        values = [
            _plain(each.value) if name == "label" else f"{name} {_plain(each.value)}"
            for name, each in decided.items()
        ]
        return _allowed(f"{opening} {', '.join(values)}.{wording}", brief.unsaid)
    if not found:
        return "There is no text here that I could say anything about."
    words = [
        word
        for word in re.findall(r"[^\W\d_]{4,24}", text[:2000])
        if not any(_forbids(word, term) for term in brief.unsaid)
    ]
    topic = max(words, key=len, default="something")
    return _allowed(f"{opening} about {topic.lower()}.{wording}", brief.unsaid)


def _extract(text: str, unsaid: Sequence[str], most: int) -> str:
    """The first sentences that hold no forbidden word, cut to `most` characters at a space."""
    taken = ""
    for sentence in sentences(text, 40):
        if any(_forbids(sentence, term) for term in unsaid):
            continue
        joined = f"{taken} {sentence}".strip()
        if taken and len(joined) > most:
            break
        taken = joined
    if len(taken) <= most:
        return taken
    cut = taken[:most].rsplit(" ", 1)[0]
    return f"{cut}…"


def _forbids(text: str, term: str) -> bool:
    return term.lower() in text.lower()


def _allowed(text: str, unsaid: Sequence[str]) -> str:
    for term in unsaid:
        if _forbids(text, term):
            text = re.sub(rf"{re.escape(term)}[\w'’]*", "another one", text, flags=re.I)
    return text


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
