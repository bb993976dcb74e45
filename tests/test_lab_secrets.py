"""S11: a key never reaches a file: canary secrets in fifteen places, of every shape, and a byte search of everything that was written.

Found are secrets that were told (a client's key, headers, query and address; `lab.store.keep_secret`), that stand in a variable of the
environment named like one, or that look like a provider's key. A text that nobody told of and that looks like nothing cannot be
told from any other: a model that makes up such a text, or a cell of a dataset that holds it, is recorded as it is.
"""

from __future__ import annotations

import base64
import html
import json
import logging
import re
import urllib.parse
import warnings
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from promptops.errors import CallError
from promptops.lab import Dataset, Lab
from promptops.models.endpoint import EndpointModel
from promptops.models.scripted import ScriptedModel
from promptops.scorers import scorer

OWN = ("environment", "client", "header", "second_client", "address", "query")  # known from where they are used
LOOSE = (  # known only by their look, by a variable's name, or because they were told
    *("service", "model_exception", "error_body", "answer", "tool_argument", "target_exception", "scorer_exception", "variable", "chunk"),
)
SHAPES: dict[str, Callable[[int], str]] = {
    "like a provider's": lambda n: f"sk-canary{n:02d}Zq7Xw9Lm4Tn2Vb8Rc5Yd1Ka3",
    "letters and digits": lambda n: f"q{n:02d}Zq7Xw9Lm4Tn2Vb8Rc5Yd1Ka3Hj6",
    "base64": lambda n: f"q{n:02d}+Zq7/Xw9Lm4+Tn2Vb8Rc5/Yd1Ka==",
    "awkward": lambda n: f"""q{n:02d}$(x)*[a]{{2}}"b\\c'd<e>&f/\\"g|h^""",
    "of other scripts": lambda n: f"пароль-{n:02d}-ключ🔑ß",
}
HEADERS_ONLY_ASCII = ("of other scripts",)  # no header can carry them


def canaries(shape: str) -> dict[str, str]:
    return {
        name: SHAPES[shape if name in LOOSE or shape not in HEADERS_ONLY_ASCII else "base64"](n) for n, name in enumerate((*OWN, *LOOSE))
    }


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was sent: keys in the error's body, the answer, the tool's arguments and, in pieces, a stream."""

    places: dict[str, str]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = body["messages"][-1]["content"]
        scheme, _, key = (self.headers["authorization"] or "").partition(" ")
        key = base64.b64decode(key).decode() if scheme == "Basic" else key
        sent = f"{key} {self.headers['x-api-key']} {urllib.parse.unquote(self.path)}"
        if body.get("stream"):
            self._stream(sent)
            return
        if "fail" in text:
            self._reply(400, {"error": {"message": f"bad key {sent} {self.places['error_body']}", "code": "bad"}})
            return
        arguments = json.dumps({"key": self.places["tool_argument"], "deep": json.dumps([self.places["tool_argument"]])})
        call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
        message = {"role": "assistant", "content": f"your key is {sent} {self.places['answer']}", "tool_calls": [call]}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        choices = [{"index": 0, "finish_reason": "stop", "message": message}]
        self._reply(200, {"id": "x", "object": "chat.completion", "model": "m", "created": 0, "choices": choices, "usage": usage})

    def _stream(self, sent: str) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for piece in [*self.places["chunk"], " ", sent]:  # a character a chunk
            event = {"id": "x", "model": "m", "choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}
            self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
        last = {"id": "x", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        self.wfile.write(f"data: {json.dumps(last)}\n\ndata: [DONE]\n\n".encode())

    def _reply(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def echo() -> Iterator[Callable[[dict[str, str]], str]]:
    """Starts a server that tells the canaries; gives its address without the scheme."""
    servers = []

    def start(places: dict[str, str]) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Told", (Echo,), {"places": places}))
        Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"127.0.0.1:{server.server_port}/v1"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def forms(secret: str) -> set[bytes]:
    """How a file may hold it: plain, in JSON (twice over), in HTML, in an address."""
    plain = {secret, html.escape(secret), html.escape(secret, quote=False), urllib.parse.quote(secret), urllib.parse.quote(secret, safe="")}
    for ascii_ in (True, False):
        once = json.dumps(secret, ensure_ascii=ascii_)[1:-1]
        plain |= {once, json.dumps(once, ensure_ascii=ascii_)[1:-1], json.dumps(html.escape(secret), ensure_ascii=ascii_)[1:-1]}
    return {form.encode() for form in plain}


def found_in(data: bytes, places: dict[str, str]) -> list[str]:
    return [name for name, secret in places.items() if any(form in data for form in forms(secret))]


def live(lab: Lab, places: dict[str, str], shown: Path) -> str:
    """Everything that a key could come through; what it said to people. shown: a folder for what was shown and handed out."""

    def target(ticket: str) -> str:
        raise ValueError(f"token {places['target_exception']} expired")

    @scorer
    def leaky(output: str) -> bool:
        raise ValueError(f"judge key {places['scorer_exception']}")

    said = []
    prompt = lab.prompt("p")
    versions = [
        prompt.save(f"{name}: {{{{ticket}}}}", model=name) for name in ("echo", "second", "third", "raising", "streaming", "environment")
    ]
    data = Dataset.read([{"id": "a", "ticket": f"hello {places['variable']}"}, {"id": "b", "ticket": "fail please"}])
    study = lab.evaluate(versions, data, [leaky])
    said.append(repr(study))
    lab.evaluate(versions[:1], data, [leaky], target=target)
    with pytest.raises(CallError) as failed:
        versions[0](ticket="fail please, alone")
    said += [str(failed.value), repr(failed.value.__cause__), repr(failed.value.__context__)]
    said.append(repr(versions[4](ticket="alone")))
    lab.promote(versions[0], to="dev")
    study.report(shown / "report.html")
    lab.store.export(shown / "store.export")
    cells = [study, study.examples(), study.runs(), study.scores(), lab, lab.studies, versions[0], lab.sql("select * from attempts")]
    (shown / "notebook.ipynb").write_text(notebook_of(cells), encoding="utf-8")
    lab.store.merge()
    lab.store.flush()
    said.append(lab.sql("select * from runs").to_csv())
    return "\n".join(said)


def notebook_of(cells: list[Any]) -> str:
    """A notebook that shows them, as Jupyter writes one."""
    import nbformat
    from IPython.core.formatters import DisplayFormatter

    formatter, made = DisplayFormatter(), []
    for value in cells:
        bundle, _ = formatter.format(value)
        output = nbformat.v4.new_output("display_data", data=bundle)
        made.append(nbformat.v4.new_code_cell("study", outputs=[output]))
    return str(nbformat.writes(nbformat.v4.new_notebook(cells=made)))


def lab_of(make_lab: Callable[..., Lab], places: dict[str, str], server: str, monkeypatch: pytest.MonkeyPatch, shape: str) -> Lab:
    """A lab whose models hold the canaries of their places; loose ones stand in variables that are named like secrets, but for
    those with a provider's look, which nobody tells."""
    from openai import OpenAI

    monkeypatch.setenv("OPENAI_API_KEY", places["environment"])
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://{server}")
    monkeypatch.setenv("SERVICE_TOKEN", places["service"])
    if shape != "like a provider's":
        for name in LOOSE:
            monkeypatch.setenv(f"PLACE_{name.upper()}_SECRET", places[name])

    def raising(request: Any) -> str:
        raise RuntimeError(f"no access with {places['model_exception']} {places['service']}")

    address = f"http://ann:{urllib.parse.quote(places['address'], safe='')}@{server}"
    models = {
        "echo": OpenAI(base_url=f"http://{server}", api_key=places["client"], default_headers={"x-api-key": places["header"]}),
        "second": OpenAI(base_url=f"http://{server}", api_key=places["second_client"], default_query={"api_key": places["query"]}),
        "third": EndpointModel(base_url=address, api_key="unused"),
        "streaming": EndpointModel(base_url=f"http://{server}/streaming", api_key=places["client"], stream=True),
        "raising": ScriptedModel(raising, label="raising"),
    }
    return make_lab(models=models)


