"""A real small model on loopback, SmolLM2-135M-Instruct served by llama.cpp: what a study does with
replies that nobody wrote. The model is too weak to judge prompts by; only the mechanics are tested.

`.ci/llm WORK` makes the environment and prints its Python, which PROMPTOPS_LLM_PYTHON hands over.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

from promptops.lab import Lab
from promptops.models.endpoint import EndpointModel
from promptops.models.protocol import Call, Reply
from promptops.scorers import JudgeModel, contains, equals, json_schema, rubric

pytestmark = pytest.mark.llm

ROOT = Path(__file__).resolve().parents[2]
BBH = ROOT.parent / "shared" / "data" / "bbh"
SHOTS = """\
Evaluate the result of a random Boolean expression.

Q: not ( ( not not True ) ) is
A: False

Q: True and False and not True and True is
A: False

Q: not not ( not ( False ) ) is
A: True

Q: {{input}}
A:"""
SHORT = {"temperature": 0, "max_tokens": 4}
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string", "enum": ["Paris", "Rome", "Berlin"]}},
    "required": ["city"],
    "additionalProperties": False,
}


@contextmanager
def serving(*options: str) -> Iterator[str]:
    """The server in a process of the environment that holds it; gives its address."""
    python = os.environ["PROMPTOPS_LLM_PYTHON"]
    child = subprocess.Popen(
        [python, "-m", "promptops.models.local", *options],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    try:
        address = child.stdout.readline().strip()
        assert address, child.stderr.read()
        yield address
    finally:
        child.terminate()
        child.communicate()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    if "PROMPTOPS_LLM_PYTHON" not in os.environ:
        pytest.skip("PROMPTOPS_LLM_PYTHON names no Python that has xllamacpp; .ci/llm makes one")
    with serving() as found:
        yield found


@pytest.fixture
def lab(address: str, make_lab: Callable[..., Any]) -> Any:
    return make_lab(models={"smollm2": openai.OpenAI(base_url=address, api_key="none")})


def expressions(count: int) -> list[dict[str, str]]:
    """Boolean expressions of BIG-Bench Hard, as they were published."""
    if not BBH.exists():
        assert "CI" not in os.environ, f"{BBH} is missing"
        pytest.skip(f"{BBH} is not here")
    with (BBH / "dataset.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line, _ in zip(lines, range(count), strict=False)]
    assert all(row["task"] == "boolean_expressions" for row in rows)
    return [
        {"id": row["id"], "input": row["inputs"]["input"], "expected": row["expected"]}
        for row in rows
    ]


def test_two_versions_on_a_task_of_bbh(lab: Any) -> None:
    """Every answer comes back with its tokens and its model's name and is scored; the comparison
    says what it found and prices nothing; the same study again asks nothing.
    """
    prompt = lab.prompt("boolean")
    plain = prompt.save("True or False? {{input}}", model="smollm2", **SHORT)
    shots = prompt.save(SHOTS, model="smollm2", **SHORT)
    study = lab.evaluate([plain, shots], expressions(24), [contains()])
    runs = study.runs()
    assert study.status == "finished"
    assert len(runs) == 48
    assert set(runs["model_returned"]) == {"smollm2"}
    assert set(runs["failure"].dropna()) <= {"truncated_length"}  # it was cut at four tokens
    assert runs["output"].str.len().min() > 0
    assert (runs["tokens_in"] > 0).all()
    assert runs["tokens_out"].between(1, 4).all()
    assert runs["cost_usd"].isna().all()
    scores = study.scores()
    assert set(scores["value"].dropna()) <= {0.0, 1.0}
    assert "24" in str(study.compare(candidate=shots, baseline=plain))
    again = lab.evaluate([plain, shots], expressions(24), [contains()])
    assert set(again.runs()["id"]) == set(runs["id"])


def test_a_schema_holds(lab: Any) -> None:
    """The server's grammar obeys the version's schema, and the scorer agrees."""
    version = lab.prompt("city").save(
        "Which city is the capital of {{country}}? Answer as JSON.",
        model="smollm2",
        temperature=0,
        max_tokens=64,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "city", "schema": CITY, "strict": True},
        },
    )
    rows = [{"country": country} for country in ("France", "Italy", "Germany")]
    study = lab.evaluate([version], rows, [json_schema(CITY)])
    assert list(study.scores()["value"]) == [1.0] * 3
    assert all(json.loads(output)["city"] for output in study.runs()["output"])


def test_a_streamed_answer_is_the_whole_one(address: str, make_lab: Callable[..., Any]) -> None:
    """The same request streamed and whole: equal text, tokens and finish; the time to the first
    token is known of the stream alone.
    """
    found = []
    for stream in (True, False):
        model = EndpointModel(base_url=address, stream=stream)
        lab = make_lab(f"stream-{stream}", models={"smollm2": model})
        version = lab.prompt("count").save(
            "Count from {{n}} to ten.",
            model="smollm2",
            temperature=0,
            max_tokens=24,
            seed=1,
        )
        study = lab.evaluate([version], [{"n": "one"}, {"n": "two"}], [contains("3")])
        found.append(study.runs().sort_values("example_id"))
    streamed, whole = found
    for column in ("output", "tokens_in", "tokens_out", "finish_reason", "model_returned"):
        assert list(streamed[column]) == list(whole[column]), column
    assert streamed["first_token_ms"].notna().all()
    assert (streamed["first_token_ms"] <= streamed["latency_ms"]).all()
    assert whole["first_token_ms"].isna().all()


class Counted(EndpointModel):
    """Counts what is asked, and says when the fifth answer is there."""

    def __init__(self, address: str) -> None:
        super().__init__(base_url=address, label="counted")
        self.asked, self.five = 0, threading.Event()

    async def complete(self, call: Call) -> Reply:
        self.asked += 1
        reply = await super().complete(call)
        if self.asked >= 5:
            self.five.set()
        return reply


def test_a_study_that_is_stopped_goes_on_where_it_was(
    address: str, make_lab: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after five answers, run again: those five are the same rows, and the model is asked
    for the others alone.
    """
    rows = expressions(16)

    def evaluated() -> tuple[Any, Counted]:
        model = Counted(address)
        lab = make_lab(models={"smollm2": model})
        version = lab.prompt("boolean").save(SHOTS, model="smollm2", **SHORT)
        return lab.evaluate([version], rows, [contains()], concurrency=1), model

    with monkeypatch.context() as patch:
        patch.setattr(
            "promptops.lab.ask_models.in_kernel", lambda: True
        )  # where a cell ends at once
        first, model = evaluated()
        assert model.five.wait(120)
        first.progress.stop()
        first.wait()
    assert first.status == "stopped"
    runs = first.runs()
    kept = set(runs[runs["output"].notna()]["id"])
    assert 4 <= len(kept) < 16
    second, model = evaluated()
    assert second.status == "finished"
    assert model.asked == 16 - len(kept)
    assert kept < set(second.runs()["id"])


