"""Law: content is written only if it was asked for, secrets never, users as keyed hashes only;
and what somebody says later finds the answer that it was said of.
"""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import promptops
from promptops import PromptVersion
from promptops.errors import RenderError
from promptops.observe import open_queues
from promptops.observe.open_queues import open_queue
from promptops.observe.row_writer import keyed_hash
from promptops.registry.served_version import Served
from promptops.spool.segment import segments
from tests.observe.live_rows_of import COMPLETION, client, rows_of

CANARIES = [f"sk-canary-{index:02d}-abcdefghij0123456789" for index in range(12)]
NAMED = "a-password-that-looks-like-nothing"
VERSION = PromptVersion("Classify: {{ticket}}", model="gpt-6-mini")
SERVED = Served("support-triage", "prod", VERSION, 3).on_arm("canary").for_key("user-17")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("PROMPTOPS_RECORD", str(tmp_path / "live"))
    monkeypatch.setenv("DATABASE_PASSWORD", NAMED)
    yield tmp_path / "live"
    open_queue(str(tmp_path / "live")).close()


def everything(folder: Path) -> str:
    assert promptops.observe.flush(30)
    return "".join(
        path.read_text(encoding="utf-8") for path in (folder / "segments").glob("*.jsonl")
    )


def _answer(text: str) -> Any:
    import httpx2

    message = {"role": "assistant", "content": text}
    document = {**COMPLETION, "choices": [{**COMPLETION["choices"][0], "message": message}]}
    return lambda _: httpx2.Response(200, json=document)


def _failing(text: str) -> Any:
    import httpx2

    return lambda _: httpx2.Response(400, json={"error": {"message": text, "code": "bad"}})


def _twelve_places(folder: Path, content: bool) -> str:
    """A canary in each: values, nested values, output, error, headers, session, key, feedback."""
    c = CANARIES
    asked = SERVED.version.request(ticket=f"my key {c[0]} and {NAMED}")
    with promptops.observe.session(c[1]):
        promptops.observe(client(_answer(f"no: {c[2]}")), content=content).chat.completions.create(
            **asked, extra_headers={"x-other": c[3]}
        )
    failing = promptops.observe(client(_failing(f"{c[4]} {NAMED}")), content=content)
    with pytest.raises(Exception, match="400"):
        failing.chat.completions.create(**asked)
    with (
        pytest.raises(ValueError, match="sk-canary"),
        promptops.call(SERVED.for_key(c[5]), ticket={"deep": [c[6]]}),
    ):
        raise ValueError(c[7])
    promptops.feedback(c[8], good=False, correction=c[9], note=f"{c[10]} {NAMED}", by=c[11])
    return everything(folder)


def test_twelve_canaries_content_off(folder: Path) -> None:
    """Nothing of a value, an output or an error's text stands in the folder; nor a secret."""
    text = _twelve_places(folder, content=False)
    assert [canary for canary in [*CANARIES, NAMED] if canary in text] == []
    assert "my key" not in text
    assert "no: " not in text
    assert text.count('"attribution"') == 3


def test_twelve_canaries_content_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With content the texts stand there, without their secrets."""
    monkeypatch.setenv("PROMPTOPS_CONTENT", "1")
    text = _twelve_places(folder, content=True)
    assert [canary for canary in [*CANARIES, NAMED] if canary in text] == []
    assert "my key [redacted]" in text
    assert "no: [redacted]" in text


@pytest.mark.parametrize("share", ["yes", "nan", "-1", "1e400", "2", " "])
def test_a_share_that_is_none_keeps_nothing_and_stops_no_call(
    folder: Path, monkeypatch: pytest.MonkeyPatch, share: str
) -> None:
    """It is said; where warnings are errors, the application's call goes on all the same."""
    monkeypatch.setenv("PROMPTOPS_CONTENT", share)
    with pytest.warns(UserWarning, match="expected a share"), promptops.call(SERVED, ticket="x"):
        pass
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with promptops.call(SERVED, ticket="my own matter") as call:
            call.answer = "billing"
    assert promptops.observe.flush(30)
    assert [row.get("values") for row in rows_of(folder)] == [None, None]


def test_users_are_keyed_hashes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Key, session and rater are hashes under the project's key, the same in every process."""
    monkeypatch.setenv("PROMPTOPS_HASH_KEY", "project")
    with promptops.observe.session("s-1"), promptops.call(SERVED, ticket="x") as call:
        call.answer = "billing"
    promptops.feedback(str(call.id), good=True, by="ada")
    assert promptops.observe.flush(30)
    [row] = rows_of(folder)
    assert row["key_hash"] == keyed_hash(b"project", "user-17")
    assert row["session"] == keyed_hash(b"project", "s-1")
    [said] = rows_of(folder, "feedback")
    assert (said["run"], said["kind"], said["value"]) == (call.id, "good", 1.0)
    assert said["by"] == keyed_hash(b"project", "ada")


