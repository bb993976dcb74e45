"""Law: what an application recorded is in the lab at the next look, once; a failed live call
becomes an example, a correction its golden answer, and what is not scored is said.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import promptops
from promptops import PromptVersion
from promptops.errors import DatasetError, ScorerError, StoreError, StudyError
from promptops.lab import Lab
from promptops.models.scripted import ScriptedModel
from promptops.monitor import ingest
from promptops.monitor.live_outcomes import recorded_outcomes
from promptops.observe.open_queues import open_queue
from promptops.observe.sinks import FolderSink
from promptops.registry.served_version import Served
from promptops.run import utc
from promptops.scorers import equals, json_valid, rubric
from promptops.store import Store

NAME = "support-triage"
VERSION = PromptVersion("Classify: {{ticket}}", model="gpt-4o-mini")
SERVED = Served(NAME, "prod", VERSION, 3)
TODAY = utc()[:10]


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setenv("PROMPTOPS_RECORD", str(tmp_path / "spool"))
    monkeypatch.setenv("PROMPTOPS_CONTENT", "1")
    made = Lab(tmp_path / "project")
    yield made
    open_queue(str(tmp_path / "spool")).close()
    made.project.close()


def ask(ticket: str, answer: Any, **said: Any) -> str:
    """One live call, and what somebody said of it."""
    with promptops.observe.session(f"s-{ticket}"), promptops.call(SERVED, ticket=ticket) as call:
        call.answer = answer
    if said:
        assert promptops.feedback(str(call.id), **said)
    assert promptops.observe.flush(30)
    return str(call.id)


def answer(text: str, finish: str = "stop") -> dict[str, Any]:
    return {
        "id": f"c-{text}",
        "model": "gpt-4o-mini",
        "choices": [{"message": {"content": text}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 1_000_000, "completion_tokens": 1_000_000},
    }


def test_a_call_is_there_at_the_next_look(lab: Lab) -> None:
    """Calls, failures, cost, latency and votes by version; looked at twice, nothing is twice."""
    live = lab.live(NAME)
    assert live.versions == []
    assert "No live calls are recorded here yet" in live._repr_html_()
    ask("a", answer("billing"), good=True)
    ask("b", answer("bill", finish="length"), good=False, correction="billing")
    for _ in range(2):
        [row] = live.versions
    assert (row["version_id"], row["version"]) == (VERSION.id, 3)
    assert (row["calls"], row["failures"], row["votes"], row["good"]) == (2, 1, 2, 0.5)
    assert row["cost_usd"] == pytest.approx(2 * (0.15 + 0.6))
    assert row["p50_ms"] > 0
    ask("c", answer("refund"))
    assert live.versions[0]["calls"] == 3
    assert repr(live) == "<live support-triage in prod: 3 calls, 1 version>"
    page = live._repr_html_()
    cells = re.findall(r"<td[^>]* data-label='([^']+)'>([^<]*)</td>", page)
    assert cells[:3] == [("version", "v3"), ("calls", "3"), ("failures", "33.3 % (6.1 to 79.2)")]
    assert lab.live(NAME, env="staging").versions == []
    [line] = live.figure().data
    assert line.customdata[0][0] == 3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"env": 5}, "env is 5; expected the name of an environment"),
        ({"env": ["prod"]}, "env is .*; expected the name of an environment"),
        ({"source": b"calls"}, "source is b'calls'; expected the path"),
        ({"source": 5}, "source is 5; expected the path"),
        ({"days": "7"}, "got a str as days; expected float"),
    ],
)
def test_what_is_no_environment_or_source_is_said_at_the_call(
    lab: Lab, given: dict[str, Any], said: str
) -> None:
    """An argument of another type is refused where it is given, not at the first look."""
    with pytest.raises((StudyError, TypeError), match=said):
        lab.live("support", **given)
    assert lab.live("support", days=1e30).versions == []


def test_a_failure_becomes_a_test(lab: Lab) -> None:
    """Once per content, with the correction, the session as cluster and the failure as tag; a
    second time nothing is new; a later correction fills the golden answer.
    """
    for _ in range(2):
        ask("twice", answer("bill", finish="length"))
    ask("fine", answer("billing"))
    ask("wrong", answer("refund"), good=False, correction="billing")
    chosen = lab.live(NAME).where("failure is not null or good = 0")
    dataset = chosen.to_dataset("data/from_live.jsonl")
    found = {example.inputs["ticket"]: example for example in dataset}
    assert set(found) == {"twice", "wrong"}
    assert (found["wrong"].expected, found["twice"].expected) == ("billing", None)
    assert found["twice"].tags == ("live", "truncated_length")
    assert found["twice"].cluster is not None
    assert found["twice"].cluster.startswith("u1-")
    assert chosen.notes == ("2 examples are new, of 3 live calls.",)
    path = lab.project.root / "data" / "from_live.jsonl"
    before = path.read_bytes()
    chosen.to_dataset("data/from_live.jsonl")
    assert path.read_bytes() == before
    ask("twice", answer("bill", finish="length"), correction="technical")
    again = chosen.to_dataset("data/from_live.jsonl")
    assert len(again) == 2
    assert {e.inputs["ticket"]: e.expected for e in again}["twice"] == "technical"


def test_a_condition_reads_and_nothing_else(lab: Lab, tmp_path: Path) -> None:
    ask("a", answer("billing"))
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    live = lab.live(NAME)
    assert len(live.where("latency_ms >= 0").where("failure is null").frame()) == 1
    for condition in (
        f"exists (select 1 from read_csv('{secret}'))",
        "true); drop table live; select (1",
        "nonsense",
    ):
        with pytest.raises(StoreError):
            live.where(condition).frame()
    assert live.versions[0]["calls"] == 1


def test_scoring_says_what_it_did_not_score(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answer once; infrastructure unscored; without content the reason, not silence."""
    ask("a", answer("{}"))
    ask("b", answer("no json"))
    with pytest.raises(TimeoutError), promptops.call(SERVED, ticket="c"):
        raise TimeoutError
    assert promptops.observe.flush(30)
    live = lab.live(NAME)
    scored = live.score([json_valid()])
    assert (scored.sampled, scored.scored) == (3, 2)
    assert repr(scored).startswith("2 of 3 sampled answers scored because: 1 were failures of the")
    assert live.versions[0]["score"] == 0.5
    assert live.score([json_valid()]).skipped["were scored before"] == 2
    assert set(live.where("score < 0.5").frame()["output"]) == {"no json"}
    monkeypatch.setenv("PROMPTOPS_CONTENT", "0")
    ask("d", answer("{}"))
    bare = live.where("kept is null").score([json_valid()])
    assert "0 of 1 sampled answers scored because: 1 have no output" in repr(bare)
    with pytest.raises(StudyError, match="more than 0 and at most 1"):
        live.score([json_valid()], share=0)
    with pytest.raises(DatasetError, match="none of 1 live rows has the values"):
        live.where("kept is null").to_dataset("data/none.jsonl")