def test_a_request_that_is_too_long_is_named_so(lab: Any) -> None:
    """llama.cpp's own refusal: the class is context_length, one attempt, no score; the other
    example is answered.
    """
    version = lab.prompt("long").save("Sum up: {{text}}", model="smollm2", **SHORT)
    rows = [{"id": "long", "text": "word " * 3000}, {"id": "short", "text": "a word"}]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that an example could not be answered
        study = lab.evaluate([version], rows, [equals("x")])
    runs = study.runs().set_index("example_id")
    assert runs.loc["long", "failure"] == "context_length"
    assert "exceeds the available context size" in runs.loc["long", "failure_detail"]
    assert runs.loc["long", "attempts"] == 1
    assert runs.loc["short", "output"]


def test_another_model_behind_the_same_port_is_said(
    address: str, make_lab: Callable[..., Any]
) -> None:
    """The server is exchanged for one that serves another name: the older answers are kept, and
    the study says that they are of another model.
    """
    rows = expressions(6)
    port = "0"
    for name, count, said in (("first-model", 3, []), ("other-model", 6, ["first-model"])):
        with serving("--name", name, "--port", port) as found:
            port = found.split(":")[2].split("/")[0]
            client = openai.OpenAI(base_url=found, api_key="none")
            lab: Lab = make_lab(models={"m": client})
            version = lab.prompt("boolean").save(SHOTS, model="m", **SHORT)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                study = lab.evaluate([version], rows[:count], [contains()])
            assert study.status == "finished"
        notes = [str(each.message) for each in caught if "more than one" in str(each.message)]
        assert [name for name in said if name not in "".join(notes)] == []
        assert len(notes) == len(said)
    assert "other-model (3)" in notes[0]
    assert "fresh=True" in notes[0]


def test_a_weak_judge_is_read_or_named(lab: Any) -> None:
    """Each answer has a score in [0, 1] or the reason why there is none; whole answers are judged,
    at most as often as the judge may try, and each of its calls is a row.
    """
    judge = JudgeModel("smollm2", settings={"temperature": 0, "max_tokens": 96}, tries=2)
    version = lab.prompt("greet").save(
        "Greet {{name}}.", model="smollm2", temperature=0, max_tokens=48
    )
    rows = [{"name": name} for name in ("Ada", "Grace", "Edsger")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a judge that is not calibrated
        study = lab.evaluate([version], rows, [rubric("The answer is a greeting.", judge=judge)])
    scores = study.scores()
    assert len(scores) >= 3
    assert (scores["value"].notna() | scores["unscored"].notna()).all()
    assert scores["value"].dropna().between(0, 1).all()
    whole = int(study.runs()["failure"].isna().sum())
    [(judged,)] = lab.store.rows("select count(*) from runs where role = 'judge'")
    assert whole > 0
    assert whole <= judged <= judge.tries * whole
