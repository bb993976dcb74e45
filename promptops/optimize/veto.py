"""What a candidate may not be, found before a call is paid for it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ..dataset import Dataset, Example
from ..dataset.values import values_for
from ..engine.budget import estimate_tokens
from ..errors import PromptOpsError
from ..scorers.case import Scorer
from ..version import PromptVersion

__all__ = ["Vetoes", "golden_columns", "golden_of"]

_TRIED = 5  # rows that a candidate must render
_GRAM = 8  # words in a row that are a copy
_WORD = re.compile(r"\w+")


def golden_columns(scorers: Sequence[Scorer]) -> frozenset[str]:
    """The columns that rules compare with: a candidate that shows one tells the answer."""
    read = {name for scorer in scorers if scorer.kind != "judge" for name in scorer.needs}
    return frozenset({"expected", *read})


def golden_of(primary: Scorer, example: Example) -> object:
    """What the primary compares an answer with: its column where it reads just one, else the golden
    answer; None if the row has none.
    """
    columns = [name for name in primary.needs if name != "checks"]
    try:
        return example.column(columns[0]) if len(columns) == 1 else example.expected
    except KeyError:
        return None


@dataclass(frozen=True)
class Vetoes:
    """The rules of one search. context_tokens: what a request may hold, None if that is not
    known.
    """

    seed: PromptVersion
    train: Dataset
    golden: frozenset[str]
    context_tokens: int | None = None
    rows: tuple[Example, ...] = field(default=())

    def against(self, version: PromptVersion) -> str:
        """Why the candidate is not evaluated, one sentence; "" if it may be."""
        mine = {variable.name for variable in version.variables}
        wanted = {variable.name for variable in self.seed.variables}
        if shown := sorted(mine & self.golden - wanted):
            return f"it shows the golden column {shown[0]!r} to the model."
        if missing := sorted(wanted - mine):
            return f"it lost the variable {missing[0]!r} of the seed."
        if extra := sorted(mine - wanted):
            return f"it has the variable {extra[0]!r}, which the seed has not."
        try:
            for example in self.rows or self.train[:_TRIED]:
                version.to_request(version.render(values_for(version, example)))
        except PromptOpsError as error:
            return f"it does not render: {error}"
        return self._too_long(version)

    def copied(self, version: PromptVersion) -> str:
        """What of the instructions is copied from a train row, as a sentence; "" if nothing is.

        Words that the seed has already are not a copy.
        """
        own = _grams(_text(version)) - _grams(_text(self.seed))
        for id_, grams in self._train_grams:
            if both := own & grams:
                return f"it copies the train row {id_!r}: “{' '.join(min(both))}”."
        return ""

    @cached_property
    def _train_grams(self) -> list[tuple[str, set[tuple[str, ...]]]]:
        return [
            (example.id, _grams(" ".join(map(str, example.inputs.values()))))
            for example in self.train
        ]

    @cached_property
    def _longest(self) -> Example | None:
        return max(self.train, key=lambda each: len(str(each.inputs)), default=None)

    def _too_long(self, version: PromptVersion) -> str:
        if self.context_tokens is None or self._longest is None:
            return ""
        request = version.to_request(version.render(values_for(version, self._longest)))
        size = estimate_tokens(request)
        if size <= self.context_tokens:
            return ""
        return f"its longest request takes about {size:,} of {self.context_tokens:,} tokens."


def _text(version: PromptVersion) -> str:
    return "\n".join(
        content
        for message in version.template
        if isinstance(content := message.get("content"), str)
    )


def _grams(text: str) -> set[tuple[str, ...]]:
    words = _WORD.findall(text.lower())
    return {tuple(words[at : at + _GRAM]) for at in range(len(words) - _GRAM + 1)}
