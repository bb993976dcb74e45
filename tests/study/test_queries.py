"""Law: each question of the product is asked in one place, and answered right by a store of a few
rows.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from promptops.run import new_id, utc
from promptops.store import Store
from promptops.study.queries.batch_steps import batch_steps, batches_made, handed_in_ids
from promptops.study.queries.call_figures import (
    Began,
    cost_of_study,
    failures_of,
    judge_calls,
    latency_seen_ms,
    made_since,
    spent_since,
    tokens_seen,
)
from promptops.study.queries.judge_verdicts import beside_labels, verdicts_of
from promptops.study.queries.kept_content import dataset_head, example_documents, version_document
from promptops.study.queries.label_answers import (
    answers_shown,
    examples_by_run,
    known_labels,
    labelled_places,
    labels_frame,
    people_means,
)
from promptops.study.queries.listings import runs_frame, searches_frame, studies_frame
from promptops.study.queries.plans import frozen_at
from promptops.study.queries.recorded_runs import (
    answered_places,
    attempts_of,
    latest_answers,
    older_than,
    places_of,
    runs_of,
)
from promptops.study.queries.scorer_rows import scored_runs, scores_in_study
from promptops.study.queries.shown_answers import first_answers
from promptops.study.queries.steps import measured_last, steps_of
from promptops.study.queries.studies import count, id_of
from promptops.study.queries.study_events import last_event, started_with


def at(minute: int) -> str:
    return f"2026-07-01T10:{minute:02}:00.000000Z"


def run(name: str, minute: int, **more: Any) -> dict[str, Any]:
    return {"id": name, "key": name, "version_id": "v1", "started_at": at(minute), **more}


def place(study: str, name: str, version: str, example: str, repeat: int = 0) -> dict[str, Any]:
    where = {"study_id": study, "run_id": name, "version_id": version, "repeat": repeat}
    return {**where, "arm": version, "example_id": example, "example_fingerprint": f"x-{example}"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Two studies: s1 of v1 and v2 on two examples, one of them repeated; s2 of v1 on one."""
    made = Store(tmp_path_factory.mktemp("project") / "store")
    figures = {"endpoint": "e", "role": "judge"}
    made.append(
        "runs",
        [
            run("r1", 1, cost_usd=0.5, latency_ms=100.0, tokens_out=10, **figures),
            run("r2", 2, cost_usd=0.25, latency_ms=300.0, tokens_out=20, **figures),
            run(
                "r3",
                3,
                version_id="v2",
                latency_ms=900.0,
                endpoint="other",
                role="judge",
                failure="timeout",
                failure_detail="no answer",
            ),
            run("r0", 5, version_id="v7", cost_usd=9.0, role="imported"),
            run("r4", 4, version_id="v2", cost_usd=1.0, endpoint="e", role="model"),
        ],
    )
    made.append(
        "study_runs",
        [
            place("s1", "r1", "v1", "a"),
            place("s1", "r2", "v1", "a", 1),
            place("s1", "r3", "v2", "a"),
            place("s2", "r4", "v2", "b"),
        ],
    )
    score = {"run_id": "r1", "example_fingerprint": "x-a", "scorer_version": "1"}
    made.append("scores", [{**score, "scorer": "exact", "value": 1.0, "scored_at": at(30)}])
    label = {"example_id": "a", "value": 1.0, "labelled_at": at(40)}
    made.append(
        "labels",
        [
            {**label, "id": "l1", "run_id": "r1", "rater": "ann", "kind": "score:0"},
            {**label, "id": "l2", "run_id": "r3", "rater": "ann", "kind": "pairwise"},
            {**label, "id": "l3", "run_id": "r3", "rater": "bob", "kind": "score"},
        ],
    )
    event = {"study_id": "s1"}
    made.append(
        "study_events",
        [
            {**event, "event_at": at(1), "event": "started", "detail": "looks"},
            {**event, "event_at": at(3), "event": "settled", "detail": "{}"},
            {**event, "event_at": at(2), "event": "stopped", "detail": "by hand"},
        ],
    )
    verdict = {"prompt": "p", "candidate": "v1", "env": "prod"}
    made.append(
        "verdicts",
        [
            {**verdict, "id": "d1", "study_id": "s1", "document": "1", "created_at": at(1)},
            {**verdict, "id": "d2", "document": "2", "created_at": at(2)},
            {**verdict, "id": "d3", "env": "dev", "document": "3", "created_at": at(3)},
        ],
    )
    design = '{"arms": [1, 2], "dataset": {"name": "tickets", "n": 2}}'
    study = {"prompt": "p", "author": "ann", "created_at": at(1)}
    made.append(
        "studies",
        [
            {**study, "id": "s1", "name": "first", "design": design},
            {**study, "id": "s2", "name": "odd", "design": "not JSON", "created_at": at(2)},
            {**study, "id": "s3", "name": "probe", "design": '{"role": "probe"}'},
        ],
    )
    search = {"prompt": "p", "method": "Gepa", "seed_version": "v1"}
    made.append(
        "optimizations",
        [
            {**search, "id": "o1", "created_at": at(1)},
            {**search, "id": "o2", "created_at": at(2)},
        ],
    )
    for search_id, version in (("o1", "v1"), ("o1", "v2"), ("o2", "v1")):
        made.append("candidates", [{"optimization_id": search_id, "version_id": version}])
    tried = {"optimization_id": "o1", "version_id": "v2"}
    made.append(
        "candidate_events",
        [
            {**tried, "event_at": at(5), "status": "best", "score": 0.5, "number": 1},
            {**tried, "event_at": at(6), "status": "best", "score": 0.75, "number": 2},
            {**tried, "event_at": at(7), "status": "dropped", "score": 0.9, "number": 3},
        ],
    )
    yield made
    made.close()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One judged answer, content, and two batches of which one was handed in."""
    made = Store(tmp_path_factory.mktemp("kept") / "store")
    made.append("runs", [run("r1", 1, output="an answer", model="m")])
    made.append(
        "study_runs",
        [{**place("s1", "r1", "v1", "a"), "example_fingerprint": "x1"}],
    )
    score = {"run_id": "r1", "example_fingerprint": "x1", "scorer_version": "1"}
    made.append(
        "scores",
        [
            {**score, "scorer": "judge", "value": 0.25, "reason": "curt", "scored_at": at(5)},
            {**score, "scorer": "judge/tone", "value": 1.0, "scored_at": at(5)},
            {**score, "scorer": "judged", "value": 0.0, "scored_at": at(5)},
        ],
    )
    label = {"run_id": "r1", "example_id": "a", "kind": "score", "labelled_at": at(9)}
    made.append(
        "labels",
        [
            {**label, "id": "l1", "rater": "ann", "value": 1.0},
            {**label, "id": "l2", "rater": "bob", "value": 0.0},
        ],
    )
    made.append(
        "versions",
        [{"id": "p1-a", "prompt": "p", "document": '{"messages":[]}', "created_at": at(1)}],
    )
    made.append(
        "datasets",
        [{"dataset_fingerprint": "d1", "name": "tickets", "n_examples": 2, "created_at": at(1)}],
    )
    made.append(
        "examples",
        [
            {
                "dataset_fingerprint": "d1",
                "example_id": f"e{n}",
                "example_fingerprint": f"x{n}",
                "position": n - 1,
                "document": f'{{"n":{n}}}',
            }
            for n in (2, 1)
        ],
    )
    batch = {"endpoint": "e", "api": "chat", "model": "m", "n_questions": 1}
    made.append(
        "batches",
        [
            {**batch, "id": "b-2", "keys": '["l"]', "made_at": at(3)},
            {**batch, "id": "b-1", "study_id": "s1", "keys": '["k"]', "made_at": at(2)},
        ],
    )
    made.append(
        "batch_events",
        [
            {"batch_id": "b-2", "event_at": at(5), "batch_event": "closed"},
            {
                "batch_id": "b-1",
                "event_at": at(4),
                "batch_event": "handed_in",
                "detail": "batch_7",
            },
        ],
    )
    yield made
    made.close()


def test_what_judging_cost(store: Store) -> None:
    """Of the judge's runs of these versions only; an unknown cost is not 0."""
    assert judge_calls(store, ["v1"]) == (2, 0.75)
    assert judge_calls(store, ["v1", "v2"]) == (3, 0.75)
    assert judge_calls(store, ["v2"]) == (1, None)
    assert judge_calls(store, ["nobody"]) == (0, None)


