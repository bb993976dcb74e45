"""S11: a key never reaches a file: canary secrets in nineteen places, of every shape, and a byte
search of everything that was written.

Found are secrets that were told (a client's key, headers, query and address, its HTTP client's
headers, cookies and credentials; `lab.store.keep_secret`), that stand in a variable of the
environment named like one or as the password of an address in any other, or that look like a
provider's key. A text that nobody told of and that looks like nothing cannot be told from any
other: a model that makes up such a text, or a cell of a dataset that holds it, is recorded as it
is.
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
from promptops.store import Store
from promptops.store.schema import TABLES

OWN = (  # known from where they are used
    *(
        "environment",
        "client",
        "header",
        "gateway",
        "second_client",
        "address",
        "query",
        "cookie",
        "credentials",
        "database",
    ),
)
LOOSE = (  # known only by their look, by a variable's name, or because they were told
    *(
        "service",
        "model_exception",
        "error_body",
        "answer",
        "tool_argument",
        "target_exception",
        "scorer_exception",
        "variable",
        "chunk",
    ),
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
        name: SHAPES[shape if name in LOOSE or shape not in HEADERS_ONLY_ASCII else "base64"](n)
        for n, name in enumerate((*OWN, *LOOSE))
    }


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was sent: keys in the error's body, the answer, the tool's arguments
    and, in pieces, a stream.
    """

    places: dict[str, str]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = body["messages"][-1]["content"]
        scheme, _, key = (self.headers["authorization"] or "").partition(" ")
        key = base64.b64decode(key).decode() if scheme == "Basic" else key
        sent = " ".join(
            (
                key,
                *map(str, map(self.headers.get, ("x-api-key", "x-gateway", "cookie"))),
                urllib.parse.unquote(self.path),
            )
        )
        if body.get("stream"):
            self._stream(sent)
            return
        if "fail" in text:
            self._reply(
                400,
                {
                    "error": {
                        "message": f"bad key {sent} {self.places['error_body']}",
                        "code": "bad",
                    }
                },
            )
            return
        arguments = json.dumps(
            {
                "key": self.places["tool_argument"],
                "deep": json.dumps([self.places["tool_argument"]]),
            }
        )
        call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
        content = f"your key is {sent} {self.places['answer']} {self.places['database']}"
        message = {"role": "assistant", "content": content, "tool_calls": [call]}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        choices = [{"index": 0, "finish_reason": "stop", "message": message}]
        self._reply(
            200,
            {
                "id": "x",
                "object": "chat.completion",
                "model": "m",
                "created": 0,
                "choices": choices,
                "usage": usage,
            },
        )

    def _stream(self, sent: str) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for piece in [*self.places["chunk"], " ", sent]:  # a character a chunk
            event = {
                "id": "x",
                "model": "m",
                "choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}],
            }
            self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
        last = {
            "id": "x",
            "model": "m",
            "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
        }
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
    """How a file may hold it: plain, in HTML, in an address, in a repr, and in JSON, up to a tool's
    arguments that hold JSON, in a message, in a row.
    """
    ours = html.escape(secret).replace("&#x27;", "&#39;")
    last = {
        secret,
        html.escape(secret),
        html.escape(secret, quote=False),
        ours,
        ours.replace("$", "&#36;"),
    }
    doubled = secret.replace("\\", "\\\\")  # as repr has it in one kind of quotes, and in the other
    last |= {
        urllib.parse.quote(secret),
        urllib.parse.quote(secret, safe=""),
        doubled,
        doubled.replace("'", "\\'"),
    }
    found = set(last)
    for _ in range(5):
        last = {
            json.dumps(text, ensure_ascii=ascii_)[1:-1] for text in last for ascii_ in (True, False)
        }
        found |= last
    return {form.encode() for form in found}


def found_in(data: bytes, places: dict[str, str]) -> list[str]:
    return [name for name, secret in places.items() if any(form in data for form in forms(secret))]


