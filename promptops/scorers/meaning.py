"""Meaning that words alone do not show: closeness by embeddings, and labels by a classifier of your
own.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from ..errors import ScorerError
from ..score import Score
from ..signatures import explained
from .assertion import as_text
from .case import Case
from .declaration import declared
from .embedding import Dense, Embedder, Vectors, cosine, lexical
from .function_version import FunctionVersion
from .golden import EXPECTED, Golden, golden
from .regression import as_golden
from .rule import Judged, Rule, rule, snippet, spelled

__all__ = ["BatchRule", "classified", "similar_meaning"]


@dataclass(frozen=True, slots=True)
class BatchRule(Rule):
    """A rule that judges many cases with one call of what it asks; implements `BatchScorer`."""

    many: Callable[[Sequence[Case]], list[Score] | Awaitable[list[Score]]] = field(
        default=lambda _: [], compare=False, repr=False
    )

    def score_many(self, cases: Sequence[Case]) -> list[Score] | Awaitable[list[Score]]:
        """A score for each case, in order."""
        found = self.many(cases)
        if not inspect.isawaitable(found):
            return list(map(self._held, found))

        async def later() -> list[Score]:
            return list(map(self._held, await found))

        return later()

    def _held(self, score: Score) -> Score:
        threshold = self.threshold
        return (
            score
            if threshold is None or score.value is None
            else replace(score, passed=score.value >= threshold)
        )


@declared(
    "semantic",
    example="similar_meaning()",
    output="the cat",
    value=1.0,
    whole=False,
    source="cosine",
    given={"expected": "The cat."},
)
@explained
def similar_meaning(
    text: str | None = None,
    *,
    column: str = EXPECTED,
    embedder: Embedder | None = None,
    at_least: float | None = None,
) -> Rule:
    """max(0, cosine) of the embeddings of the answer and the golden one. [0, 1], symmetric; 0 if
    one is empty.

    Without an embedder the comparison is lexical, as its name states: it counts shared words and
    parts of words, and does not recognise synonyms. Batches of cases are embedded with one call.

    Args:
        text: a fixed text; None means the row's value of `column`.
        column: the column with the golden answer.
        embedder: texts -> vectors, sync or async, such as
            EndpointEmbedder("text-embedding-3-small"), or the `encode` of a local sentence model.
        at_least: the lowest value that passes; None: nothing passes or fails.
    """
    source = golden("similar_meaning", text, column)
    built = _lexical(source) if embedder is None else _embedded(source, Vectors(embedder))
    return built if at_least is None else built.at_least(at_least)


def _lexical(source: Golden) -> Rule:
    return rule(
        source.spelled(by="lexical"),
        "semantic",
        lambda case: _lexically(case, source),
        needs=source.needs,
        texts=source.texts,
    )


def _embedded(source: Golden, vectors: Vectors) -> BatchRule:
    """The rule of an embedder, which gets the texts of many cases at once."""

    def many(cases: Sequence[Case]) -> list[Score] | Awaitable[list[Score]]:
        wanted = [as_golden(source.of(case)) for case in cases]
        found = vectors.of([case.output for case in cases] + wanted, cases)
        if not inspect.isawaitable(found):
            return _paired(found)

        async def later() -> list[Score]:
            return _paired(await found)

        return later()

    def score(case: Case) -> Judged:
        found = many([case])
        return found[0] if isinstance(found, list) else _first(found)

    plain = rule(
        source.spelled(by=vectors.name),
        "semantic",
        score,
        needs=source.needs,
        texts=source.texts,
        inner=vectors.version_now,
        remote=True,
    )
    return BatchRule(
        **{name: getattr(plain, name) for name in Rule.__dataclass_fields__}, many=many
    )


def _paired(vectors: Dense) -> list[Score]:
    """The first half of the vectors against the second."""
    half = len(vectors) // 2
    return [_close(one, two) for one, two in zip(vectors[:half], vectors[half:], strict=True)]


async def _first(found: Awaitable[list[Score]]) -> Score:
    return (await found)[0]


def _lexically(case: Case, source: Golden) -> Score:
    wanted = lexical(as_golden(source.of(case)))
    return Score(max(0.0, cosine(lexical(case.output), wanted)))


def _close(one: tuple[float, ...], two: tuple[float, ...]) -> Score:
    if not one or not two:
        return Score(0.0, reason="an empty text has no meaning to compare")
    value = cosine(one, two)
    return Score(max(0.0, value), raw_value=value, unit="cosine")


@declared("semantic", example='classified(str.upper, "YES")', output="yes", value=1.0)
@explained
def classified(classifier: Callable[[str], object], *wanted: str, column: str = "expected") -> Rule:
    """The classifier gives the answer one of the wanted labels (or this row's label in the column).
    0 or 1; label: the label that it gave.

    Args:
        classifier: text -> label as text, sync or async, with a name; the time limit for your own
            functions applies to it.
        wanted: the labels that pass; if empty, the row's value of `column`.
        column: the column with the golden label.
    """
    name = getattr(classifier, "__name__", type(classifier).__name__)
    if not callable(classifier) or name == "<lambda>":
        raise ScorerError(
            "classified takes a function of the text that has a name and gives a label."
        )
    if not all(isinstance(label, str) and label for label in wanted):
        raise ScorerError(
            'classified takes the wanted labels as texts, as in classified(tone, "friendly").'
        )

    code = FunctionVersion(classifier)

    def read(label: object, case: Case) -> Score:
        if not isinstance(label, str):
            raise TypeError(f"the classifier {name} gave {type(label).__name__} instead of a label")
        allowed = wanted or (as_text(case.example.column(column)),)
        ok = label in allowed
        return Score(
            float(ok),
            ok,
            category=label,
            reason="" if ok else f"is {snippet(label, 40)}, expected {' or '.join(allowed)[:200]}",
        )

    def score(case: Case) -> Judged:
        given = code.calling(lambda: classifier(case.output))
        if not inspect.isawaitable(given):
            return read(given, case)

        async def later() -> Score:
            return read(await given, case)

        return later()

    spec = (
        spelled("classified", name, *wanted)
        if wanted
        else spelled("classified", name, column=column)
    )
    return rule(
        spec,
        "user",
        score,
        needs=[] if wanted else [column],
        inner=lambda: code.now(classifier),
        remote=True,
    )
