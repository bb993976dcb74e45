"""Studies at the workers of a dask scheduler: one study comes out, every call is made once, and
whatever a worker lacks is said before anything is asked.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import ScorerError, SetupError
from promptops.lab import Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import contains, equals
from tests.faults.server import FaultServer, Say, Seen, completion
from tests.scale import cpu_scorers

KEY = "PROMPTOPS_TEST_WORKERS_KEY"


@pytest.fixture(scope="module")
def scheduler() -> Iterator[Any]:
    """Two workers, each a process of its own."""
    from distributed import LocalCluster

    os.environ[KEY] = "not-a-key-of-anyone"
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        protocol="tcp",
        silence_logs=50,
    ) as cluster:
        yield cluster
    del os.environ[KEY]


def opened(folder: Path, url: str, **more: Any) -> Lab:
    """A lab whose model every host can look up."""
    folder.mkdir(exist_ok=True)
    (folder / "promptops.toml").write_text(
        f'[models."m"]\nbase_url = "{url}"\napi_key_env = "{KEY}"\n[prices]\n"m" = [1000.0, 1000.0]'
    )
    return Lab(folder, **more)


def rows(count: int) -> list[dict[str, str]]:
    return [{"id": f"t{n}", "text": f"ticket {n}", "expected": "a"} for n in range(count)]


def versions(lab: Lab) -> list[Any]:
    prompt = lab.prompt("triage")
    return [prompt.save(text, model="m") for text in ("Classify {{text}}", "Sort {{text}}")]


def test_one_study_comes_out_and_each_call_is_made_once(tmp_path: Path, scheduler: Any) -> None:
    """Calls = runs = keys, by both workers; the same study in this process then asks nothing."""
    address = scheduler.scheduler_address
    with FaultServer(lambda seen: Say(200, completion("a"), wait_s=0.005)) as server:
        lab = opened(tmp_path, server.url)
        study = lab.evaluate(versions(lab), rows(150), [equals()], concurrency=8, workers=address)
        assert study.status == "finished"
        assert len(server.seen) == 300
        counts = "select count(*), count(distinct id), count(distinct key) from runs"
        assert lab.store.rows(counts) == [(300, 300, 300)]
        assert lab.store.rows("select count(*) from scores where value = 1") == [(300,)]
        assert study.progress.calls.done == 300
        again = opened(tmp_path, server.url)
        again.evaluate(versions(again), rows(150), [equals()])
        assert len(server.seen) == 300
        assert again.store.verify() == []


def test_a_worker_without_the_key_is_named_before_anything_is_asked(
    tmp_path: Path, scheduler: Any
) -> None:
    """So is a model that only this process has, and a scheduler that does not answer."""
    with FaultServer(lambda seen: Say(200, completion("a"))) as server:
        lab = opened(tmp_path, server.url)
        toml = tmp_path / "promptops.toml"
        toml.write_text(toml.read_text().replace(KEY, "PROMPTOPS_TEST_HERE_ALONE"))
        os.environ["PROMPTOPS_TEST_HERE_ALONE"] = "not-a-key-of-anyone"
        try:
            lab = Lab(tmp_path)
            with pytest.raises(SetupError, match=r"worker tcp://\S+ cannot .*HERE_ALONE"):
                lab.evaluate(versions(lab), rows(3), workers=scheduler.scheduler_address)
        finally:
            del os.environ["PROMPTOPS_TEST_HERE_ALONE"]
        scripted = Lab(tmp_path, models={"m": ScriptedModel(lambda chat: "a")})
        with pytest.raises(SetupError, match="passed as an object"):
            scripted.evaluate(versions(scripted), rows(3), workers=scheduler.scheduler_address)
        with pytest.raises(SetupError, match="expected the address of a dask scheduler"):
            lab.evaluate(versions(lab), rows(3), workers=2)
        assert server.seen == []


@pytest.mark.parametrize("usage", [True, False])
def test_a_budget_is_one_over_all_workers(tmp_path: Path, scheduler: Any, usage: bool) -> None:
    """It is used up, and passed by no more than what is in flight; answers without usage count by
    their characters.
    """
    reply = completion("a") if usage else {**completion("a"), "usage": None}
    with FaultServer(lambda seen: Say(200, reply)) as server:
        lab = opened(tmp_path, server.url)
        with pytest.warns(UserWarning, match="budget is used up"):
            study = lab.evaluate(
                versions(lab),
                rows(200),
                [equals()],
                concurrency=4,
                budget_tokens=4_000,
                workers=scheduler.scheduler_address,
            )
        took = "sum(tokens_in + tokens_out)" if usage else "sum(length(request)) // 4"
        ((spent,),) = lab.store.rows(f"select {took} from runs")
        each = spent / len(server.seen)
        assert spent <= 4_000 + 4 * each
        assert spent >= 2_000
        assert study.status == "stopped"


def test_what_may_be_billed_without_an_answer_counts_over_all_workers(
    tmp_path: Path, scheduler: Any
) -> None:
    """Every third call is answered, and billed, after the worker has given it up."""
    usage = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}  # 0.02 USD

    def script(seen: Seen) -> Say:
        return Say(200, completion("a", usage=usage), wait_s=30.0 if seen.number % 3 == 2 else 0.0)

    with FaultServer(script) as server:
        lab = opened(tmp_path, server.url)
        with pytest.warns(UserWarning, match="budget is used up"):
            lab.evaluate(
                [lab.prompt("triage").save("Classify {{text}}", model="m", max_tokens=10)],
                rows(200),
                [equals()],
                concurrency=2,
                timeout_s=0.4,
                budget_usd=1.0,
                workers=scheduler.scheduler_address,
            )
        assert 0.5 <= 0.02 * len(server.seen) <= 1.0 + 4 * 0.02


def test_a_stop_reaches_every_worker(tmp_path: Path, scheduler: Any) -> None:
    """What was answered is kept, and the same study asks for the rest alone."""
    begun = threading.Event()

    def reply(seen: Any) -> Say:
        begun.set()
        return Say(200, completion("a"), wait_s=0.1)

    with FaultServer(reply) as server:
        lab = opened(tmp_path, server.url)
        stopped: list[float] = []

        def stop() -> None:
            begun.wait(30)
            (running,) = lab.project.running.values()
            began = time.monotonic()
            running.stop("enough")
            while running.status == "running":
                time.sleep(0.01)
            stopped.append(time.monotonic() - began)

        thread = threading.Thread(target=stop)
        thread.start()
        with pytest.warns(UserWarning, match="enough"):
            lab.evaluate(
                versions(lab), rows(300), concurrency=4, workers=scheduler.scheduler_address
            )
        thread.join()
        asked = len(server.seen)
        assert asked < 300
        ((kept,),) = lab.store.rows("select count(*) from runs where failure is null")
        assert kept >= asked - 4


def test_a_key_that_is_refused_stops_all(tmp_path: Path, scheduler: Any) -> None:
    """One worker's breaker is everybody's."""
    refused = {"error": {"message": "no such key", "code": "invalid_api_key"}}
    with FaultServer(lambda seen: Say(401, refused)) as server:
        lab = opened(tmp_path, server.url)
        with pytest.warns(UserWarning, match="check the API key"):
            lab.evaluate(
                versions(lab), rows(300), concurrency=2, workers=scheduler.scheduler_address
            )
        assert len(server.seen) < 60


def test_a_worker_of_another_release_is_named_before_anything_is_asked(
    tmp_path: Path, scheduler: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows, scorers and classes may be others."""
    monkeypatch.setattr("promptops.scale.scheduler.__version__", "9.9.9")
    with FaultServer(lambda seen: Say(200, completion("a"))) as server:
        lab = opened(tmp_path, server.url)
        with pytest.raises(
            SetupError, match=r"worker tcp://\S+ .*it has .*this process has 9\.9\.9"
        ):
            lab.evaluate(versions(lab), rows(3), workers=scheduler.scheduler_address)
        assert server.seen == []


