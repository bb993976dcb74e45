"""A study by batches is handed in once and collected whenever it is run again, in each provider's
protocol; nothing is paid twice and nothing is lost, whatever breaks on the way.
"""

from __future__ import annotations

import asyncio
import functools
import json
import re
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from promptops.engine.batch_pass import BatchPass
from promptops.engine.clock import SystemClock
from promptops.engine.hand_over import BatchPace
from promptops.engine.progress import HandedIn
from promptops.errors import StudyError
from promptops.lab import Lab
from promptops.models.openai_batches import OpenAIBatches
from promptops.scorers import equals, rubric
from promptops.study.batch_records import StoredBatches
from promptops.version import PromptVersion
from tests.faults.batch_server import BatchServer

anthropic = pytest.importorskip("anthropic")
genai = pytest.importorskip("google.genai")

ROWS = [{"id": str(n), "q": f"question {n}", "expected": "yes"} for n in range(6)]
MODELS = {"openai": "gpt-4o-mini", "responses": "gpt-4o-mini", "anthropic": "claude-haiku-4-5",
          "gemini": "gemini-2.5-flash"}  # fmt: skip
PRICES = dict.fromkeys(MODELS.values(), (1.0, 10.0))  # 1,000 in, 100 out: 0.002 USD, half


@functools.cache  # making one takes longer than a batch
def client(kind: str, url: str) -> Any:
    if kind == "anthropic":
        return anthropic.Anthropic(base_url=url, api_key="k" * 20)
    if kind == "gemini":
        return genai.Client(api_key="k" * 20, http_options={"base_url": url})
    return openai.OpenAI(base_url=f"{url}/v1", api_key="k" * 20)


def version(kind: str) -> PromptVersion:
    settings = {"max_tokens": 50} if kind == "anthropic" else None
    api = "chat" if kind == "openai" else kind
    return PromptVersion("Is it so? {{q}}", model=MODELS[kind], api=api, settings=settings)


@pytest.fixture(scope="module")
def provider() -> Iterator[BatchServer]:
    with BatchServer() as server:
        yield server


@pytest.fixture
def server(provider: BatchServer) -> BatchServer:
    provider.reset()
    return provider


@pytest.fixture
def lab(tmp_path: Path, kind: str, server: BatchServer) -> Callable[[], Lab]:
    """Opens the lab as another process would: nothing but the store is shared."""

    def opened() -> Lab:
        return Lab(tmp_path, models={MODELS[kind]: client(kind, server.url)}, prices=PRICES)

    return opened


def ask(lab: Lab, kind: str, **options: Any) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return lab.evaluate([version(kind)], ROWS, [equals()], **{"batch": True, **options})
    finally:
        lab.project.close()


def runs(lab: Lab) -> list[Any]:
    found = lab.store.rows(
        "select failure, output, cost_usd, service_tier, latency_ms from runs order by started_at"
    )
    lab.project.close()
    return found


@pytest.mark.parametrize("kind", list(MODELS))
def test_it_is_handed_in_by_one_process_and_collected_by_another(
    lab: Callable[[], Lab], kind: str, server: BatchServer
) -> None:
    """A study is handed in and returns; a later process collects it at half the price, and a third
    asks nothing.
    """
    server.looks = 2
    study = ask(lab(), kind)
    assert study.status == "handed_in"
    assert study.progress.calls.stopped.startswith("handed in ")
    assert study.recorded.running.shortfalls() == []
    again = [done := ask(lab(), kind)]
    while done.status == "handed_in" and len(again) < 5:
        again.append(done := ask(lab(), kind))
    assert done.status == "finished"
    assert {each.id for each in again} == {study.id}
    assert len(server.made) == 1
    found = runs(lab())
    assert [row[:2] for row in found] == [(None, "yes")] * 6
    assert [round(row[2], 9) for row in found] == [0.001] * 6  # half of 0.002
    assert {row[3] for row in found} == {"batch"}
    assert {row[4] for row in found} == {None}
    assert done.progress.tally(0).mean == 1.0
    ask(lab(), kind)
    assert len(server.made) == 1
    assert set(server.paid.values()) == {1}


