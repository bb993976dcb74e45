"""Retrieved contexts against relevant ones, equal to the formulas and to ranx's numbers."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import pytest

from promptops.errors import ScorerError
from promptops.scorers import context_precision, context_recall, hit_at, mrr, ndcg, try_out

GRADES = {"a": 3, "c": 1, "f": 2, "z": 0}
FOUND = ["b", "a", "d", "c", "e"]


# ranking, grades, k, then ranx 0.3 on them: hit_rate@k, mrr@k, ndcg@k, precision@k, recall@k, and
# mrr, ndcg, precision, recall
RANX: list[tuple[list[str], dict[str, float], int, list[float]]] = [
    (
        ["d2", "d6", "d10", "d0", "d1", "d8", "d12", "d5"],
        {"d0": 2, "d8": 1, "d3": 1, "d14": 1, "d1": 3, "d6": 2},
        1,
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 0.5656007925940042, 0.5, 0.6666666666666666],
    ),
    (
        ["d1", "d3", "d10", "d12", "d9", "d0", "d6", "d11", "d14", "d7", "d4", "d8"],
        {"d6": 3, "d2": 2, "d8": 3, "d1": 3},
        3,
        [
            1.0,
            1.0,
            0.4692787260227565,
            0.3333333333333333,
            0.25,
            1.0,
            0.6631679133603576,
            0.25,
            0.75,
        ],
    ),
    (
        ["d9", "d14", "d10", "d3"],
        {"d1": 3, "d8": 1, "d11": 3, "d14": 1},
        8,
        [1.0, 0.5, 0.10834265593797102, 0.125, 0.25, 0.5, 0.10834265593797102, 0.25, 0.25],
    ),
    (
        ["d6", "d12", "d5", "d7", "d9", "d11", "d13", "d4", "d1", "d14", "d8"],
        {"d9": 3, "d4": 2},
        6,
        [
            1.0,
            0.2,
            0.272312688806029,
            0.16666666666666666,
            0.5,
            0.2,
            0.4203536442889616,
            0.18181818181818182,
            1.0,
        ],
    ),
]


def value(scorer: Any, contexts: Any, relevant: Any, output: str = "An answer.") -> float | None:
    found = try_out(scorer, output, contexts=contexts, relevant=relevant)
    assert not isinstance(found, list)
    return found.value


def ideal(grades: list[float], k: int) -> float:
    return sum(g / math.log2(i + 2) for i, g in enumerate(sorted(grades, reverse=True)[:k]))


@pytest.mark.parametrize(
    ("scorer", "wanted"),
    [
        (hit_at(1), 0.0),
        (hit_at(2), 1.0),
        (mrr(), 0.5),
        (mrr(1), 0.0),
        (ndcg(), (3 / math.log2(3) + 1 / math.log2(5)) / ideal([3, 1, 2, 0], 9)),
        (ndcg(3), (3 / math.log2(3)) / ideal([3, 1, 2, 0], 3)),
        (context_precision(), 2 / 5),
        (context_precision(2), 1 / 2),
        (context_precision(10), 2 / 10),
        (context_recall(), 2 / 3),
        (context_recall(2), 1 / 3),
    ],
    ids=str,
)
def test_by_the_formulas(scorer: Any, wanted: float) -> None:
    """Grades 3, 1, 2 and 0; what has grade 0 is not relevant."""
    assert value(scorer, FOUND, GRADES) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize(("found", "grades", "k", "wanted"), RANX)
def test_by_ranx(found: list[str], grades: dict[str, float], k: int, wanted: list[float]) -> None:
    """The package's own numbers, to 1e-9."""
    first = [hit_at(k), mrr(k), ndcg(k), context_precision(k), context_recall(k)]
    scorers = [*first, mrr(), ndcg(), context_precision(), context_recall()]
    for scorer, figure in zip(scorers, wanted, strict=True):
        assert value(scorer, found, grades) == pytest.approx(figure, abs=1e-9), scorer.name


def test_random_rankings_by_the_textbook() -> None:
    """Two hundred rankings of up to 20, with grades from 0 to 3, each measure written out again."""
    draw = random.Random(29)
    for _ in range(200):
        names = [f"d{i}" for i in range(20)]
        found = draw.sample(names, draw.randint(1, 20))
        grades = {n: draw.randint(0, 3) for n in draw.sample(names, draw.randint(2, 10))}
        if not any(grades.values()):
            continue
        k = draw.randint(1, 12)
        top = [grades.get(name, 0) for name in found[:k]]
        dcg = sum(g / math.log2(i + 2) for i, g in enumerate(top))
        hits = sum(g > 0 for g in top)
        first = next((i for i, g in enumerate(top, 1) if g), None)
        golden = sum(g > 0 for g in grades.values())
        wanted = {
            hit_at(k): float(hits > 0),
            mrr(k): 1 / first if first else 0.0,
            ndcg(k): dcg / ideal([float(g) for g in grades.values()], k),
            context_precision(k): hits / k,
            context_recall(k): hits / golden,
        }
        for scorer, figure in wanted.items():
            assert value(scorer, found, grades) == pytest.approx(figure, abs=1e-12), scorer.name


def test_the_answer_brings_its_own_contexts() -> None:
    """A pipeline that answers with what it retrieved is judged by that, not by the row."""
    answer = json.dumps({"answer": "42", "contexts": [{"id": "a"}, {"text": "c"}]})
    assert value(context_recall(), ["x"], ["a", "c"], answer) == 1.0
    assert value(context_recall(), ["x"], ["a", "c"], '{"answer": "42"}') == 0.0
    assert value(context_recall(), ["x"], ["a", "c"], "{not JSON") == 0.0


def test_other_columns_texts_and_copies() -> None:
    """Lists as text, passages with other white space, a context that stands twice."""
    assert value(context_precision(), '["a", "b"]', '["a"]') == 0.5
    assert value(context_recall(), ["the  cat\nsat"], ["the cat sat"]) == 1.0
    assert value(context_precision(), ["a", "a", "b"], ["a"]) == 0.5
    assert value(hit_at(1), [7], [7]) == 1.0
    scorer = context_recall(relevant="golden", contexts="chunks")
    found = try_out(scorer, "x", golden=["a"], chunks=["a"])
    assert not isinstance(found, list)
    assert found.value == 1.0
    assert scorer.name == "context_recall(relevant=golden, contexts=chunks)"


def test_nothing_retrieved_is_0_and_unknown_is_unscored() -> None:
    """An empty list was retrieved; a missing column, no relevant context and odd grades say why."""
    for scorer in (hit_at(3), mrr(), ndcg(), context_precision(), context_recall()):
        assert value(scorer, [], ["a"]) == 0.0
        for contexts, relevant in ((None, ["a"]), (["a"], []), (["a"], {"a": -1}), (["a"], 5)):
            found = try_out(scorer, "x", contexts=contexts, relevant=relevant)
            assert not isinstance(found, list)
            assert found.value is None
            assert (found.unscored or "").startswith("missing ")


def test_wrong_arguments_are_said_when_built() -> None:
    """k is a whole number from 1, a column is a text."""
    for k in (0, -1, 1.5, True, "3"):
        with pytest.raises(ScorerError, match="whole number from 1"):
            hit_at(k)  # type: ignore[arg-type]
    with pytest.raises(ScorerError, match="two columns"):
        mrr(contexts="")