def test_what_was_spent_since(store: Store) -> None:
    """The moment itself counts, and a call without a price costs nothing."""
    assert spent_since(store, at(2)) == 10.25
    assert spent_since(store, at(3)) == 10.0
    assert spent_since(store, at(59)) == 0.0


def test_a_call_without_usage_is_not_free(tmp_path: Path) -> None:
    """It counts by its characters, also an attempt that broke off; what this process answered
    itself, what was certainly not billed and what came in with a file do not.
    """
    made = Store(tmp_path)
    model = {"model": "m", "output": "o" * 400, "request": json.dumps("q" * 398)}
    made.append(
        "runs",
        [
            run("a", 1, **model),
            run("b", 1, **{**model, "output": None, "tokens_in": None}),
            run("c", 1, **model),
            run("d", 1, **{**model, "role": "imported"}),
            run("e", 1, **model, cost_usd=1.0),
            run("f", 1, **{**model, "model": "unpriced"}),
            run("g", 0, **model),
        ],
    )
    answered = {"started_at": at(1), "http_status": 200}
    tries = [
        {"run_id": "a", "number": 1, **answered},
        {"run_id": "b", "number": 1, "failure": "rate_limit", "cost_usd": 0.0, **answered},
        {"run_id": "b", "number": 2, "failure": "timeout_read", "started_at": at(1)},
        {"run_id": "c", "number": 1, "started_at": at(1)},  # no status: answered here
        *({"run_id": each, "number": 1, **answered} for each in "dfg"),
        {"run_id": "e", "number": 1, "cost_usd": 1.0, **answered},
    ]
    made.append("attempts", tries)
    prices = {"m": (10_000.0, 20_000.0)}  # USD per million tokens: 100 in are 1, 100 out are 2
    assert spent_since(made, at(1), prices) == 1.0 + (1 + 2) + 1
    assert made_since(made, at(1), prices) == (5, 1.0 + (1 + 2) + 1)
    made.close()