@pytest.mark.parametrize("kind", ["openai"])
def test_answers_that_another_process_collects_at_this_moment_are_not_handed_in_again(
    lab: Callable[[], Lab], kind: str, server: BatchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between a study's look for answers and its hand-over, another process hands in and collects
    the same.
    """
    first, whole = [True], BatchPass._all

    async def behind(self: BatchPass) -> None:
        if first:
            first.clear()
            await asyncio.to_thread(ask, lab(), kind, batch="10m")
        await whole(self)

    monkeypatch.setattr(BatchPass, "_all", behind)
    study = ask(lab(), kind)
    assert study.status == "stopped"
    assert "another process collected the answers to 6 questions" in study.progress.calls.stopped
    assert ask(lab(), kind).status == "finished"
    assert len(server.made) == 1
    assert set(server.paid.values()) == {1}


@pytest.mark.parametrize("kind", ["openai"])
@pytest.mark.parametrize("half", [False, True], ids=["all", "half"])
def test_who_waits_for_the_same_batch_records_its_answers_once(
    lab: Callable[[], Lab],
    kind: str,
    server: BatchServer,
    monkeypatch: pytest.MonkeyPatch,
    half: bool,
) -> None:
    """Another process fetches and records the answers while this one fetches them; or it died
    before it had noted that they are recorded.
    """
    server.looks = 1
    ask(lab(), kind)
    first, fetched = [True], OpenAIBatches.results

    async def behind(self: OpenAIBatches, *given: Any) -> Any:
        found = await fetched(self, *given)
        if first:
            first.clear()
            with monkeypatch.context() as patch:
                if half:
                    patch.setattr(StoredBatches, "collected", lambda *_: None)
                await asyncio.to_thread(ask, lab(), kind, batch="10m")
        return found

    monkeypatch.setattr(OpenAIBatches, "results", behind)
    study = ask(lab(), kind, batch="10m", budget_usd=1.0)
    assert study.status == "finished"
    assert study.progress.tally(0).mean == 1.0
    assert len(runs(lab())) == 6
    assert len(server.made) == 1
    assert ask(lab(), kind).status == "finished"
    assert len(server.made) == 1


@pytest.mark.parametrize("kind", ["anthropic"])
def test_a_connection_that_drops_after_the_provider_took_the_batch(
    lab: Callable[[], Lab], kind: str, server: BatchServer
) -> None:
    """The batch is looked for and adopted; where it is not told until it has ended (Anthropic), it
    waits for that and is not handed in again.
    """
    server.looks, server.drop = 1, [True]
    first = ask(lab(), kind)
    assert first.status == "handed_in"
    assert len(server.made) == 1
    server.end("completed", len(ROWS))
    done = ask(lab(), kind)
    assert done.status == "finished"
    assert len(server.made) == 1
    assert set(server.paid.values()) == {1}


@pytest.mark.parametrize("kind", list(MODELS))
def test_a_batch_is_found_again_by_a_host_whose_clock_is_hours_ahead(
    lab: Callable[[], Lab], kind: str, server: BatchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection drops after the provider took it, and it looks older than its hand-over."""
    monkeypatch.setattr(SystemClock, "wall", lambda self: time.time() + 20 * 3600.0)
    monkeypatch.setattr("promptops.engine.batch_pass.BatchPace", _impatient)
    server.looks, server.drop = 1, [True]
    for _ in range(4):
        if ask(lab(), kind).status == "finished":
            break
        server.end("completed", len(ROWS))
    assert len(server.made) == 1
    assert set(server.paid.values()) == {1}


@pytest.mark.parametrize("kind", ["openai"])
def test_a_connection_that_drops_before_the_provider_took_the_batch(
    lab: Callable[[], Lab], kind: str, server: BatchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is handed in again only once it is certain that none came to be."""
    server.drop = [False]
    assert ask(lab(), kind).status == "handed_in"
    assert ask(lab(), kind).status == "handed_in"
    assert server.made == []
    monkeypatch.setattr("promptops.engine.batch_pass.BatchPace", _impatient)
    assert ask(lab(), kind).status == "finished"
    assert len(server.made) == 1
    assert set(server.paid.values()) == {1}


def _impatient(wait_s: float = 0.0) -> BatchPace:
    return BatchPace(wait_s, 0.02, 0.05, settled_s=-1.0)


@pytest.mark.parametrize("kind", ["gemini"])
def test_a_batch_that_nobody_can_look_up_is_left_to_a_person(
    lab: Callable[[], Lab], kind: str, server: BatchServer
) -> None:
    """Where the provider does not list its batches, nothing is handed in again, and the sentence
    names both ways on.
    """
    server.drop, server.lists = [True], False
    study = ask(lab(), kind)
    told = study.progress.calls.stopped
    assert "promptops batches adopt b-" in told
    assert "promptops batches forget b-" in told
    assert ask(lab(), kind).progress.calls.stopped == told
    assert len(server.made) == 1
    server.lists = True
    server.end("completed", len(ROWS))
    assert ask(lab(), kind).status == "finished"
    assert set(server.paid.values()) == {1}


@pytest.mark.parametrize(
    ("kind", "state", "failure"),
    [
        ("openai", "expired", "overloaded"),
        ("anthropic", "expired", "overloaded"),
        ("gemini", "expired", "overloaded"),
        ("openai", "cancelled", "cancelled"),
    ],
)
def test_a_part_that_was_not_answered_is_asked_for_again_and_no_other(
    lab: Callable[[], Lab], kind: str, server: BatchServer, state: str, failure: str
) -> None:
    """Of a batch that expired or was cancelled the answers that it has are kept; what it lacks is
    unscored, costs nothing, and goes into the next batch. An error of one request is read as that
    of a single call.
    """
    server.looks = 9
    ask(lab(), kind)
    [made] = server.made
    made.faults[made.items[1][0]] = _fault(kind)
    server.end(state, 4)
    part = ask(lab(), kind)
    found = sorted(str(row[0]) for row in runs(lab()))
    assert found == sorted(["None"] * 3 + ["context_length"] + [failure] * 2)
    assert part.progress.calls.failed == {failure: 2, "context_length": 1}
    server.looks = 0
    assert ask(lab(), kind).status == "finished"
    assert [len(made.items) for made in server.made] == [6, 2]
    assert set(server.paid.values()) == {1}


def _fault(kind: str) -> Any:
    words = "prompt is too long: 9000 tokens > 8000 maximum context length"
    if kind == "anthropic":
        inner = {"type": "invalid_request_error", "message": words}
        return {"type": "error", "error": inner, "request_id": "r"}
    if kind == "gemini":
        return {"code": 3, "message": words}
    return {"status_code": 400, "request_id": "r", "body": {"error": {"message": words}}}


@pytest.mark.parametrize("kind", ["openai"])
class TestOneProtocol:
    """What does not depend on the provider's protocol."""

    def test_waiting_collects_in_the_same_run(
        self,
        lab: Callable[[], Lab],
        kind: str,
        server: BatchServer,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """With a time to wait, one run hands in, looks again and again, and collects."""
        monkeypatch.setattr("promptops.engine.batch_pass.BatchPace", _impatient)
        server.looks = 3
        assert ask(lab(), kind, batch="20s").status == "finished"
        assert server.seen["look batch_0000"] >= 4

    def test_judges_are_asked_by_one_batch_too(
        self, tmp_path: Path, server: BatchServer, kind: str
    ) -> None:
        """All judges' questions go into one batch, after the answers are back."""
        server.say = _judged

        def run() -> Any:
            lab = Lab(tmp_path, models={MODELS[kind]: client(kind, server.url)}, prices=PRICES)
            polite = rubric("Is it polite?", judge=MODELS[kind])
            try:
                return lab.evaluate([version(kind)], ROWS, [polite], batch=True)
            finally:
                lab.project.close()

        server.looks = 1
        states = [run().status for _ in range(4)]
        assert states == ["handed_in", "handed_in", "finished", "finished"], states
        assert [len(made.items) for made in server.made] == [6, 6]
        assert set(server.paid.values()) == {1}

    def test_single_calls_do_not_pay_for_what_is_handed_in(
        self, lab: Callable[[], Lab], kind: str, server: BatchServer
    ) -> None:
        """While batches are to be collected, the study is refused without batch=True."""
        server.looks = 9
        ask(lab(), kind)
        with pytest.raises(StudyError, match="paid for twice; collect them with batch=True"):
            ask(lab(), kind, batch=False)

    def test_fresh_answers_and_batches_exclude_each_other(
        self, lab: Callable[[], Lab], kind: str, server: BatchServer
    ) -> None:
        """A study that asks again at each run could never collect what it handed in."""
        with pytest.raises(StudyError, match="never be collected"):
            ask(lab(), kind, fresh=True)

    def test_a_budget_holds_back_half_the_price(
        self, lab: Callable[[], Lab], kind: str, server: BatchServer
    ) -> None:
        """What does not fit the budget is not handed in."""
        study = ask(lab(), kind, budget_usd=0.016)  # a call is reserved at about 0.01, halved
        [made] = server.made
        assert len(made.items) == 3
        assert "budget is used up" in study.progress.calls.stopped

    def test_answers_are_collected_though_the_budget_holds_the_rest_back(
        self, lab: Callable[[], Lab], kind: str, server: BatchServer
    ) -> None:
        """What is handed in is paid for, whether the budget has room for more or not; each run with
        the same budget goes a step further.
        """
        server.looks = 1
        kept = []
        for _ in range(4):
            study = ask(lab(), kind, budget_usd=0.016)
            kept.append(len(runs(lab())))
        assert kept == [0, 3, 3, 6]
        assert study.status == "finished"
        assert [len(made.items) for made in server.made] == [3, 3]
        assert set(server.paid.values()) == {1}

    def test_what_answers_leave_of_the_budget_pays_for_further_questions(
        self,
        lab: Callable[[], Lab],
        kind: str,
        server: BatchServer,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A run that waits hands in what fits once the first batch has cost less than was held for
        it, and ends at what is spent.
        """
        monkeypatch.setattr("promptops.engine.batch_pass.BatchPace", _impatient)
        study = ask(lab(), kind, batch="20s", budget_usd=0.0075)
        assert [len(made.items) for made in server.made] == [1, 1, 1]
        assert "0.0030 of 0.0075 USD spent" in study.progress.calls.stopped
        assert len(runs(lab())) == 3

    def test_what_is_handed_in_counts_though_a_smaller_budget_has_no_room_for_it(
        self, lab: Callable[[], Lab], kind: str, server: BatchServer
    ) -> None:
        """A run with a smaller budget counts the whole batch of the run before."""
        server.looks = 9
        ask(lab(), kind)
        server.end("completed", 6)
        study = ask(lab(), kind, budget_usd=0.004)
        assert study.status == "finished"
        assert round(study.progress.calls.counted_usd, 9) == 0.006

    def test_a_provider_that_refuses_is_tried_again_then_told(
        self, lab: Callable[[], Lab], kind: str, server: BatchServer
    ) -> None:
        """A 400 is not tried again; its words are the reason that the study gives."""
        server.refuse = [(400, {"error": {"message": "the model cannot be batched"}})]
        study = ask(lab(), kind)
        assert "the model cannot be batched" in study.progress.calls.stopped
        assert study.status == "stopped"
        assert server.made == []
        assert ask(lab(), kind).status == "finished"

    def test_a_whole_batch_is_refused_when_its_file_is_read(
        self, lab: Callable[[], Lab], kind: str, server: BatchServer
    ) -> None:
        """A batch that failed as a whole gives each question the provider's reason."""
        server.looks = 9
        ask(lab(), kind)
        server.end("failed", 0)
        ask(lab(), kind)
        assert {row[0] for row in runs(lab())} == {"bad_request"}
        assert not server.paid

    def test_early_stopping_looks_between_batches(
        self, tmp_path: Path, server: BatchServer, kind: str
    ) -> None:
        """With stop_when, each portion of the shuffled order is a batch of its own."""
        server.say = lambda request: "yes" if "Really" in json.dumps(request) else "no"
        rows = [{"id": str(n), "q": f"question {n}", "expected": "yes"} for n in range(400)]
        better = version(kind).but(messages="Really: {{q}}")
        sizes = []
        for _ in range(12):
            lab = Lab(tmp_path, models={MODELS[kind]: client(kind, server.url)}, prices=PRICES)
            study = lab.evaluate(
                [version(kind), better], rows, [equals()], batch=True, stop_when="settled"
            )
            lab.project.close()
            sizes.append(len(server.made))
            if study.status == "finished":
                break
        assert study.status == "finished"
        assert sum(server.paid.values()) < 800
        assert set(server.paid.values()) == {1}


def _judged(request: Any) -> str:
    found = re.search(r"<<ANSWER (\w+)>>", request["messages"][-1]["content"])
    if found is None:
        return "yes"
    return json.dumps({"case": found[1], "reason": "it is", "score": 5})


def test_times_are_read() -> None:
    """True hands in and returns; a text is a time to wait; anything else is refused."""
    from promptops.study.evaluate import batch_wait_s

    assert [batch_wait_s(each) for each in (False, True, "2h", "90m", "45s", 7)] == [
        None, 0.0, 7200.0, 5400.0, 45.0, 7.0
    ]  # fmt: skip
    with pytest.raises(StudyError, match="two hours"):
        batch_wait_s("two hours")


def test_how_far_batches_are_is_one_phrase() -> None:
    """The time of the hand-over, and what is back: a count while it is nothing, then a share."""
    at = time.time()
    clock = time.strftime("%H:%M", time.localtime(at))
    assert str(HandedIn(at, 600)) == f"handed in {clock}, 0 of 600 back"
    assert str(HandedIn(at, 600, 372)) == f"handed in {clock}, 62 % back"
    both = HandedIn(at, 600, 372).with_(HandedIn(at - 5, 400))
    assert both == HandedIn(at - 5, 1000, 372)


def test_nothing_is_left_running() -> None:
    """A pass of no questions ends at once."""
    from promptops.engine.batch_pass import Batches
    from promptops.engine.executor import Order

    ledger: Any = None
    going = Batches(ledger).start(Order([], lambda runs, attempts: None))
    asyncio.run(going.run())
    assert going.progress.finished
    assert going.progress.stopped is None
