"""RecordedModel: what a model reported once, found by example, version and repeat; a missing cell
is an error, never invented.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from promptops.engine.sweep import Question, Sweep
from promptops.errors import CallError, SetupError
from promptops.models.protocol import Call, Model, Reply
from promptops.models.recorded import RecordedModel
from promptops.run import Run
from promptops.version import PromptVersion

V1, V2 = (PromptVersion(f"{n}: {{{{x}}}}", model="m") for n in (1, 2))


def ask(
    model: RecordedModel,
    example: str | None = "e1",
    repeat: int = 0,
    version: PromptVersion | None = None,
) -> Reply:
    return asyncio.run(model.complete(Call({}, version, example_id=example, repeat=repeat)))


def test_repeats_get_the_samples_in_order() -> None:
    """Numbered from 0, from 1 (read as from 0), or by appearance."""
    for samples in ([0, 1], [1, 2], [None]):
        rows: list[dict[str, Any]] = [
            {"example": "e1", "output": "a"},
            {"example": "e1", "output": "b"},
        ]
        if samples != [None]:
            rows = [{**row, "sample": sample} for row, sample in zip(rows, samples, strict=True)]
        model = RecordedModel(rows)
        assert isinstance(model, Model)
        assert [ask(model, repeat=0).text, ask(model, repeat=1).text] == ["a", "b"]


def test_versions_are_found_by_id_or_by_a_label() -> None:
    """A label means a version that is handed in with it."""
    rows = [
        {"example": "e1", "version": "cot", "output": "a"},
        {"example": "e1", "version": V2.id, "output": "b"},
    ]
    model = RecordedModel(rows, versions={"cot": V1})
    assert (ask(model, version=V1).text, ask(model, version=V2).text) == ("a", "b")


def test_a_frame_with_empty_cells_is_read() -> None:
    """NaN, NaT and NA are unknown; numbers come back as such; an output that is missing is an empty
    one.
    """
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "example": ["e1", "e2"],
            "output": ["x", None],
            "tokens_in": [5, float("nan")],
            "cost_usd": [0.25, None],
            "latency_ms": [120.0, float("nan")],
        }
    )
    model = RecordedModel(frame)
    first, second = ask(model, "e1"), ask(model, "e2")
    assert (first.text, first.tokens_in, first.cost_usd, first.failure) == ("x", 5, 0.25, None)
    assert (second.text, second.tokens_in, second.cost_usd, second.failure) == (
        None,
        None,
        None,
        "empty_output",
    )


def test_a_recorded_latency_is_the_runs_latency() -> None:
    """The run of a recording keeps what the call took when it was made, not what looking it up
    takes.
    """
    model = RecordedModel([{"example": "e1", "output": "x", "latency_ms": 1234.5, "cost_usd": 0.5}])
    runs: list[Run] = []
    asked = Question(Call({}, example_id="e1"), model, "k", "p", "v", "m", "e1", "f")
    asyncio.run(Sweep([asked], record=lambda new, attempts: runs.extend(new)).run())
    assert (runs[0].latency_ms, runs[0].cost_usd, runs[0].output) == (1234.5, 0.5, "x")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"example": "e9"}, "has no output of example 'e9', repeat 0; add the row"),
        ({"example": "e1", "repeat": 7}, "has 1 samples of example 'e1', none for repeat 7"),
        ({"example": None}, "answers for examples of a dataset only"),
    ],
)
def test_a_missing_cell_is_an_error_that_names_it(call: dict[str, Any], words: str) -> None:
    """Nothing is invented."""
    with pytest.raises(CallError, match=words) as caught:
        ask(RecordedModel([{"example": "e1", "output": "x"}]), **call)
    assert caught.value.failure == "internal"


def test_recorded_failures_come_back_as_what_they_were() -> None:
    """A model's own failure is a reply, an infrastructure failure is raised."""
    model = RecordedModel(
        [
            {"example": "e1", "output": "half", "failure": "truncated_length"},
            {"example": "e2", "output": None, "failure": "connection"},
        ]
    )
    assert (ask(model).failure, ask(model).text) == ("truncated_length", "half")
    with pytest.raises(CallError) as caught:
        ask(model, "e2")
    assert caught.value.failure == "connection"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ([{"example": "e1", "answer": "x"}], "no column 'output'; they have example, answer"),
        (
            [
                {"example": "e1", "output": "x", "sample": 0},
                {"example": "e1", "output": "y", "sample": 0},
            ],
            "has sample 0 twice, in rows 0 and 1",
        ),
        ([{"example": "e1", "output": "x", "sample": "first"}], "column sample holds something"),
        (
            [{"example": "e1", "output": "x", "failure": "oops"}],
            "failure 'oops' is not a failure class",
        ),
        ([1, 2], "some rows are not dicts"),
        ("text", "got str"),
    ],
)
def test_a_table_that_is_none_is_refused(table: Any, words: str) -> None:
    """What is wrong, where, and what was expected, when the model is made."""
    with pytest.raises(SetupError, match=words):
        RecordedModel(table)


def test_an_empty_recording_is_said_before_a_study() -> None:
    """check raises; len says how many outputs there are."""
    model = RecordedModel([])
    assert len(model) == 0
    with pytest.raises(SetupError, match="has no rows"):
        model.check({})