def test_what_is_counted_from_a_moment_on_survives_a_clock_that_is_set_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    began = Began()
    assert began.moment == utc(began.wall)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 3600.0)
    assert utc(began.wall - 3601.0) < began.moment <= utc()
    monkeypatch.setattr(time, "time", lambda: real() + 3600.0)
    assert began.moment == utc(began.wall)


def test_what_was_called_since_leaves_out_what_came_in_with_a_file(store: Store) -> None:
    assert made_since(store, at(1)) == (4, 1.75)
    assert made_since(store, at(3)) == (2, 1.0)
    assert made_since(store, at(59)) == (0, 0.0)


def test_what_this_process_called_leaves_out_what_others_called_meanwhile(tmp_path: Path) -> None:
    """They share the store; the end of an id tells whose call it is, also where it began again from
    zero.
    """
    made, began = Store(tmp_path), Began()
    ours = [new_id() for _ in range(3)]
    assert ours == sorted(ours)
    low, high = f"{0:016x}", f"{2**64 - 1:016x}"
    made.append("runs", [run(one, 1, cost_usd=1.0) for one in ours])
    others = [f"r-{0:016x}{int(began.mark, 16) + away & 2**64 - 1:016x}" for away in (-9, 2**63)]
    made.append("runs", [run(one, 1, cost_usd=8.0) for one in others])
    assert made_since(made, at(0), None, began.ids) == (3, 3.0)
    assert made_since(made, at(0)) == (5, 19.0)
    made.append("runs", [run(f"r-{0:016x}{end}", 2, cost_usd=2.0) for end in (high, low)])
    assert made_since(made, at(2), None, (f"{2**64 - 2:016x}", f"{1:016x}")) == (2, 4.0)
    made.close()


