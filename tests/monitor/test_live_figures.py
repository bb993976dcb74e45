"""Law: a figure of live calls is that of the calls: a kept failure weighs no more than a call, a
vote counts once, a call that a purge removed stays away, and an expensive canary is seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from promptops.dataset import RESERVED, Dataset, Example
from promptops.errors import DatasetError
from promptops.monitor import ingest
from promptops.monitor.guard import GuardLimits, guard
from promptops.monitor.live_outcomes import recorded_outcomes
from promptops.monitor.live_questions import by_hour, by_version, unlike_scorers
from promptops.monitor.live_rows import to_dataset
from promptops.monitor.live_score import by_judges, score_live
from promptops.monitor.queries.live_listing import chosen
from promptops.observe.live_call import capped
from promptops.scorers import faithfulness, rubric, scorer
from promptops.scorers.grammar import scorer_of, text_of
from promptops.study.project import Project
from promptops.version import PromptVersion

ASKED = {"prompt": "triage", "env": "prod", "since": "2026-01-01T00:00:00"}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """v1 serves prod, v2 is its canary."""
    opened = Project.open(tmp_path / "p", prices={"m": (1.0, 1.0)})
    for number in (1, 2):
        opened.registry.save("triage", PromptVersion(f"v{number} {{{{x}}}}", model="m"))
    force = {"author": "Ada", "force": True, "reason": "first"}
    opened.registry.promote("triage", 1, "prod", **force)
    opened.registry.promote("triage", 2, "prod", percent=30, **force)
    yield opened
    opened.close()


def call(n: int, **more: Any) -> dict[str, Any]:
    """Call number n, one a minute."""
    base = {"prompt": "triage", "env": "prod", "version_id": "p1-a", "version": 1, "model": "m"}
    at = f"2026-07-{1 + n // 1440:02}T{n // 60 % 24:02}:{n % 60:02}:00.000000"
    return {**base, "id": f"l-{n:032x}", "started_at": at, **more}


def lines(path: Path, rows: list[tuple[str, dict[str, Any]]]) -> Path:
    """A log of live rows."""
    text = "".join(json.dumps({"promptops": table, **row}) + "\n" for table, row in rows)
    path.write_text(f"started\n{text}")
    return path


@pytest.mark.parametrize("counted", [(0, 0), (0, 7), (7, 0)])
def test_zero_tokens_of_a_call_are_not_counted_by_its_gateway(
    project: Project, tmp_path: Path, counted: tuple[int, int]
) -> None:
    """Such calls had been free, for the guard and in Live."""
    given, out = counted
    usage = {"tokens_in": given, "tokens_out": out, "chars_out": 20}
    rows = [call(0, **usage), call(1, tokens_in=10, tokens_out=5, chars_out=20)]
    log = lines(tmp_path / "log", [("live", row) for row in rows])
    outcomes = recorded_outcomes(project, log, "triage", "prod")
    assert [each.cost_usd for each in outcomes] == [None, 15e-6]
    ingest.take_file(project.store, log)
    [row] = by_version(project.store, ASKED, project.prices)
    assert row["priced"] == 1
    assert row["cost_usd"] == pytest.approx(15e-6)


def test_a_scorer_is_not_shown_an_input_that_was_cut(project: Project, tmp_path: Path) -> None:
    """Of half a context, faithfulness had found that the answer is made up."""
    whole = "x " * 20_000 + "the code is 7"
    listed = []
    for n, context in enumerate([whole, whole[-100:]]):
        values = json.dumps({"q": "code?", "context": capped(context)})
        listed.append(call(n, kept=1.0, output="7", values=values))

    @scorer
    def grounded(output: str, example: Example) -> bool:
        return output in example.inputs["context"]

    @scorer
    def short(output: str) -> bool:
        return len(output) < 9

    once = score_live(project, listed, [grounded, short])
    assert (once.scored, sum("an input of" in why for why in once.skipped)) == (2, 1)
    kept = project.store.rows(
        "select scorer, avg(value), count(*) from scores group by 1 order by 1"
    )
    assert kept == [("grounded", 1.0, 1), ("short", 1.0, 2)]
    assert score_live(project, listed, [grounded, short]).scored == 0
    judges = [faithfulness(judge="m"), rubric("Is it right?", judge="m")]
    fit = [
        len(each) for each, _ in by_judges(listed, [*judges, rubric("y", sees=["q"], judge="m")])
    ]
    assert sorted(fit) == [1, 3]


def test_the_guard_knows_what_calls_cost(project: Project, tmp_path: Path) -> None:
    """Live rows have tokens and no price: an expensive canary went on, whatever the limit was."""
    ids = [entry.id for entry in project.registry.versions("triage")]
    rows = [
        call(n, version_id=ids[n % 3 == 0], key_hash=f"u1-{n}", tokens_in=10, latency_ms=1.0)
        | {"tokens_out": 2_000 if n % 3 == 0 else 10, "started_at": "2099-01-01T00:00:00"}
        for n in range(300)
    ]
    log = lines(tmp_path / "log", [("live", row) for row in rows])
    outcomes = recorded_outcomes(project, log, "triage", "prod")
    assert sorted({each.cost_usd for each in outcomes if each.cost_usd}) == [2e-5, 2.01e-3]
    found = guard(project, "triage", "prod", outcomes, GuardLimits(cost_usd=1e-3))
    assert [each.name for each in found.measures if each.aborts] == ["cost"]
    assert found.decision == "abort"


def test_only_calls_with_both_counts_of_tokens_are_priced(project: Project) -> None:
    """A blocked answer has tokens of the prompt alone."""
    project.store.append("live", [call(1, tokens_in=10, tokens_out=5), call(2, tokens_in=1000)])
    [row] = by_version(project.store, ASKED, project.prices)
    assert (row["cost_usd"], row["priced"]) == (pytest.approx(15e-6), 1)


def test_failures_that_are_kept_beside_a_share_do_not_lower_the_quality(project: Project) -> None:
    """`content=0.05` keeps each failure and a twentieth of the other calls."""
    rows = [
        call(n, failure="truncated_length", output="{", kept=1.0)
        if n % 25 == 0
        else call(n, output="{}", kept=0.05)
        for n in range(2_000)
        if n % 25 == 0 or n % 20 == 1
    ]
    project.store.append("live", rows)
    found = score_live(project, rows, ["json_valid()"])
    [why] = found.skipped
    assert why == "are failures, all of which are kept, beyond the 0.05 of other calls"
    [row] = by_version(project.store, ASKED)
    assert row["score"] == pytest.approx(0.96, abs=0.05)
    alone = [row for row in rows if "failure" in row]
    assert score_live(project, alone, ["contains('}')"]).scored == len(alone)
    whole = [call(n, failure="refusal", output="{", kept=1.0) for n in range(3_000, 3_009)]
    assert score_live(project, whole, ["json_valid()"]).scored == 9


def test_an_edited_scorer_counts_in_its_last_version(project: Project) -> None:
    project.store.append("live", [call(n) for n in range(4)])
    for version, value in (("1", 1.0), ("2", 0.0)):
        base = {"example_fingerprint": "x", "scorer": "brief", "scorer_version": version}
        base |= {"scored_at": f"2026-07-02T00:00:0{version}"}
        rows = [{**base, "run_id": call(n)["id"], "value": value} for n in range(4)]
        project.store.append("scores", rows[: 4 if version == "1" else 2])
    [row] = by_version(project.store, ASKED)
    assert (row["scored"], row["score"]) == (2, 0.0)
    [hour] = by_hour(project.store, ASKED, quality=True)
    assert (hour["scored"], hour["score"]) == (2, 0.0)
    assert chosen(project.store, ASKED, "score = 1").empty


def test_versions_that_other_scorers_judged_are_named(project: Project) -> None:
    """Two means over different checks compare nothing."""
    more = {"version_id": "p1-b", "version": 2}
    project.store.append("live", [call(1), call(2, **more)])
    base = {"example_fingerprint": "x", "scorer_version": "1", "scored_at": "2026-07-02T00:00:00"}
    score = {**base, "run_id": call(1)["id"], "scorer": "brief", "value": 1.0}
    both = [{**score, "run_id": call(2)["id"], "scorer": name} for name in ("brief", "strict")]
    project.store.append("scores", [score, both[0]])
    assert unlike_scorers(project.store, ASKED) == ""
    project.store.append("scores", [both[1]])
    assert unlike_scorers(project.store, ASKED).endswith(": v1 by brief; v2 by brief, strict.")


def test_a_vote_is_on_one_call_where_the_providers_ids_come_again(
    project: Project, tmp_path: Path
) -> None:
    """A local server counts its ids to a thousand: a vote, its correction and its end with a purge
    are those of the last call before it.
    """
    ids = [entry.id for entry in project.registry.versions("triage")]
    calls = [call(n, response_id=f"c-{n % 5}", version_id=ids[0]) for n in range(20)]
    votes = [
        {"id": f"f-{n}", "run": "c-2", "kind": "good", "value": float(n), "at": at}
        | {"correction": f"gold {n}"}
        for n, at in enumerate(("2026-07-01T00:08:00", "2026-07-01T00:14:00"))
    ]
    rows = [*(("live", row) for row in calls), *(("feedback", row) for row in votes)]
    log = lines(tmp_path / "log", rows)
    ingest.take_file(project.store, log)
    [row] = by_version(project.store, ASKED)
    assert (row["votes"], row["good"]) == (2, 0.5)
    found = chosen(project.store, ASKED, "correction is not null")
    assert list(zip(found["id"], found["correction"], strict=True)) == [
        (call(12)["id"], "gold 1"),
        (call(7)["id"], "gold 0"),
    ]
    outcomes = recorded_outcomes(project, log, "triage", "prod")
    assert [each.quality for each in outcomes if each.quality is not None] == [0.0, 1.0]
    project.store.purge(before="2026-07-01T00:10:00", table="live")
    assert project.store.rows("select id from feedback") == [("f-1",)]
    [row] = by_version(project.store, ASKED)
    assert (row["calls"], row["votes"], row["good"]) == (20, 2, 0.5)


@pytest.mark.parametrize("form", ["log", "spans"])
def test_what_a_purge_removed_does_not_come_back_with_its_file(
    project: Project, tmp_path: Path, form: str
) -> None:
    """A job that imports a growing log each day, under whatever name it has by then."""
    path = tmp_path / "day.jsonl"
    lines(path, [("live", call(n)) for n in range(10)])
    if form == "spans":
        path.write_text("".join(_span(n) for n in range(10)))
    assert str(ingest.take_files(project.store, [path])) == "10 live rows read, 10 of them new."
    project.store.purge(before="2026-07-01T00:05:00", table="live")
    project.store.purge(live=[call(7)["id"]])
    for _ in range(2):
        path = path.rename(tmp_path / f"{path.name}.1")
        found = ingest.take_files(project.store, [path])
        assert (found.rows, found.new) == (10, 0)
    with path.open("a") as file:
        more = json.dumps({"promptops": "live", **call(10)}) + "\n"
        file.write(_span(10) if form == "spans" else more)
    assert ingest.take_files(project.store, [path]).new == 1
    assert sum(row["calls"] for row in by_version(project.store, ASKED)) == 10
    assert project.store.rows("select count(*) from live") == [(5,)]
    path.write_text(f"started\n{json.dumps({'promptops': 'live', **call(11)})}\n")  # copytruncate
    assert ingest.take_files(project.store, [path]).new == 1


@pytest.mark.parametrize("form", ["log", "spans", "folder"])
def test_what_a_purge_removed_does_not_come_back_with_a_log_that_overlaps(
    project: Project, tmp_path: Path, form: str
) -> None:
    """A job that fetches the last day's log each hour, or a log that loses its head: rows that went
    had come back with the next one, and an age's were counted twice.
    """

    def fetched(first: int, last: int) -> Path:
        path = tmp_path / f"{first}.jsonl"
        if form == "folder":  # that an application's host copies its files to
            path = tmp_path / "copied" / f"live-{first}.jsonl"
            path.parent.mkdir(exist_ok=True)
        if form == "spans":
            path.write_text("".join(map(_span, range(first, last))))
            return path
        rows = [("live", call(n)) for n in range(first, last)]
        for n in range(first, last):
            vote = {"id": f"f-{n:02}", "run": call(n)["id"], "kind": "good", "value": 1.0}
            rows.append(("feedback", {**vote, "at": call(n)["started_at"]}))
        lines(path, rows)
        if form == "log":
            return path
        path.write_text(path.read_text().removeprefix("started\n"))  # an application's own file
        return path.parent

    store = project.store
    ingest.take_files(store, [fetched(0, 10)])
    store.purge(before="2026-07-01T00:05:30", table="live")
    store.purge(live=[call(7)["id"]])
    found = ingest.take_files(store, [fetched(1, 13)])
    assert found.purged
    assert "were purged before and stay away" in str(found)
    ids = store.rows("select id from live order by id")
    assert ids == [(call(n)["id"],) for n in (6, 8, 9, 10, 11, 12)]
    assert sum(row["calls"] for row in by_version(project.store, ASKED)) == 12
    if form != "spans":
        votes = store.rows("select id from feedback order by id")
        assert votes == [(f"f-{n:02}",) for n in (6, 8, 9, 10, 11, 12)]
    other = tmp_path / "other.jsonl"  # of another prompt, or late, it was never there
    lines(other, [("live", {**call(2), "id": "l-2", "prompt": "reply"})])
    assert ingest.take_files(store, [other]).new == 1
    text = str(store.rows("select * from purged_calls"))
    assert call(7)["id"] not in text


def _span(n: int) -> str:
    texts = {"promptops.table": "live", "promptops.id": call(n)["id"], "promptops.values": "{}"}
    texts |= {"gen_ai.request.model": "m", "gen_ai.prompt.name": "triage"}
    texts |= {"promptops.environment": "prod", "promptops.started_at": call(n)["started_at"]}
    listed = [{"key": name, "value": {"stringValue": text}} for name, text in texts.items()]
    span = {"traceId": f"{n:032x}", "spanId": f"{n:016x}", "attributes": listed}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}) + "\n"


def test_several_people_add_calls_to_one_file(tmp_path: Path) -> None:
    """Each example that was acknowledged is there."""
    path = tmp_path / "from_live.jsonl"

    def add(n: int) -> int:
        return to_dataset([call(n, values=json.dumps({"x": f"t {n}"}))], path)[1]

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(add, range(60))) == 60
    assert len(Dataset.read(path)) == 60


def test_what_a_file_of_examples_has_stays_as_it_is(tmp_path: Path) -> None:
    """A line is added, or a golden answer filled in; a file with columns of its own is refused."""
    path = tmp_path / "data" / "from_live.jsonl"
    rows = [call(n, values=json.dumps({"x": f"t {n}"})) for n in range(3)]
    to_dataset(rows[:2], path)
    first, second = path.read_bytes().splitlines(keepends=True)
    odd = first.replace(b'", "', b'",  "') + b"\n" + second.rstrip(b"\n")
    path.write_bytes(odd)
    dataset, new, bare = to_dataset([rows[2], {**rows[1], "correction": "gold"}, call(9)], path)
    assert (new, bare, len(dataset)) == (1, {"had no content": 1}, 3)
    assert path.read_bytes().startswith(odd[: odd.index(second.rstrip(b"\n"))])
    assert [each.expected for each in dataset] == [None, "gold", None]
    own = tmp_path / "tickets.jsonl"
    own.write_text('{"ticket": "a", "label": "billing", "priority": 3}\n')
    with pytest.raises(DatasetError, match=r"tickets\.jsonl is not a file of examples"):
        to_dataset(rows, own)
    assert own.read_text() == '{"ticket": "a", "label": "billing", "priority": 3}\n'


@pytest.mark.parametrize("name", [*RESERVED])
def test_a_variable_named_like_a_column_of_datasets_is_refused(tmp_path: Path, name: str) -> None:
    """It had been left out, and calls that differ in it alone had become one example."""
    path = tmp_path / "from_live.jsonl"
    rows = [call(n, values=json.dumps({name: f"t {n}", "x": "same"})) for n in range(3)]
    with pytest.raises(DatasetError, match=rf"none of 3 live rows .* variable named '{name}'"):
        to_dataset(rows, path)
    assert not path.exists()
    _, new, left = to_dataset([*rows, call(9, values='{"x": "other"}')], path)
    assert (new, sum(left.values())) == (1, 3)


def test_a_conversation_is_the_history_of_its_example(tmp_path: Path) -> None:
    said = [{"role": "user", "content": "hello"}]
    values = json.dumps({"x": "a", "history": said})
    dataset, _, _ = to_dataset([call(1, values=values)], tmp_path / "from_live.jsonl")
    assert [list(each.history) for each in dataset] == [said]


def test_a_text_that_was_cut_is_neither_judged_nor_an_example(
    project: Project, tmp_path: Path
) -> None:
    """A valid answer of 40,000 characters had counted as invalid JSON."""
    answer = json.dumps(["a" * 40_000])
    rows = [
        call(1, output=capped(answer), values='{"x": "a"}', kept=1.0),
        call(2, output='["b"]', values=json.dumps({"x": capped("b" * 32_001)}), kept=1.0),
        call(3, output='["c"]', values='{"x": "c"}', kept=1.0),
        call(4, output="[1]", values='{"x": "d"}', correction=capped("d" * 50_000), kept=1.0),
    ]
    project.store.append("live", [{k: v for k, v in r.items() if k != "correction"} for r in rows])
    found = score_live(project, rows, ["json_valid()"])
    assert (found.scored, sum(found.skipped.values())) == (3, 1)
    [row] = by_version(project.store, ASKED)
    assert row["score"] == 1.0
    dataset, new, left = to_dataset(rows, tmp_path / "from_live.jsonl")
    assert ([each.inputs["x"] for each in dataset], new) == (["a", "c"], 2)
    assert sum(left.values()) == 2
    assert to_dataset(rows[1:2], tmp_path / "from_live.jsonl")[1] == 0
    with pytest.raises(DatasetError, match="had a text of more than 32,000 characters"):
        to_dataset(rows[1:2], tmp_path / "other.jsonl")


@pytest.mark.parametrize(
    "text", ["json_valid()", "no_pii()", "not_(json_valid())", "any_of(no_pii(), contains('a'))"]
)
def test_a_scorer_without_arguments_is_a_text_that_the_daily_job_can_build(text: str) -> None:
    assert text_of(scorer_of(text)) == text