def live(lab: Lab, places: dict[str, str], shown: Path) -> str:
    """Everything that a key could come through; what it said to people. shown: a folder for what
    was shown and handed out.
    """

    @scorer
    def differs(output: str) -> bool:
        """So that examples of the last version and the first one are shown."""
        return "session=" in output

    def target(ticket: str) -> str:
        raise ValueError(f"token {places['target_exception']} expired")

    @scorer
    def leaky(output: str) -> bool:
        raise ValueError(f"judge key {places['scorer_exception']}")

    said = []
    prompt = lab.prompt("p")
    names = ("echo", "second", "third", "raising", "streaming", "environment", "own_http")
    versions = [prompt.save(f"{name}: {{{{ticket}}}}", model=name) for name in names]
    data = Dataset.read(
        [{"id": "a", "ticket": f"hello {places['variable']}"}, {"id": "b", "ticket": "fail please"}]
    )
    study = lab.evaluate(versions, data, [differs, leaky])
    said.append(repr(study))
    lab.evaluate(versions[:1], data, [leaky], target=target)
    with pytest.raises(CallError) as failed:
        versions[0](ticket="fail please, alone")
    said += [str(failed.value), repr(failed.value.__cause__), repr(failed.value.__context__)]
    said.append(repr(versions[4](ticket="alone")))
    lab.promote(versions[0], env="dev")
    study.report(shown / "report.html")
    lab.store.export(shown / "store.export")
    cells = [
        study,
        study.review.examples(),
        study.runs(),
        study.scores(),
        lab,
        lab.studies,
        versions[0],
        lab.sql("select * from attempts"),
    ]
    (shown / "notebook.ipynb").write_text(notebook_of(cells), encoding="utf-8")
    lab.store.merge()
    said.append(lab.sql("select * from runs").to_csv())
    (shown / "tables.json").write_text(json.dumps(content(lab.store)), encoding="utf-8")
    return "\n".join(said)


def archived(lab: Lab) -> bytes:
    """The values of a store whose rows have moved to the archive, read by another that has nothing
    else.
    """
    lab.store.close()
    assert lab.store.archive() > 0
    assert list(lab.store.folder.rglob("*.parquet"))
    (lab.store.folder / "store.duckdb").unlink()
    return json.dumps(content(Store(lab.store.folder))).encode()


def content(store: Store) -> dict[str, list[str]]:
    """Every value of every table as text: in DuckDB's and in Parquet's files it is packed, where no
    search of bytes would find it.
    """
    return {
        table: [str(value) for row in store.rows(f"from {table}") for value in row]
        for table in TABLES
    }


def notebook_of(cells: list[Any]) -> str:
    """A notebook that shows them, as Jupyter writes one."""
    import nbformat
    from IPython.core.formatters import DisplayFormatter

    formatter, made = DisplayFormatter(), []
    for value in cells:
        bundles: list[dict[str, Any]] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                "promptops.views.display.put",
                lambda bundle, bundles=bundles, **_: bundles.append(bundle),
            )
            bundles.append(formatter.format(value)[0])
        outputs = [nbformat.v4.new_output("display_data", data=bundle) for bundle in bundles]
        made.append(nbformat.v4.new_code_cell("study", outputs=outputs))
    return str(nbformat.writes(nbformat.v4.new_notebook(cells=made)))


def lab_of(
    make_lab: Callable[..., Lab],
    places: dict[str, str],
    server: str,
    monkeypatch: pytest.MonkeyPatch,
    shape: str,
) -> Lab:
    """A lab whose models hold the canaries of their places; loose ones stand in variables that are
    named like secrets, but for those with a provider's look, which nobody tells.
    """
    return make_lab(models=models_of(places, told(monkeypatch, places, server, shape)))