def test_what_a_study_cost_and_which_calls_failed(store: Store) -> None:
    assert cost_of_study(store, "s1") == (3, 0.75, 2)
    assert cost_of_study(store, "s9") == (0, None, 0)
    assert failures_of(store, "s1") == [("timeout", 1, "no answer")]
    assert failures_of(store, "s2") == []


def test_when_a_plan_was_frozen_first(store: Store) -> None:
    assert frozen_at(store, "q1") is None


def test_tokens_and_latency_that_were_seen(store: Store) -> None:
    assert tokens_seen(store, "v1") == (pytest.approx(11.0), pytest.approx(19.5))
    assert tokens_seen(store, "v2") is None
    assert latency_seen_ms(store, "e") == 200.0
    assert latency_seen_ms(store, "nobody") is None


def test_labels_and_the_answers_that_they_are_of(store: Store) -> None:
    assert known_labels(store, ["l1", "l3", "l9"]) == {"l1", "l3"}
    assert examples_by_run(store, "s1") == {"r1": "a", "r2": "a", "r3": "a"}
    assert answers_shown(store, "s1") == {("v1", "a"): "r1", ("v2", "a"): "r3"}  # no repeat
    assert answers_shown(store, "nothing") == {}
    assert labelled_places(store, "s1", "ann", "score") == [("a", "v1", None)]
    assert labelled_places(store, "s1", "ann", "pairwise") == [("a", "v2", None)]
    assert labelled_places(store, "s2", "ann", "score") == []
    assert list(labels_frame(store, "s1")["id"]) == ["l1", "l2", "l3"]
    assert list(labels_frame(store, "s1")["kind"]) == ["score", "pairwise", "score"]
    assert people_means(store, "s1", ["v1", "v2"]) == {"v1": {"a": 1.0}, "v2": {"a": 1.0}}
    assert people_means(store, "s2", ["v1", "v2"]) == {}


def test_what_happened_to_a_study(store: Store) -> None:
    """The last by its time, whatever came first into the store."""
    assert last_event(store, "s1") == ("settled", "{}")
    assert last_event(store, "s2") is None
    assert started_with(store, "s1", "looks")
    assert not started_with(store, "s1", "by hand")
    assert not started_with(store, "s2", "looks")


def test_steps_newest_first_and_when_their_grounds_were_measured(store: Store) -> None:
    """A score that came later counts where its scorer is one of them, and a study only where it is
    named.
    """
    assert [(study, text) for study, text, _ in steps_of(store, "p", "v1", "prod")] == [
        (None, "2"),
        ("s1", "1"),
    ]
    assert steps_of(store, "q", "v1", "prod") == []
    assert measured_last(store, ["v1"], ["exact"], None) == datetime(2026, 7, 1, 10, 30)
    assert measured_last(store, ["v1"], ["other"], None) == datetime(2026, 7, 1, 10, 2)
    assert measured_last(store, ["v1", "v2"], [], None) == datetime(2026, 7, 1, 10, 4)
    assert measured_last(store, ["v1", "v2"], [], "s1") == datetime(2026, 7, 1, 10, 3)
    assert measured_last(store, ["v9"], [], None) is None


def test_the_tables_of_studies_and_searches(store: Store) -> None:
    """Newest first; a study that is not JSON is listed, a monitor's probe is not."""
    studies = studies_frame(store)
    assert list(studies["name"]) == ["odd", "first"]
    first = studies.iloc[1]
    assert (first["arms"], first["dataset"], first["examples"]) == (2, "tickets", 2)
    assert (first["runs"], first["status"], first["id"]) == (3, "settled", "s1")
    searches = searches_frame(store)
    assert list(searches["id"]) == ["o2", "o1"]
    assert list(searches["status"]) == ["begun", "finished"]
    assert list(searches["candidates"]) == [0, 1]
    assert searches["best_score"][1] == 0.75


