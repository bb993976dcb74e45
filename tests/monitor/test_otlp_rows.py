"""Law: a model call in OTLP/JSON is a live row whichever convention named its attributes, once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptops.monitor import ingest
from promptops.observe.otlp_sink import span_of
from promptops.store import Store

# by emitter: the attributes that its spans carry, as its documentation and source name them
SPANS: dict[str, dict[str, Any]] = {
    "openinference": {
        "openinference.span.kind": "LLM",
        "llm.model_name": "gpt-6-mini-2026",
        "llm.token_count.prompt": 11,
        "llm.token_count.completion": 2,
        "output.value": json.dumps(
            {
                "id": "c-1",
                "system_fingerprint": "fp_1",
                "choices": [{"message": {"content": "billing"}, "finish_reason": "stop"}],
            }
        ),
    },
    "openllmetry": {
        "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-6-mini",
        "gen_ai.response.model": "gpt-6-mini-2026",
        "gen_ai.usage.prompt_tokens": 11,
        "gen_ai.usage.completion_tokens": 2,
        "gen_ai.openai.response.system_fingerprint": "fp_1",
        "gen_ai.completion.0.content": "billing",
    },
    "openai-v2": {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-6-mini",
        "gen_ai.response.model": "gpt-6-mini-2026",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 2,
        "openai.response.system_fingerprint": "fp_1",
        "gen_ai.output.messages": json.dumps(
            [{"role": "assistant", "parts": [{"type": "text", "content": "billing"}]}]
        ),
    },
}
FILES = Path(__file__).with_name("files")
RECORDED = ("openinference", "openllmetry", "logfire", "langfuse", "openai-v2")
STAMP = {"gen_ai.prompt.name": "triage", "gen_ai.prompt.version": "3", "promptops.version.id": "p1"}


def value(of: Any) -> dict[str, Any]:
    if isinstance(of, list):
        return {"arrayValue": {"values": [value(each) for each in of]}}
    return {"intValue": str(of)} if isinstance(of, int) else {"stringValue": of}


def line(attributes: dict[str, Any], **span: Any) -> str:
    listed = [{"key": name, "value": value(each)} for name, each in attributes.items()]
    whole = {
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "spanId": "b7ad6b7169203331",
        "startTimeUnixNano": "1795900000000000000",
        "endTimeUnixNano": "1795900001500000000",
        "attributes": listed,
        **span,
    }
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [whole]}]}]})


@pytest.mark.parametrize("emitter", SPANS)
def test_every_emitter(emitter: str, tmp_path: Path) -> None:
    """Model, tokens, latency, output, prompt and version; a second time, nothing; other spans and
    broken lines, nothing.
    """
    path = tmp_path / "spans.jsonl"
    other = line({"http.method": "GET"}, spanId="00000000000000aa")
    path.write_text("\n".join([line({**SPANS[emitter], **STAMP}), other, '{"resourceSpans": [']))
    store = Store(tmp_path / "store")
    for _ in range(2):
        assert ingest.take_file(store, path).refused == 0
    columns = "model_returned, tokens_in, tokens_out, latency_ms, output, prompt, version"
    [row] = store.rows(f"select {columns}, version_id, system_fingerprint from live")
    assert row == ("gpt-6-mini-2026", 11, 2, 1500.0, "billing", "triage", 3, "p1", "fp_1")


def test_our_own_sink_comes_back(tmp_path: Path) -> None:
    """What the OTLP sink sends is the row that the folder would have."""
    row = {
        "id": "l-0123456789abcdef0123456789abcdef",
        "prompt": "triage",
        "version": 3,
        "version_id": "p1-x",
        "env": "prod",
        "started_at": "2026-11-29T10:00:00.250000",
        "latency_ms": 12.5,
        "model": "m",
        "tokens_in": 11,
        "failure": "rate_limit",
        "failure_detail": "429",
        "output": "billing",
        "values": '{"ticket":"a"}',
        "kept": 0.05,
        "key_hash": "u1-0123456789abcdef0123456789abcdef",
        "attribution": "carried",
        "served_from": "file",
        "first_token_ms": 250.0,
        "streamed": True,
        "chars_in": 7,
    }
    span = span_of("live", row)
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    path = tmp_path / "spans.jsonl"
    path.write_text(json.dumps(document))
    store = Store(tmp_path / "store")
    ingest.take_file(store, path)
    names = [name for name in row if name != "started_at"]
    found = store.rows(f"select {', '.join(names)}, started_at::varchar from live")
    assert found == [(*(row[name] for name in names), "2026-11-29 10:00:00.25")]


@pytest.mark.parametrize("emitter", RECORDED)
def test_recorded_files(emitter: str, tmp_path: Path) -> None:
    """What each emitter wrote of a call that went well and of one that was refused, beside our own
    stamp (`files/record.py`): who, model, tokens, answer, failure; twice the same file, nothing
    new. openai-v2 keeps no content on its spans, and ids as protobuf's JSON has them.
    """
    path = FILES / f"{emitter}.jsonl"
    assert ingest.is_live_file(path)
    store = Store(tmp_path / "store")
    assert [ingest.take_files(store, [path]).new for _ in range(2)] == [2, 0]
    columns = "prompt, version, version_id, env, model, failure, length(trace_id), length(span_id)"
    good, bad = store.rows(f"select {columns} from live order by started_at")
    whose = ("triage", 3, "p1-1ae06f656c358577b1f29e70059162d6", "prod")
    asked = "gpt-6-mini-2026" if emitter == "langfuse" else "gpt-6-mini"  # it keeps one name only
    assert good == (*whose, asked, None, 32, 16)
    assert bad == (*whose, "gpt-6-mini", "rate_limit", 32, 16)
    columns = "model_returned, tokens_in, tokens_out, tokens_cached, output, latency_ms > 0"
    said = None if emitter == "openai-v2" else "billing"
    returned = None if emitter == "langfuse" else "gpt-6-mini-2026"
    cached = None if emitter == "openai-v2" else 4
    sql = f"select {columns} from live where failure is null"
    assert store.rows(sql) == [(returned, 11, 2, cached, said, True)]


def test_one_document_over_many_lines(tmp_path: Path) -> None:
    """A file that was laid out for readers is the same file; damaged spans stop no other."""
    document = json.loads((FILES / "openllmetry.jsonl").read_text())
    spans = document["resourceSpans"][0]["scopeSpans"][0]["spans"]
    spans[:0] = [{"attributes": 7}, "no span", {"attributes": [{"key": "llm.model_name"}]}]
    spans.append({**spans[-1], "spanId": "00000000000000ab", "startTimeUnixNano": "soon"})
    path = tmp_path / "spans.json"
    path.write_text(json.dumps(document, indent=1))
    store = Store(tmp_path / "store")
    assert [ingest.take_files(store, [path]).new for _ in range(2)] == [2, 0]


def test_users_of_others_become_keyed_hashes(tmp_path: Path) -> None:
    """Another tool writes a conversation's name as it is: the store gets its hash."""
    path = tmp_path / "spans.jsonl"
    path.write_text(line({**SPANS["openllmetry"], "session.id": "ada@example.org"}))
    store = Store(tmp_path / "store")
    ingest.take_file(store, path)
    [(session,)] = store.rows("select session from live")
    assert session.startswith("u1-")


def test_feedback_that_went_through_a_collector(tmp_path: Path) -> None:
    """What our own sink sends of feedback comes back as feedback."""
    row = {"id": "f-1", "run": "c-1", "kind": "good", "value": 0.0, "correction": "shipping"}
    span = span_of("feedback", {**row, "at": "2026-11-29T10:00:00"})
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    path = tmp_path / "spans.jsonl"
    path.write_text(json.dumps(document))
    store = Store(tmp_path / "store")
    assert [ingest.take_files(store, [path]).new for _ in range(2)] == [1, 0]
    assert store.rows(f"select {', '.join(row)} from feedback") == [tuple(row.values())]
