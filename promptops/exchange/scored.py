"""Scores of other tools, gathered with a word about those that are on no scale from 0 to 1."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from .foreign_numbers import number
from .imported import Left

__all__ = ["FileImport"]

# measures of which less is better, in any tool: names without case and marks
_LESS = frozenset(
    (
        *("perplexity", "wordperplexity", "byteperplexity", "bitsperbyte", "brier", "brierscore"),
        *("wer", "cer", "ter", "loss", "nll", "mae", "mse", "rmse", "errorrate"),
    )
)
# what an answer should have none of
_HARMS = frozenset(
    (
        *("hallucination", "hallucinationrate", "hallucinationscore", "hallucinated", "toxicity"),
        *("toxicityscore", "toxicityv1score", "toxic", "istoxic", "harmfulness", "harmful"),
        *("bias", "biasscore", "profanity", "containspii", "pii", "piileakage"),
    )
)
_ROUND = 1e-6  # by which a float of 32 bits is past 1
# MLflow's own judges answer in words, and its means count them so
_WORDS: Mapping[str, float] = {"yes": 1.0, "no": 0.0, "pass": 1.0, "fail": 0.0}
_LETTERS: Mapping[str, float] = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}


@dataclass(slots=True)
class FileImport:
    """What an importer collects beside its runs. file: its name."""

    file: str
    left: dict[Left, None] = field(default_factory=dict)
    outside: set[str] = field(default_factory=set)  # scores with a number that is not from 0 to 1

    def leave(self, what: str, reason: str, nearest: str = "", line: int | None = None) -> None:
        """Name one thing that is not brought over; the same one twice is named once."""
        self.left[Left(self.file, line, what, reason, nearest)] = None

    def score(
        self,
        name: str,
        value: object,
        *,
        letters: bool = False,
        words: bool = False,
        passes: bool = False,
    ) -> float | None:
        """A score in [0, 1]; None if unscored, or on another scale, which is noted.

        letters: C, P, I and N are Inspect's correct, partial, incorrect and no answer; words: yes
        and pass are right, as MLflow's judges say it (elsewhere nobody knows which is good);
        passes: a 1 says that nothing of the kind was found, as promptfoo's assertions do.
        """
        if letters and isinstance(value, str) and value in _LETTERS:
            return _LETTERS[value]
        plain = re.sub(r"[\W_]+", "", name.casefold())
        if plain in _LESS or (plain in _HARMS and not passes):
            self.leave(f"the score {name!r}", "less of it is better", "1 minus it, as a score")
            return None
        if isinstance(value, float) and -_ROUND <= value <= 1 + _ROUND:
            value = min(max(value, 0.0), 1.0)
        found = number(value)
        if found is None and words and isinstance(value, str):
            found = _WORDS.get(value.strip().casefold())
        if found is None and value is not None and value == value:
            if _is_number(value):
                self.outside.add(name)
            shown = type(value).__name__ if isinstance(value, (dict, list)) else repr(value)[:40]
            what = f"the score {name!r}"
            if not any(left.what == what for left in self.left):
                self.leave(what, f"its value {shown} is not from 0 to 1", "scale it first")
        return found


def _is_number(value: object) -> bool:
    """Whether a value is a number on whatever scale, also as text."""
    try:
        return math.isfinite(float(value)) if isinstance(value, (int, float, str)) else False
    except (ValueError, OverflowError):
        return isinstance(value, int)