def test_runs_by_id_and_which_of_them_are_answers(store: Store) -> None:
    """A failure of the infrastructure is not an answer, nor is what came in with a file."""
    assert [one.id for part in runs_of(store, ["r3", "r1", "r9"]) for one in part] == ["r1", "r3"]
    assert latest_answers(store, ["r1", "r3", "r9"]) == {"r1": "r1"}
    assert attempts_of(store, "r1") == []
    assert sorted(answered_places(store, "s1")) == [("v1", "a", 0, "r1"), ("v1", "a", 1, "r2")]
    assert sorted(places_of(store, "s1")) == [
        ("v1", "v1", "a", 0, "r1", True),
        ("v1", "v1", "a", 1, "r2", True),
        ("v2", "v2", "a", 0, "r3", False),
    ]
    assert older_than(store, at(2))
    assert not older_than(store, at(1))
    assert list(runs_frame(store, 2)["id"]) == ["r0", "r4"]


def test_content_by_its_id(kept: Store) -> None:
    """None or nothing if the store has none; examples in the order of their dataset."""
    assert version_document(kept, "p1-a") == '{"messages":[]}'
    assert version_document(kept, "p1-b") is None
    assert dataset_head(kept, "d1") == ("tickets", None)
    assert dataset_head(kept, "d2") is None
    assert example_documents(kept, "d1") == [('{"n":1}', "x1", 0), ('{"n":2}', "x2", 1)]
    assert example_documents(kept, "d2") == []


def test_batches_and_what_became_of_them(kept: Store) -> None:
    """Both in the order of time."""
    assert [row[:6] for row in batches_made(kept)] == [
        ("b-1", "s1", "e", "chat", "m", '["k"]'),
        ("b-2", None, "e", "chat", "m", '["l"]'),
    ]
    assert batches_made(kept)[1][6] - batches_made(kept)[0][6] == 60.0
    assert batch_steps(kept) == [("b-1", "handed_in", "batch_7"), ("b-2", "closed", "")]
    assert handed_in_ids(kept) == {"batch_7"}


def test_a_judge_alone_and_beside_people(kept: Store) -> None:
    """People's mean over raters, of the judge's version that is asked for; its parts are listed."""
    assert beside_labels(kept, "judge", "1", None) == [("r1", 0.25, 0.5)]
    assert beside_labels(kept, "judge", "1", "s9") == []
    assert beside_labels(kept, "judge", "2", None) == []
    found = verdicts_of(kept, "s1", "judge", "1")
    assert [(row[3], row[4], row[5], row[7]) for row in found] == [
        ("r1", "judge", 0.25, "an answer"),
        ("r1", "judge/tone", 1.0, "an answer"),
    ]


def test_single_scores(kept: Store) -> None:
    """A scorer's own rows and its parts', never those of a scorer whose name begins alike."""
    found = {row["scorer"]: row["value"] for row in scores_in_study(kept, "s1", "judge", "1")}
    assert found == {"judge": 0.25, "judge/tone": 1.0}
    assert scores_in_study(kept, "s2", "judge", "1") == []
    assert set(scored_runs(kept, ["r1"], ["1"])) == {
        ("r1", "x1", "judge", "1"),
        ("r1", "x1", "judge/tone", "1"),
        ("r1", "x1", "judged", "1"),
    }
    assert scored_runs(kept, ["r1"], ["2"]) == []


def test_the_first_answers_side_by_side(kept: Store) -> None:
    """Cut to the length that is asked for, of the first repeat, with the scorer's own reason."""
    shown = first_answers(kept, "s1", ("v1", "v2"), ["a"], "judge", 5)
    assert shown == {("v1", "a"): ("an an", "curt")}
    assert first_answers(kept, "s1", ("v1", "v2"), ["a"], "other", 99) == {
        ("v1", "a"): ("an answer", "")
    }


def test_how_many_studies_and_which_one_is_meant(store: Store) -> None:
    """A probe of a monitor is not counted; an id goes before a name."""
    assert count(store) == 2
    assert id_of(store, "s1") == "s1"
    assert id_of(store, "odd") == "s2"
    assert id_of(store, "none") is None