def test_the_folder_has_a_key_of_its_own(folder: Path) -> None:
    with promptops.call(SERVED, ticket="x"):
        pass
    assert promptops.observe.flush(30)
    [row] = rows_of(folder)
    key = (folder / "hash.key").read_bytes()
    assert row["key_hash"] == keyed_hash(key, "user-17")
    assert (folder / "hash.key").stat().st_mode & 0o077 == 0


def test_a_redactor_that_raises_costs_the_content_only(folder: Path) -> None:
    """The row is kept, its content dropped, the fault counted."""

    def redact(text: str) -> str:
        if "bad" in text:
            raise RuntimeError("no")
        return text.upper()

    observed = promptops.observe(client(), sink=folder, content=True, redact=redact)
    for ticket in ("fine", "bad"):
        observed.chat.completions.create(**VERSION.request(ticket=ticket))
    queue = open_queue(str(folder), redact)
    assert queue.flush(30)
    good, bad = rows_of(folder)
    assert (good["output"], json.loads(good["values"].lower())) == ("BILLING", {"ticket": "fine"})
    assert "output" not in bad
    assert "values" not in bad
    assert queue.health()["redaction_faults"] == 1
    queue.close()


def test_a_share_keeps_a_session_together(folder: Path) -> None:
    """content=0.5: of 40 sessions some are kept and some are not, each as a whole; failures are."""
    observed = promptops.observe(client(), content=0.5)
    for index in range(40):
        with promptops.observe.session(f"s-{index}"):
            for _ in range(2):
                observed.chat.completions.create(**VERSION.request(ticket="x"))
    with pytest.raises(Exception, match="slow down"):
        observed.chat.completions.create(**{**VERSION.request(ticket="x"), "model": "limited"})
    assert promptops.observe.flush(30)
    *rows, failed = rows_of(folder)
    kept: dict[str, set[bool]] = {}
    for row in rows:
        kept.setdefault(row["session"], set()).add("output" in row)
    assert all(len(states) == 1 for states in kept.values())
    assert 8 <= sum(states == {True} for states in kept.values()) <= 32
    assert (failed["kept"], "values" in failed) == (1.0, True)


# -- whose call it is


def test_a_call_of_another_client(folder: Path) -> None:
    """`call` times it, keeps its failure, and an observed client inside makes no second row."""
    observed = promptops.observe(client())
    with promptops.call(SERVED, ticket="x") as call:
        call.answer = observed.chat.completions.create(**call.request)
    with pytest.raises(RenderError), promptops.call(SERVED, wrong="x"):
        pass
    assert promptops.observe.flush(30)
    first, second = rows_of(folder)
    assert (first["prompt"], first["env"], first["version"]) == ("support-triage", "prod", 3)
    assert (first["arm"], first["tokens_in"], first.get("failure")) == (
        "canary",
        11,
        None,
    )
    assert (second["failure"], second["prompt"]) == ("render_error", "support-triage")


def test_a_list_that_was_made_again(folder: Path) -> None:
    """Appended to: carried. Made again: found by its messages. Of two alike, or changed:
    unknown.
    """
    observed = promptops.observe(client())
    other = Served("other", "prod", VERSION, 1)

    def attributed(messages: list[Any]) -> str:
        observed.chat.completions.create(model="m", messages=messages)
        assert promptops.observe.flush(30)
        return str(rows_of(folder)[-1]["attribution"])

    extra = {"role": "user", "content": "more"}
    carried = SERVED.request(ticket="a")["messages"]
    carried.append(extra)
    assert attributed(carried) == "carried"
    assert attributed([*SERVED.request(ticket="b")["messages"], extra]) == "matched"
    assert rows_of(folder)[-1]["prompt"] == "support-triage"
    assert attributed([{"role": "user", "content": "Classify: bb"}]) == "unknown"
    same = [*SERVED.request(ticket="c")["messages"], *other.request(ticket="c")["messages"][:0]]
    assert attributed(same) == "unknown"
    assert "prompt" not in rows_of(folder)[-1]


