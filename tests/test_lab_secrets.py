"""S11: a key never reaches a file: twelve canary secrets in twelve places, and a byte search of everything that was written."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from promptops.errors import CallError
from promptops.lab import Dataset, Lab
from promptops.scorers import scorer

CANARY = "sk-canary{:02d}Zq7Xw9Lm4Tn2Vb8Rc5Yd1Ka3"
PLACES = {
    name: CANARY.format(number)
    for number, name in enumerate(
        (
            *("environment", "base_environment", "client", "header", "model_exception", "error_body", "answer", "tool_argument"),
            *("target_exception", "scorer_exception", "second_client", "variable"),
        )
    )
}


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was sent: the key in the error body, the answer and the tool's arguments."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = body["messages"][-1]["content"]
        key = self.headers["authorization"] or ""
        if "fail" in text:
            self._reply(400, {"error": {"message": f"bad key {key} {PLACES['error_body']}", "code": "bad"}})
            return
        call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": json.dumps({"key": PLACES["tool_argument"]})}}
        message = {
            "role": "assistant",
            "content": f"your key is {key} {PLACES['answer']} {self.headers['x-api-key']}",
            "tool_calls": [call],
        }
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        self._reply(
            200,
            {
                "id": "x",
                "object": "chat.completion",
                "model": "m",
                "created": 0,
                "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
                "usage": usage,
            },
        )

    def _reply(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


def test_no_file_holds_a_key(
    make_lab: Callable[..., Lab],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Store, spool, registry, evidence, report, logs and output: 0 hits of 12 canaries; the store's files are for their owner only."""
    from openai import OpenAI

    monkeypatch.setenv("OPENAI_API_KEY", PLACES["environment"])
    monkeypatch.setenv("SERVICE_TOKEN", PLACES["base_environment"])
    caplog.set_level(logging.DEBUG)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}/v1"

    def raising(request: Any) -> str:
        raise RuntimeError(f"no access with {PLACES['model_exception']}")

    def target(ticket: str) -> str:
        raise ValueError(f"token {PLACES['target_exception']} expired")

    @scorer
    def leaky(output: str) -> bool:
        raise ValueError(f"judge key {PLACES['scorer_exception']}")

    from promptops.models.scripted import ScriptedModel

    models = {
        "echo": OpenAI(base_url=base, api_key=PLACES["client"], default_headers={"x-api-key": PLACES["header"]}),
        "second": OpenAI(base_url=base + "/other", api_key=PLACES["second_client"]),
        "raising": ScriptedModel(raising, label="raising"),
    }
    lab = make_lab(models=models)
    prompt = lab.prompt("p")
    versions = [prompt.save(f"{name}: {{{{ticket}}}}", model=name) for name in models]
    data = Dataset.read(
        [{"id": "a", "ticket": f"hello {PLACES['environment']} {PLACES['variable']}"}, {"id": "b", "ticket": "fail please"}]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = lab.evaluate(versions, data, [leaky])
        lab.evaluate(versions[:1], data, [leaky], target=target)
        with pytest.raises(CallError) as failed:
            versions[0](ticket="fail please, alone")
        lab.promote(versions[0], to="dev")
        study.report(tmp_path / "report.html")
        lab.store.merge()
        lab.store.flush()
    server.shutdown()
    keys = {PLACES[name] for name in PLACES}
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in written} >= {".html", ".json"}
    hits = [(path.name, key) for path in written for key in keys if key.encode() in path.read_bytes()]
    assert hits == []
    out = capsys.readouterr()
    said = "\n".join((caplog.text, out.out, out.err, str(failed.value), repr(study), lab.sql("select * from runs").to_csv()))
    assert [key for key in keys if key in said] == []
    store = [path for path in (tmp_path / "project" / ".promptops").rglob("*") if path.is_file()]
    assert {oct(path.stat().st_mode & 0o077) for path in store if path.name != ".gitignore"} == {"0o0"}
