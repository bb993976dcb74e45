"""Overlap with a golden answer as translation and summary are measured: ROUGE-L and chrF, by the
libraries that define them.

Both need the extra `text`, which is reported when the scorer is built. [0, 1], higher is better;
not symmetric by nature: the golden answer is the reference.
"""

from __future__ import annotations

import re

from ..errors import MissingExtra
from ..score import Score
from ..signatures import explained
from .case import Case
from .declaration import declared
from .golden import EXPECTED, golden
from .regression import as_golden
from .rule import Rule, rule

__all__ = ["chrf", "rouge_l"]

_WORDS = 2_000  # of a text: the common subsequence of two such texts takes about a second in Python
_CHARACTERS = 500_000  # of a text: about a second
_PAIRS = 9_000_000  # of words as rouge-score counts them, to which `1,2,3` are three
_WORD = re.compile("[a-z0-9]+")


@declared(
    "regression",
    example="rouge_l()",
    output="the cat sat",
    value=1.0,
    whole=False,
    source="ROUGE-L, rouge-score",
    given={"expected": "the cat sat"},
)
@explained
def rouge_l(text: str | None = None, *, column: str = EXPECTED, stem: bool = False) -> Rule:
    """ROUGE-L F1: the longest common subsequence of words over both lengths, 2PR / (P + R) (Lin
    2004; package rouge-score).

    It is 0 if either text has no words.

    Args:
        text: a fixed text; None means the row's value of `column`.
        column: the column with the golden answer.
        stem: whether words are first reduced to their Porter stem (English).
    """
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError:
        raise MissingExtra("rouge_l", "text") from None
    scorer = RougeScorer(["rougeL"], use_stemmer=stem)
    source = golden("rouge_l", text, column)

    def score(case: Case) -> Score:
        wanted = as_golden(source.of(case))
        if (
            max(len(wanted), len(case.output)) > _CHARACTERS
            or max(len(wanted.split()), len(case.output.split())) > _WORDS
            or _words(wanted) * _words(case.output) > _PAIRS
        ):
            return Score.none(f"too long to compare: more than {_WORDS:,} words")
        return Score(
            min(max(float(scorer.score(wanted, case.output)["rougeL"].fmeasure), 0.0), 1.0)
        )

    spec = source.spelled(stem=stem)
    return rule(spec, "regression", score, needs=source.needs, texts=source.texts)


def _words(text: str) -> int:
    return len(_WORD.findall(text.lower()))


@declared(
    "regression",
    example="chrf()",
    output="the cat sat",
    value=1.0,
    whole=False,
    source="chrF2, sacrebleu",
    given={"expected": "the cat sat"},
)
@explained
def chrf(text: str | None = None, *, column: str = EXPECTED, word_order: int = 0) -> Rule:
    """chrF2 / 100: the F2 score of character n-grams up to 6 (Popovic 2015; package sacrebleu);
    word_order=2 is chrF++.

    Args:
        text: a fixed text; None means the row's value of `column`.
        column: the column with the golden answer.
        word_order: 0 (chrF) or 2 (chrF++): the longest n-gram of words.
    """
    try:
        from sacrebleu.metrics.chrf import CHRF
    except ImportError:
        raise MissingExtra("chrf", "text") from None
    metric = CHRF(word_order=word_order)
    source = golden("chrf", text, column)

    def score(case: Case) -> Score:
        wanted = as_golden(source.of(case))
        if max(len(wanted), len(case.output)) > _CHARACTERS:
            return Score.none(f"too long to compare: more than {_CHARACTERS:,} characters")
        if not wanted.strip() or not case.output.strip():
            return Score(float(wanted.strip() == case.output.strip()))
        return Score(
            min(max(float(metric.sentence_score(case.output, [wanted]).score) / 100, 0.0), 1.0)
        )

    spec = source.spelled(word_order=word_order or None)
    return rule(spec, "regression", score, needs=source.needs, texts=source.texts)