def told(monkeypatch: pytest.MonkeyPatch, places: dict[str, str], server: str, shape: str) -> str:
    """The environment; returns the server."""
    monkeypatch.setenv("OPENAI_API_KEY", places["environment"])
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://{server}")
    monkeypatch.setenv("SERVICE_TOKEN", places["service"])
    monkeypatch.setenv(
        "DATABASE_URL",
        f"postgres://ann:{urllib.parse.quote(places['database'], safe='')}@db.example:5432/x",
    )
    if shape != "like a provider's":
        for name in LOOSE:
            monkeypatch.setenv(f"PLACE_{name.upper()}_SECRET", places[name])

    return server


def models_of(places: dict[str, str], server: str) -> dict[str, Any]:
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient, OpenAI

    def raising(request: Any) -> str:
        raise RuntimeError(f"no access with {places['model_exception']} {places['service']}")

    address = f"http://ann:{urllib.parse.quote(places['address'], safe='')}@{server}"
    headers = {"x-api-key": places["header"], "x-gateway": places["gateway"]}
    own = DefaultAsyncHttpxClient(
        cookies={"session": places["cookie"]}, auth=("ann", places["credentials"])
    )
    return {
        "echo": OpenAI(
            base_url=f"http://{server}", api_key=places["client"], default_headers=headers
        ),
        "own_http": AsyncOpenAI(base_url=f"http://{server}", api_key="unused", http_client=own),
        "second": OpenAI(
            base_url=f"http://{server}",
            api_key=places["second_client"],
            default_query={"api_key": places["query"]},
        ),
        "third": EndpointModel(base_url=address, api_key="unused"),
        "streaming": EndpointModel(
            base_url=f"http://{server}/streaming", api_key=places["client"], stream=True
        ),
        "raising": ScriptedModel(raising, label="raising"),
    }


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
    """Store, spool, registry, evidence, export, report, notebook, warnings, logs and output: 0
    hits; the store's files are for their owner only.
    """
    places = canaries(shape)
    caplog.set_level(logging.DEBUG)
    shown = tmp_path / "shown"
    shown.mkdir()
    lab = lab_of(make_lab, places, echo(places), monkeypatch, shape)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        said = live(lab, places, shown)
    outputs = "".join(
        str(text)
        for (text,) in lab.store.rows(
            "select coalesce(output, '') || coalesce(tool_calls, '') from runs"
        )
    )
    assert outputs.count("[redacted]") >= 10  # they came as far as here
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in written} >= {
        ".html",
        ".json",
        ".jsonl",
        ".duckdb",
        ".ipynb",
        ".export",
    }
    assert {
        path.name: hits for path in written if (hits := found_in(path.read_bytes(), places))
    } == {}
    out = capsys.readouterr()
    texts = "\n".join((said, out.out, out.err, *(str(each.message) for each in warned)))
    assert found_in(texts.encode(), places) == []
    assert (
        "HTTP Request: POST" in caplog.text
    )  # the HTTP library beneath the openai package writes whole addresses
    assert found_in((caplog.text + urllib.parse.unquote_plus(caplog.text)).encode(), places) == []
    assert found_in(archived(lab), places) == []
    kept = [
        path
        for path in (tmp_path / "project" / ".promptops").rglob("*")
        if path.name != ".gitignore"
    ]
    assert {oct(path.stat().st_mode & 0o077) for path in kept} == {"0o0"}