def test_scorers_are_given_as_in_a_study_or_as_texts(lab: Lab) -> None:
    """A text of the catalogue, as the guide writes it, and a plain function; a score of a live call
    is no damage to the doctor.
    """

    def short(output: str) -> bool:
        return len(output) < 5

    ask("a", answer("{}"))
    live = lab.live(NAME)
    assert live.score(["json_valid()", short]).scored == 1
    assert live.score(["json_valid()", short]).skipped["were scored before"] == 1
    assert lab.store.verify() == []
    with pytest.raises(ScorerError, match="3 is not a scorer"):
        live.score([3])


def test_figures_are_of_the_calls_that_a_condition_selects(lab: Lab) -> None:
    """By version and by hour, and in what the cell shows; an invalid condition is said there."""
    for text in ("a", "b", "c"):
        ask(text, answer("{}"), good=text == "a")
    some = lab.live(NAME).where("good = 0")
    assert [(row["calls"], row["good"]) for row in some.versions] == [(2, 0.0)]
    assert [row["calls"] for row in some.hours] == [2]
    assert "2 calls" in repr(some)
    assert lab.live(NAME).where("good = 7").versions == []
    assert lab.live(NAME).versions[0]["calls"] == 3
    with pytest.raises(StoreError):
        repr(some.where("nonsense"))


def test_a_correction_is_what_equals_judges_by(lab: Lab) -> None:
    ask("a", answer("refund"), correction="billing")
    ask("b", answer("billing"), correction="billing")
    scored = lab.live(NAME).score([equals()])
    assert scored.scored == 2
    assert lab.live(NAME).versions[0]["score"] == 0.5