def test_interleaved_tasks_are_never_mistaken(folder: Path) -> None:
    """Two prompts in 50 tasks: every row has the prompt of its own request."""
    import asyncio

    from tests.observe.live_rows_of import async_client

    prompts = [SERVED, Served("other", "prod", PromptVersion("Other: {{ticket}}"), 1)]

    async def one(observed: Any, index: int) -> None:
        asked = prompts[index % 2].request(ticket="x" * (index + 1))
        await asyncio.sleep(0)
        again = {"messages": [*asked["messages"]]} if index % 3 == 0 else {}
        await observed.chat.completions.create(**{**asked, "model": str(index), **again})

    async def main() -> None:
        observed = promptops.observe(async_client())
        await asyncio.gather(*(one(observed, index) for index in range(50)))

    asyncio.run(main())
    assert promptops.observe.flush(30)
    rows = rows_of(folder)
    assert len(rows) == 50
    for row in rows:
        assert row["prompt"] == prompts[int(row["model"]) % 2].name


def test_a_redactor_per_client_takes_no_thread_or_file_each(folder: Path) -> None:
    """Each row is changed by the redactor of its own client, feedback by the last one."""
    before, asked = threading.active_count(), VERSION.request(ticket="my Invoice")
    for number in range(40):
        own = promptops.observe(
            client(), sink=str(folder), content=True, redact=lambda _, mine=number: f"by {mine}"
        )
        own.chat.completions.create(**asked)
    promptops.observe(client(), sink=str(folder), content=True).chat.completions.create(**asked)
    promptops.feedback("r", note="said", sink=str(folder))
    assert promptops.observe.flush(30)
    assert threading.active_count() <= before + 1
    assert len(segments(folder)) == 1
    outputs = [row["output"] for row in rows_of(folder)]
    assert outputs == [*(f"by {number}" for number in range(40)), "billing"]
    assert [row["note"] for row in rows_of(folder, "feedback")] == ["by 39"]


def test_each_text_of_feedback_passes_the_redactor(folder: Path) -> None:
    """A label had not, and may be a text that a person typed."""
    observed = promptops.observe(client(), redact=lambda text: text.replace("Ada", "[name]"))
    assert observed is not None
    promptops.feedback("l-1", label="asked by Ada", correction="Ada's", note="of Ada")
    assert "Ada" not in everything(folder)
    assert everything(folder).count("[name]") == 3


def test_feedback_of_any_kind_raises_nothing(folder: Path) -> None:
    class Untold:
        def __str__(self) -> str:
            raise ValueError("no text")

    for number in (10**400, float("nan"), float("inf"), "5"):
        assert promptops.feedback("r", score=number, sink=str(folder)) is False  # type: ignore[arg-type]
    for name in ("label", "note", "correction"):
        assert promptops.feedback("r", sink=str(folder), **{name: Untold()}) is False  # type: ignore[arg-type]
    assert promptops.feedback("r", good=True, by=Untold(), sink=str(folder))  # type: ignore[arg-type]
    assert open_queue(str(folder)).flush(30)
    assert [row["value"] for row in rows_of(folder, "feedback")] == [1.0]


def test_feedback_says_whether_it_was_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert promptops.feedback("r-1", good=True, score=0.7, label="rude", correction="billing")
    assert not promptops.feedback("r-1")
    assert promptops.observe.flush(30)
    rows = rows_of(folder, "feedback")
    assert [row["kind"] for row in rows] == ["good", "score", "label"]
    assert [row.get("correction") for row in rows] == ["billing", None, None]


PASSWORD, HEADER = "Wint3r-Pass-77", "dGVuYW50LTc3OmxldC1tZS1pbg"


@pytest.mark.parametrize("by", ["address", "variable", "header"])
def test_a_collector_that_cannot_be_asked_shows_no_password(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, by: str
) -> None:
    """Neither in the application's log nor by `health`, which a page for operators may show."""
    address = f"http://ingest:{PASSWORD}@127.0.0.1"
    named = f"otlp+{address}" if by == "address" else "otlp"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
    if by == "header":
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"authorization=Basic%20{HEADER}%0A")
    monkeypatch.setattr(open_queues, "_OPEN", {})
    queue = open_queue(named)
    queue.put("live", {"id": "l-1", "started_at": 1.0})
    assert queue.flush(10)
    shown = f"{promptops.observe.health()} {caplog.text}"
    queue.close()
    assert "'dropped': 1" in shown
    assert "live rows are being dropped" in shown
    assert PASSWORD not in shown
    assert HEADER not in shown


def test_the_reason_of_a_loss_holds_no_secret(folder: Path) -> None:
    """It is written beside the rows, with or without their content."""

    class Odd:
        def model_dump(self) -> object:
            raise ValueError(f"no JSON of {CANARIES[0]} with {NAMED}")

    queue = open_queue(str(folder))
    queue.put("live", {"id": "l-1", "values": {"ticket": Odd()}})
    queue.put("live", {"id": "l-2"})
    written = everything(folder)
    assert [row["rows"] for row in rows_of(folder, "live_losses")] == [1]
    assert "no JSON of [redacted] with [redacted]" in written
    assert CANARIES[0] not in str(queue.health())
