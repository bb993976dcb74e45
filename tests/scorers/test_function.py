"""Any function is a scorer: bound by argument names, versioned by what it does, its verdict read as
documented.
"""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from promptops.dataset.example import Example
from promptops.errors import ScorerError
from promptops.run import Run
from promptops.score import Score
from promptops.scorers import Case, Scorer, as_scorer, contains, scorer


def case(output: str = "hello", expected: Any = "hello") -> Case:
    run = Run("r-1", "k1:1", "p", "p1-a", "m", "scripted", "model", "e1", None, 0, "{}", output)
    return Case(output, Example("e1", {"q": "?"}, expected), run)


def exact(output: str, expected: str) -> bool:
    return output == expected


def test_binds_arguments_by_name() -> None:
    """A plain function is a scorer of its arguments; `expected` without default is a column that it
    needs.
    """
    bound = as_scorer(exact)
    assert isinstance(bound, Scorer)
    assert (bound.name, bound.kind, bound.needs, bound.remote) == (
        "exact",
        "user",
        ("expected",),
        True,
    )
    assert bound.score(case()) == Score(1.0, True)
    everything = scorer(name="all")(
        lambda output, example, expected, run, reference: [
            output,
            example.id,
            expected,
            run.id,
            reference,
        ]
    )
    with pytest.raises(TypeError, match="a scorer gives bool"):
        everything.score(case())
    assert scorer(name="d")(lambda output, expected=None: True).needs == ()
    assert scorer(exact)("a", "a") is True  # still callable


def test_an_option_that_does_not_exist_is_named() -> None:
    """The message lists the options there are, before any function is wrapped."""
    with pytest.raises(TypeError, match=r"no option 'treshold'; its options are name, version,"):
        scorer(treshold=0.5)  # type: ignore[call-overload]


RESULTS = [
    (True, Score(1.0, True)),
    (False, Score(0.0, False)),
    (0.25, Score(0.25)),
    (1, Score(1.0)),
    (np.bool_(True), Score(1.0, True)),
    (np.float64(0.5), Score(0.5)),
    (np.float32(0.5), Score(0.5)),
    ("pass", Score(1.0, True, category="pass")),
    (" Incorrect ", Score(0.0, False, category=" Incorrect ")),
    (Score(0.5, reason="x"), Score(0.5, reason="x")),
    ({"a": True, "b": 0.5}, [Score(1.0, True, name="a"), Score(0.5, name="b")]),
    ([Score(1.0, name="a"), Score(0.0, name="b")], [Score(1.0, name="a"), Score(0.0, name="b")]),
]


@pytest.mark.parametrize(("result", "wanted"), RESULTS, ids=lambda value: str(value)[:30])
def test_results(result: Any, wanted: Any) -> None:
    """bool, numbers, labels, Scores, several Scores and mappings of names are read as
    documented.
    """
    assert scorer(name="f")(lambda output: result).score(case()) == wanted


def test_labels_and_thresholds() -> None:
    """Labels get their values, unknown labels and None stay unscored, a threshold says what
    passes.
    """
    graded = scorer(name="g", labels={"good": 1.0, "so-so": 0.5}, at_least=0.6)
    assert graded(lambda output: "so-so").score(case()) == Score(0.5, False, category="so-so")
    assert graded(lambda output: "bad").score(case()) == Score(
        None, unscored='label "bad" has no value', category="bad"
    )
    found = scorer(name="f")(lambda output: "sarcastic").score(case())
    assert isinstance(found, Score)
    assert found.value is None
    assert found.category == "sarcastic"
    assert scorer(name="f")(lambda output: None).score(case()) == Score.none(
        "f gave no verdict (None)"
    )


@pytest.mark.parametrize("result", [1.5, -0.1, float("nan"), float("inf")])
def test_out_of_range_raises(result: float) -> None:
    """A number outside [0, 1], NaN included, is an error of the scorer and never clipped."""
    with pytest.raises(ScorerError):
        scorer(name="f")(lambda output: result).score(case())


def test_async_functions() -> None:
    """An async function gives an awaitable of the same verdict."""

    @scorer
    async def slow(output: str) -> float:
        await asyncio.sleep(0)
        return 0.5

    async def run() -> Any:
        return await slow.score(case())  # type: ignore[misc]

    assert asyncio.run(run()) == Score(0.5)


def test_versions_follow_what_it_does() -> None:
    """Another source, default, enclosed value, threshold or label is another version; the same is
    the same.
    """

    def made(limit: int) -> Any:
        def short(output: str) -> bool:
            return len(output) < limit

        return scorer(short)

    assert made(3).version == made(3).version
    assert made(3).version != made(4).version
    assert scorer(at_least=0.5)(exact).version != scorer(exact).version
    assert scorer(version="7")(exact).version == "7"
    assert scorer(exact).version.startswith("s-")


WRONG = [
    lambda: as_scorer(lambda output: True),
    lambda: as_scorer(3),
    lambda: as_scorer(contains),
    lambda: as_scorer(Score),
    lambda: scorer(name="f")(lambda answer: True),
    lambda: scorer(name="f")(lambda: True),
    lambda: scorer(name="f", at_least=2)(exact),
    lambda: scorer(name="f", labels={"a": 2.0})(exact),
]


@pytest.mark.parametrize("build", WRONG)
def test_wrong_functions_are_said_when_built(build: Any) -> None:
    """What no case could fill, or has no name, is refused with what to do."""
    with pytest.raises(ScorerError):
        build()


def test_rules_are_scorers_as_they_are() -> None:
    """as_scorer leaves a scorer as it is."""
    rule = contains("a")
    assert as_scorer(rule) is rule


def test_a_function_shows_without_its_address() -> None:
    """A notebook that is run twice shows the same."""

    @scorer
    def polite(output: str) -> bool:
        return True

    assert "polite" in repr(polite)
    assert " at 0x" not in repr(polite)