def test_answers_that_cannot_be_read_are_not_paid_again(
    tmp_path: Path, scheduler: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a worker whose code is newer than ours: the study stops, each call was made once."""

    def no_such_column(**row: object) -> None:
        raise TypeError("unexpected keyword argument 'of_tomorrow'")

    monkeypatch.setattr("promptops.scale.errands.Run", no_such_column)
    with FaultServer(lambda seen: Say(200, completion("a"))) as server:
        lab = opened(tmp_path, server.url)
        with pytest.raises(SetupError, match=r"another form.*of_tomorrow.*same release"):
            lab.evaluate(versions(lab), rows(300), workers=scheduler.scheduler_address)
        asked = [each.body for each in server.seen]
        assert len(asked) == len({repr(body) for body in asked}) < 600


def test_recorded_answers_are_judged_at_the_workers(tmp_path: Path, scheduler: Any) -> None:
    """The same scores as here, by scorers of the catalogue and of a module; one that lives in this
    process is refused by its name.
    """
    lab = Lab(tmp_path, models={"m": ScriptedModel(lambda chat: "a")})
    study = lab.evaluate(versions(lab), rows(40), [equals()])
    there = study.rescore([cpu_scorers.quick, contains("a")], workers=scheduler.scheduler_address)
    assert len(there.scores()) == 160
    assert set(there.scores()["value"]) == {1.0}

    def short(output: str) -> bool:
        return len(output) < 5

    with pytest.raises(ScorerError, match="short exists only in this process"):
        study.rescore([short], workers=scheduler.scheduler_address)
