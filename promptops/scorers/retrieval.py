"""What was retrieved against what is relevant: hit rate, MRR, nDCG, context precision and recall.

The definitions are those of the field; the package ranx gives the same numbers.

The retrieved contexts are those of the answer, where it is a JSON object with them, else of the
row: a list in ranked order of ids or passages, each a text, a number, or a map with an "id" or a
"text". One that occurs twice counts at its first place. [0, 1], higher is better.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ..errors import ScorerError
from ..score import Score
from ..signatures import explained
from .case import Case
from .declaration import declared
from .reading import NotJSON, read_json
from .rule import Rule, rule, spelled

__all__ = ["context_precision", "context_recall", "hit_at", "mrr", "ndcg"]

Graded = Mapping[str, float]
Measure = Callable[[Sequence[str], Graded], float]
F = TypeVar("F", bound=Callable[..., object])


def _declared(example: str, value: float, *, whole: bool = False) -> Callable[[F], F]:
    """Declare a measure by the same row for all: the second of its two contexts is relevant."""
    return declared(
        "regression",
        example=example,
        output="An answer.",
        value=value,
        whole=whole,
        source="as ranx",
        given={"relevant": ["a", "c"], "contexts": ["b", "a"]},
    )


@_declared("hit_at(1)", 0.0, whole=True)
@explained
def hit_at(k: int, *, relevant: str = "relevant", contexts: str = "contexts") -> Rule:
    """Whether one of the first k contexts is relevant. 0 or 1.

    Args:
        k: how many of the first contexts count.
        relevant: the column of relevant contexts, a list, or a mapping of contexts to grades.
        contexts: the field of the answer, or the column, with the retrieved contexts.
    """
    return _rule("hit_at", k, relevant, contexts, lambda found, wanted: float(_hits(found, wanted)))


@_declared("mrr()", 0.5)
@explained
def mrr(k: int | None = None, *, relevant: str = "relevant", contexts: str = "contexts") -> Rule:
    """1 / rank of the first relevant context, 0 without one; its mean is MRR. [0, 1].

    Args:
        k: only the first k contexts count.
        relevant, contexts: as in `hit_at`.
    """

    def first(found: Sequence[str], wanted: Graded) -> float:
        places = (place for place, name in enumerate(found, 1) if wanted.get(name, 0) > 0)
        return 1 / next(places, math.inf)

    return _rule("mrr", k, relevant, contexts, first)


@_declared("ndcg()", 0.38685280723454163)
@explained
def ndcg(k: int | None = None, *, relevant: str = "relevant", contexts: str = "contexts") -> Rule:
    """Discounted gain of the contexts, grade / log2(rank + 1), over that of the best order
    (Järvelin and Kekäläinen 2002). [0, 1].

    Args:
        k: only the first k ranks count, in the best order too.
        relevant, contexts: as in `hit_at`; without grades each relevant context has grade 1.
    """

    def gained(found: Sequence[str], wanted: Graded) -> float:
        best = sorted(wanted.values(), reverse=True)[:k]
        return _discounted([wanted.get(name, 0.0) for name in found]) / _discounted(best)

    return _rule("ndcg", k, relevant, contexts, gained)


@_declared("context_precision()", 0.5)
@explained
def context_precision(
    k: int | None = None, *, relevant: str = "relevant", contexts: str = "contexts"
) -> Rule:
    """The share of the retrieved contexts, or of k ranks if k is given, that are relevant. [0, 1].

    Args:
        k: only the first k contexts count, and missing ones count as not relevant.
        relevant, contexts: as in `hit_at`.
    """

    def precise(found: Sequence[str], wanted: Graded) -> float:
        places = k or len(found)
        return sum(wanted.get(name, 0) > 0 for name in found) / places if places else 0.0

    return _rule("context_precision", k, relevant, contexts, precise)


@_declared("context_recall()", 0.5)
@explained
def context_recall(
    k: int | None = None, *, relevant: str = "relevant", contexts: str = "contexts"
) -> Rule:
    """The share of the relevant contexts that were retrieved. [0, 1].

    Args:
        k: only the first k contexts count.
        relevant, contexts: as in `hit_at`.
    """

    def recalled(found: Sequence[str], wanted: Graded) -> float:
        golden = [name for name, grade in wanted.items() if grade > 0]
        return len(set(golden) & set(found)) / len(golden)

    return _rule("context_recall", k, relevant, contexts, recalled)


def _rule(name: str, k: int | None, relevant: str, contexts: str, measure: Measure) -> Rule:
    if k is not None and (not isinstance(k, int) or isinstance(k, bool) or k < 1):
        raise ScorerError(f"{name} was given k={k!r}; it takes a whole number from 1.")
    if not all(isinstance(column, str) and column for column in (relevant, contexts)):
        raise ScorerError(f"{name} takes the names of two columns as text.")

    def score(case: Case) -> Score:
        wanted = _graded(case.example.column(relevant))
        if wanted is None or not any(grade > 0 for grade in wanted.values()):
            return Score.none(
                f"missing {relevant}: expected a list of relevant contexts, or a map of contexts to"
                " grades from 0"
            )
        found = _retrieved(case, contexts)
        if found is None:
            return Score.none(
                f"missing {contexts}: neither the answer, read as a JSON object, nor the row has a"
                f" list {contexts!r}"
            )
        value = measure(found[:k], wanted)
        return Score(min(max(value, 0.0), 1.0), bool(value) if name == "hit_at" else None)

    places = [] if k is None else [k]
    named = {
        "relevant": None if relevant == "relevant" else relevant,
        "contexts": None if contexts == "contexts" else contexts,
    }
    return rule(spelled(name, *places, **named), "regression", score, needs=[relevant])


def _retrieved(case: Case, contexts: str) -> list[str] | None:
    """The contexts in order, each once; None if there is no list of them."""
    values: Any = None
    if case.output.lstrip()[:1] == "{":
        answer = read_json(case.output)
        values = answer.get(contexts) if isinstance(answer, dict) else None
    if values is None:
        try:
            values = case.example.column(contexts)
        except KeyError:
            return None
    values = _listed(values)
    return None if values is None else list(dict.fromkeys(map(_name, values)))


def _graded(value: object) -> dict[str, float] | None:
    """Relevant context -> its grade; None if the column holds something else."""
    if isinstance(value, str):
        value = _parsed(value)
    if isinstance(value, Mapping):
        grades = list(value.values())
        if not all(isinstance(g, (int, float)) and 0 <= g < math.inf for g in grades):
            return None
        return {_name(name): float(grade) for name, grade in value.items()}
    values = _listed(value)
    return None if values is None else {_name(name): 1.0 for name in values}


def _listed(value: object) -> list[Any] | None:
    if isinstance(value, str):
        value = _parsed(value)
    if isinstance(value, str):
        return [value] if value.strip() else None
    return list(value) if isinstance(value, (list, tuple)) else None


def _parsed(text: str) -> object:
    """A cell of a text file that holds a list or a map; else the text."""
    if text.lstrip()[:1] in ("[", "{"):
        value = read_json(text)
        return text if isinstance(value, NotJSON) else value
    return text


def _name(value: object) -> str:
    """How a context is known: its id, else its text, white space aside."""
    if isinstance(value, Mapping):
        value = value.get("id", value.get("text", value))
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return " ".join(unicodedata.normalize("NFC", text).split())


def _hits(found: Sequence[str], wanted: Graded) -> bool:
    return any(wanted.get(name, 0) > 0 for name in found)


def _discounted(gains: Sequence[float]) -> float:
    return math.fsum(gain / math.log2(place + 1) for place, gain in enumerate(gains, 1))