@pytest.mark.parametrize("shape", list(SHAPES))
def test_no_file_holds_a_key(
    make_lab: Callable[..., Lab],
    echo: Callable[[dict[str, str]], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    shape: str,
) -> None:
    """Store, spool, registry, evidence, export, report, notebook, warnings, logs and output: 0 hits; the store's files are for their owner only."""
    places = canaries(shape)
    caplog.set_level(logging.DEBUG)
    shown = tmp_path / "shown"
    shown.mkdir()
    lab = lab_of(make_lab, places, echo(places), monkeypatch, shape)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        said = live(lab, places, shown)
    outputs = "".join(str(text) for (text,) in lab.store.rows("select coalesce(output, '') || coalesce(tool_calls, '') from runs"))
    assert outputs.count("[redacted]") >= 10  # they came as far as here
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in written} >= {".html", ".json", ".jsonl", ".duckdb", ".ipynb", ".export"}
    assert {path.name: hits for path in written if (hits := found_in(path.read_bytes(), places))} == {}
    out = capsys.readouterr()
    texts = "\n".join((said, out.out, out.err, *(str(each.message) for each in warned)))
    assert found_in(texts.encode(), places) == []
    # the openai package's HTTP library logs whole addresses where its own logger is switched on; no keys and no headers
    logged = found_in(caplog.text.encode(), places)
    assert {name for name in logged if name not in ("address", "query")} == set()
    ours = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "openai")))
    assert found_in(ours.encode(), places) == []
    kept = [path for path in (tmp_path / "project" / ".promptops").rglob("*") if path.name != ".gitignore"]
    assert {oct(path.stat().st_mode & 0o077) for path in kept} == {"0o0"}


def test_a_store_that_cleans_nothing_is_noticed(
    make_lab: Callable[..., Lab], echo: Callable[[dict[str, str]], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof of the search: with the two cleaners switched off, the canaries of all places are found."""
    places = canaries("awkward")
    monkeypatch.setattr("promptops.store.redaction.Redactor.__call__", lambda self, text: text)
    for where in ("promptops.engine.filing.redact", "promptops.engine.filing.redact_failure", "promptops.models.endpoint.redact_failure"):
        monkeypatch.setattr(where, lambda text, secrets: text)
    lab = lab_of(make_lab, places, echo(places), monkeypatch, "awkward")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        live(lab, places, tmp_path)
    data = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert set(places) - set(found_in(data, places)) == set()


def test_the_forms_of_a_secret_are_those_that_files_have() -> None:
    """A search that looks for too little would find nothing."""
    secret = SHAPES["awkward"](1)
    assert secret.encode() in forms(secret)
    assert re.search(rb"\\\\\\\\", b"".join(forms(secret)))
    assert b"&quot;" in b"".join(forms(secret))