def test_a_share_is_the_same_whenever_it_is_asked(lab: Lab) -> None:
    for index in range(40):
        ask(f"t-{index}", answer("{}"))
    first = lab.live(NAME).score([json_valid()], share=0.3)
    assert 3 <= first.sampled <= 25
    again = lab.live(NAME).score([json_valid()], share=0.3)
    assert (again.sampled, again.scored) == (first.sampled, 0)


def test_what_an_application_lost_is_said(lab: Lab) -> None:
    from promptops.run import utc

    lab.store.append("live_losses", [{"id": "x-1", "at": utc(), "rows": 312, "reason": "full"}])
    assert lab.live(NAME).notes == ("312 live rows could not be recorded and are in no figure.",)


def test_lines_of_stdout_are_taken_once(tmp_path: Path) -> None:
    """A log agent's file, with lines of others between, a hostile row, and a newer column."""
    rows: list[dict[str, Any]] = [
        {"promptops": "live", "id": "l-1", "prompt": "p", "latency_ms": 3.5, "later": 1},
        {"promptops": "feedback", "id": "f-1", "run": "l-1", "kind": "good", "value": 1.0},
        {"promptops": "live", "id": "l-2", "latency_ms": "slow"},
        {"promptops": "runs", "id": "r-forged"},
    ]
    path = tmp_path / "app.log"
    lines = ["started", *map(json.dumps, rows), '{"promptops": torn']
    path.write_text("\n".join(f"2026-11-29T10:00:00Z {line}" for line in lines))
    store = Store(tmp_path / "store")
    taken = ingest.take_file(store, path)
    assert (taken.rows, taken.refused, taken.cut) == (3, 1, 1)
    assert str(taken) == (
        "3 live rows read; 1 fit no table; 1 line could not be read, cut off in the log."
    )
    ingest.take_file(store, path)
    assert store.rows("select id, latency_ms from live") == [("l-1", 3.5)]
    assert store.rows("select count(*) from feedback") == [(1,)]
    assert store.rows("select count(*) from runs") == [(0,)]


def test_a_folder_of_the_typescript_observer_is_read_as_it_grows(lab: Lab, tmp_path: Path) -> None:
    """One file per process: what is new at each look, a line that is still being written at the
    next, beside the rows that Python records to the same folder; the guard sees the same.
    """
    folder = tmp_path / "spool"
    ask("a", answer("billing"))
    row = {"promptops": "live", "prompt": NAME, "env": "prod", "version_id": VERSION.id}
    lines = [json.dumps({**row, "id": f"l-{n}", "started_at": utc()}) for n in range(3)]
    file = folder / "live-7-abc.jsonl"
    file.write_text(f"{lines[0]}\n{lines[1]}\n{lines[2][:40]}")
    assert lab.live(NAME).versions[0]["calls"] == 3
    assert len(recorded_outcomes(lab.project, folder, NAME, "prod")) == 3
    with file.open("a") as more:
        more.write(f"{lines[2][40:]}\n")
    for _ in range(2):
        assert lab.live(NAME).versions[0]["calls"] == 4
    assert len(recorded_outcomes(lab.project, folder, NAME, "prod")) == 4
    taken = lab.import_from(folder).live
    assert taken is not None
    assert (taken.new, taken.cut) == (0, 0)
    found = lab.store.purge(live=["l-1"])
    assert any("live-7-abc.jsonl, which may hold some of these" in line for line in found.left)
    assert lab.live(NAME).versions[0]["calls"] == 3  # and it does not come back


@pytest.mark.parametrize("rotated", ["renamed", "copied and emptied"])
def test_a_file_of_the_typescript_observer_that_logrotate_rotates(
    tmp_path: Path, rotated: str
) -> None:
    """Its process goes on under the same name; neither the new rows nor the last ones of the file
    before are passed over, and a purged one does not come back.
    """
    file, store = tmp_path / "live-7-abc.jsonl", Store(tmp_path / "store")
    lines = [
        json.dumps({"promptops": "live", "id": f"l-{n}", "started_at": utc()}) for n in range(9)
    ]

    def record(*numbers: int) -> None:
        with file.open("a") as more:
            more.writelines(f"{lines[n]}\n" for n in numbers)

    record(0, 1, 2)
    ingest.take_folder(store, tmp_path)
    store.purge(live=["l-0"])
    record(3)
    for day, numbers in (("1", (4,)), ("20261130", (5, 6, 7, 8))):
        other = tmp_path / f"{file.name}-{day}"
        if rotated == "renamed":
            file.rename(other)
        else:
            other.write_bytes(file.read_bytes())
            file.write_text("")
        record(*numbers)
        ingest.take_folder(store, tmp_path)
    assert ingest.take_folder(store, tmp_path).rows == 0
    ids = [f"l-{n}" for n in range(1, 9)]
    assert [id for (id,) in store.rows("select id from live order by id")] == ids