def test_a_store_that_cleans_nothing_is_noticed(
    make_lab: Callable[..., Lab],
    echo: Callable[[dict[str, str]], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The proof of the search: with the cleaners switched off, the canaries of all places are
    found.
    """
    places = canaries("awkward")
    monkeypatch.setattr("promptops.redact.Redactor.clean", lambda self, data: data)
    for where in (
        "promptops.engine.run_rows.redact",
        "promptops.engine.run_rows.redact_shapes",
        "promptops.models.endpoint.redact_shapes",
    ):
        monkeypatch.setattr(where, lambda text, secrets: text)
    monkeypatch.setattr(
        "promptops.models.credentials.QuietAddresses.filter", lambda self, record: True
    )
    caplog.set_level(logging.DEBUG)
    lab = lab_of(make_lab, places, echo(places), monkeypatch, "awkward")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        live(lab, places, tmp_path)
    for kind in ("*.jsonl", "*.export", "tables.json"):
        data = b"".join(path.read_bytes() for path in tmp_path.rglob(kind) if path.is_file())
        assert set(places) - set(found_in(data, places)) == set(), kind
    for name, shown in (
        ("report.html", set()),
        ("notebook.ipynb", {"environment", "scorer_exception", "chunk"}),
    ):
        assert {"client", "header", "cookie", "answer", "variable"} | shown <= set(
            found_in((tmp_path / name).read_bytes(), places)
        ), name
    assert set(places) - set(found_in(archived(lab), places)) == set()
    assert {"address", "query"} <= set(
        found_in(urllib.parse.unquote_plus(caplog.text).encode(), places)
    )


BROKEN = """
from unittest.mock import patch
patch("promptops.redact.Redactor.clean", lambda self, data: data).start()
for where in ("promptops.engine.run_rows.redact", "promptops.engine.run_rows.redact_shapes", "promptops.models.endpoint.redact_shapes"):
    patch(where, lambda text, secrets: text).start()"""
CELLS = """
import json, os, sys
from pathlib import Path
sys.path.insert(0, os.environ["TESTS"])
from promptops.lab import Dataset, Lab
from promptops.scorers import scorer
from tests.lab.test_secrets import models_of
places = json.loads(Path("places").read_text())
lab = Lab("project", models=models_of(places, os.environ["SERVER"]))
versions = [lab.prompt("p").save(f"{name}: {{{{ticket}}}}", model=name) for name in ("echo", "own_http", "raising", "streaming", "third")]
data = Dataset.read([{"id": "a", "ticket": "hello"}, {"id": "b", "ticket": "fail please"}])
# cell
@scorer
def differs(output: str) -> bool:
    return "session=" in output

study = lab.evaluate(versions, data, [differs])
study
# cell
study.wait()
# cell
study.review.examples()
# cell
study.runs()["output"].tolist()
# cell
versions[0](ticket="alone")
# cell
versions[0](ticket="fail please, alone")
# cell
versions[2](ticket="raises")
# cell
lab.sql("select * from attempts")
"""


@pytest.mark.parametrize("clean", [True, False])
def test_a_notebook_that_a_kernel_ran_holds_no_key(
    echo: Callable[[dict[str, str]], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    clean: bool,
) -> None:
    """Saved with its outputs, its tracebacks and the state of its widgets; and with the cleaners
    off the keys are found there.
    """
    import nbformat
    from nbclient import NotebookClient

    places = canaries("awkward")
    (tmp_path / "places").write_text(json.dumps(places), encoding="utf-8")
    monkeypatch.setenv("SERVER", told(monkeypatch, places, echo(places), "awkward"))
    monkeypatch.setenv("TESTS", str(Path(__file__).resolve().parents[2]))
    cells = [
        ("" if clean else BROKEN) + first if not n else first
        for n, first in enumerate(CELLS.split("# cell\n"))
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(
        notebook, timeout=60, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    written = nbformat.writes(notebook)
    failed = [
        output["ename"]
        for cell in notebook.cells
        for output in cell.outputs
        if output.output_type == "error"
    ]
    assert failed == ["CallError", "CallError"]
    assert "widgets" in notebook.metadata
    if clean:
        assert written.count("[redacted]") > 10
        assert found_in(written.encode(), places) == []
    else:
        assert set(found_in(written.encode(), places)) >= {
            "client",
            "header",
            "cookie",
            "answer",
            "address",
            "chunk",
            "model_exception",
        }


def test_the_forms_of_a_secret_are_those_that_files_have() -> None:
    """A search that looks for too little would find nothing."""
    secret = SHAPES["awkward"](1)
    assert secret.encode() in forms(secret)
    assert re.search(rb"\\\\\\\\", b"".join(forms(secret)))
    assert b"&quot;" in b"".join(forms(secret))