@pytest.mark.parametrize(
    "rotate", [os.unlink, lambda p: os.truncate(p, 0), lambda p: p.rename(f"{p}.1")]
)
def test_a_segment_that_logrotate_takes_is_followed_by_another(
    tmp_path: Path, rotate: Callable[[Path], object]
) -> None:
    """What is recorded next is read, however much of the one before was."""
    sink, store = FolderSink(tmp_path / "folder"), Store(tmp_path / "store")
    rows = [("live", {"id": f"l-{n}", "started_at": utc()}) for n in range(30)]
    sink.write(list(rows[:10]))
    ingest.take_folder(store, sink.folder)
    [segment] = sink.folder.glob("segments/*.jsonl")
    rotate(segment)
    sink.write(list(rows[10:]))
    sink.close()
    ingest.take_folder(store, sink.folder)
    assert store.rows("select count(*) from live") == [(30,)]


def test_a_recorder_that_writes_a_former_name_is_read(tmp_path: Path) -> None:
    """The version's number was called so until it got a name of its own, also in a folder."""
    row = {"id": "l-1", "prompt": "p", "number": 3}
    path = tmp_path / "app.log"
    path.write_text(json.dumps({"promptops": "live", **row}))
    sink = FolderSink(tmp_path / "folder")
    sink.write([("live", {**row, "id": "l-2"})])
    sink.close()
    store = Store(tmp_path / "store")
    ingest.take_file(store, path)
    ingest.take_folder(store, tmp_path / "folder")
    assert store.rows("select id, version from live order by id") == [("l-1", 3), ("l-2", 3)]


def test_purge_reaches_live_rows(lab: Lab) -> None:
    """Rows from before a moment leave the store with their scores and feedback."""
    run = ask("a", answer("{}"), good=True)
    lab.live(NAME).score([json_valid()])
    purged = lab.store.purge(before="2999-01-01")
    assert {table: purged.removed[table] for table in ("live", "feedback", "scores")} == {
        "live": 1,
        "feedback": 1,
        "scores": 1,
    }
    assert lab.store.rows("select count(*) from live where id = ?", [run]) == [(0,)]
    assert [row["calls"] for row in lab.live(NAME).versions] == [1]  # their figures stay
    assert lab.live(NAME).rows() == []


def test_a_purge_by_age_leaves_the_figures_by_hour(lab: Lab) -> None:
    """Calls, failures, cost, votes, quality and latency stand as before; words and ids are gone,
    and rows that come later are added; a purge that was interrupted counts nothing twice.
    """
    ask("a", answer("{}"), good=True)
    ask("b", answer("{", finish="length"), good=False)
    live = lab.live(NAME)
    live.score([json_valid()])
    [before], hours = live.versions, live.hours
    lab.store.append("runs", [{"id": "r-kept", "started_at": "2026-01-01"}])
    removed = lab.store.purge(before="2999-01-01", table="live").removed
    assert "runs" not in removed
    assert removed["live"] == 2
    assert lab.store.rows("select count(*) from runs") == [(1,)]
    [after] = live.versions
    for name in ("calls", "failures", "votes", "good", "scored", "score", "spread", "cost_usd"):
        assert after[name] == pytest.approx(before[name]), name
    assert after["version"] == 3
    counted = [(row["hour"], row["calls"], row["scored"]) for row in live.hours]
    assert counted == [(row["hour"], row["calls"], row["scored"]) for row in hours]
    ask("c", answer("{}"))
    [both] = live.versions
    assert (both["calls"], both["failures"], both["votes"]) == (3, 1, 2)
    kept = lab.store.rows("select * from live_hours")
    lab.store.append(
        "live_hours", lab.store.frame("select * from live_hours").to_dict("records")
    )  # the same rows, summed up again
    assert lab.store.rows("select * from live_hours") == kept
    assert lab.store.verify() == []


def test_percentiles_of_what_is_gone_are_known_to_two_percent(lab: Lab) -> None:
    rows = [
        {
            "id": f"l-{at:03}",
            "prompt": NAME,
            "env": "prod",
            "version_id": "p1-x",
            "started_at": f"{TODAY}T0{at % 3}:00:00",
            "latency_ms": 50.0 * 1.01**at,
        }
        for at in range(300)
    ]
    lab.store.append("live", rows)
    live = lab.live(NAME)
    [before] = live.versions
    lab.store.purge(before=f"{TODAY}T02:00:00", table="live")
    [after] = live.versions
    assert after["calls"] == 300
    for name in ("p50_ms", "p95_ms"):
        assert after[name] == pytest.approx(before[name], rel=0.03)
    assert [row["calls"] for row in live.hours] == [100, 100, 100]


def test_a_purge_reaches_the_folder_that_the_application_records_to(
    lab: Lab, tmp_path: Path
) -> None:
    """Also one that only an earlier look named, feedback by the provider's id, and rows that nobody
    had looked at; a living writer's rows are named, and go once it has ended.
    """
    spool = tmp_path / "spool"
    run = ask("personal-a", answer("words of a"))
    assert promptops.feedback("c-words of a", correction="words about a")
    ask("b", answer("words of b"))
    assert promptops.observe.flush(30)
    lab.live(NAME).rows()
    purged = lab.store.purge(live=[run])
    assert {name: purged.removed[name] for name in ("live", "feedback")} == {
        "live": 1,
        "feedback": 1,
    }
    assert "purge again when it has begun another" in str(purged)
    open_queue(str(spool)).close()
    del os.environ["PROMPTOPS_RECORD"]
    purged = lab.store.purge(live=[run])
    assert "still" not in str(purged).replace("which may still", "")
    for folder in (spool, lab.store.folder):
        words = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
        assert b"words of a" not in words
        assert b"words about a" not in words
    assert b"words of b" in b"".join(path.read_bytes() for path in spool.rglob("*.jsonl"))
    other = Lab(tmp_path / "other").live(NAME, source=spool)
    assert [row["output"] for row in other.rows()] == ["words of b"]
    assert [row["output"] for row in lab.live(NAME).rows()] == ["words of b"]
    other.project.close()


def test_a_canary_is_listed_with_its_own_version_and_share(lab: Lab) -> None:
    """What was deployed meanwhile: the canary's version, not the one that it is tried beside."""
    prompt = lab.prompt(NAME)
    for text, share in (("One {{ticket}}", None), ("Two {{ticket}}", 20)):
        version = prompt.save(text, model="m")
        lab.promote(version, env="prod", force=True, reason="first", percent=share)
    ask("a", answer("billing"))
    live = lab.live(NAME, env="prod")
    assert [each["label"] for each in live.deployments] == ["v1", "v2 at 20 %"]
    assert "v2 at 20 % (canary)" in live._repr_html_()


def test_a_purge_reaches_what_a_judge_was_asked_about_the_call(tmp_path: Path) -> None:
    """The judge saw the user's words and the answer: its calls go with the row that they are
    about, those about others stay.
    """
    judge = ScriptedModel(lambda *asked: "no verdict about this", label="judge")
    lab = Lab(tmp_path / "project", models={"judge": judge})
    answers = {"canary\nin": 'canary "out"\nä', "other in": "other out"}
    for place, (given, said) in enumerate(answers.items()):
        row = {"id": f"l-{place}", "prompt": NAME, "version_id": VERSION.id, "env": "prod"}
        row |= {"started_at": f"{TODAY}T00:00:0{place}", "kept": 1.0, "output": said}
        lab.store.append("live", [{**row, "values": json.dumps({"ticket": given})}])
    lab.live(NAME).score([rubric("Is it polite?", judge="judge", name="polite")])
    asked = "select count(*) from runs where role = 'judge' and request like ?"
    before = lab.store.rows(asked, ["%other out%"])
    assert lab.store.rows(asked, ["%canary%"])[0][0] > 0
    lab.store.purge(live=["l-0"])
    assert lab.store.rows(asked, ["%canary%"]) == [(0,)]
    assert lab.store.rows(asked, ["%other out%"]) == before
    assert before[0][0] > 0
    lab.project.close()
