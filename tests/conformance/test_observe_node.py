"""Law: a live call is the same row in Python and in TypeScript: the hash of a user, what is
redacted, what an answer says, what a stream says however it ends, and the class of an error, by
shared cases. Gemini's chunks are in the form of its JSON there, as its TypeScript client has them.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextvars import Context
from pathlib import Path
from typing import Any

import pytest

from promptops.lab import Lab
from promptops.monitor.live_outcomes import recorded_outcomes
from promptops.observe.answers import read_answer
from promptops.observe.error_class import error_class, error_words
from promptops.observe.live_call import LiveCall, Observer
from promptops.observe.row_writer import keyed_hash
from promptops.observe.sinks import project_key
from promptops.observe.stream_proxies import StreamProxy
from promptops.redact import Redactor
from promptops.registry import typescript
from tests.conformance import test_node

CASES_FILE = Path(__file__).with_name("observe_cases.json")
CASES: dict[str, Any] = json.loads(CASES_FILE.read_text(encoding="utf-8"))
pytestmark = pytest.mark.xdist_group("node")
packages, tools = test_node.packages, test_node.tools


@pytest.mark.parametrize("case", CASES["hashes"], ids=lambda case: case["text"])
def test_hashes(case: dict[str, str]) -> None:
    assert keyed_hash(case["secret"].encode(), case["text"]) == case["hash"]


@pytest.mark.parametrize("case", CASES["redacted"], ids=lambda case: case["shown"])
def test_redacted(case: dict[str, Any]) -> None:
    assert Redactor(case["environment"])(case["text"]) == case["shown"]


@pytest.mark.parametrize("case", CASES["answers"], ids=lambda case: case["case"])
def test_answers(case: dict[str, Any]) -> None:
    found = read_answer(as_python(case["answer"]))
    row = {
        "response_id": found.response_id,
        "model_returned": found.model,
        "system_fingerprint": found.fingerprint,
        "finish_reason": found.finish_reason,
        "failure": found.failure,
        "tokens_in": found.tokens_in,
        "tokens_out": found.tokens_out,
        "tokens_cached": found.tokens_cached,
        "chars_out": None if found.text is None else len(found.text),
    }
    assert {name: value for name, value in row.items() if value is not None} == case["row"]


class Rows:
    """A queue that keeps the rows handed over."""

    room_for_content = False

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def put(self, table: str, row: Any, chars: int) -> None:
        """Take one row; `row` makes it."""
        self.rows.append(row())


class Overloaded(Exception):
    status_code = 529


def as_python(value: Any) -> Any:
    """The same JSON with the field names of Python's clients: Gemini's are in camel case."""
    if isinstance(value, list):
        return [as_python(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", name): as_python(each)
        for name, each in value.items()
    }


def played(case: dict[str, Any]) -> dict[str, Any]:
    """The one row of a call that answers with the case's chunks and ends as the case does."""

    def chunks() -> Iterator[Any]:
        for chunk in case["chunks"]:
            yield as_python(chunk)
        if case["end"] == "error":
            raise Overloaded

    queue = Rows()
    observer = Observer(queue)  # type: ignore[arg-type]  # the rows are looked at, not written
    stream = StreamProxy(chunks(), LiveCall(observer, CASES["request"]))
    try:
        for number, _ in enumerate(() if case["end"] == "unread" else stream, 1):
            if case["end"] == "left" and number == len(case["chunks"]):
                break
    except Overloaded:
        pass
    del stream
    (row,) = queue.rows
    return {name: value for name, value in row.items() if value is not None}


@pytest.mark.parametrize("case", CASES["streams"], ids=lambda case: case["case"])
def test_streams(case: dict[str, Any]) -> None:
    row = Context().run(played, case)  # which no earlier test rendered the same request in
    assert case["first_token"] == ("first_token_ms" in row)
    for name in CASES["measured"]:
        row.pop(name, None)
    assert row == case["row"]


@pytest.mark.parametrize("case", CASES["errors"], ids=lambda case: case["case"])
def test_errors(case: dict[str, Any]) -> None:
    kind: type[Exception] = Exception
    for name in reversed(case["names"]):
        kind = type(name, (kind,), {"status_code": case["status"], "code": case["code"]})
    error = kind(case["message"])
    assert (error_class(error), error_words(error)) == (case["failure"], case["detail"])


def test_typescript_passes_the_same_cases(tools: test_node.Tools, tmp_path: Path) -> None:
    reader = test_node.runnable(typescript.reader(typescript.OBSERVE), tmp_path / "reader", tools)
    file = test_node.SUITE.with_name("observe.test.mjs")
    passed, failed, output = test_node.suite(reader, tools, file, PROMPTOPS_CASES=str(CASES_FILE))
    assert failed == 0, output
    kinds = ("hashes", "redacted", "answers", "streams", "errors")
    laws = len(re.findall(r"^test\(", file.read_text(encoding="utf-8"), re.MULTILINE))
    assert passed == sum(len(CASES[kind]) for kind in kinds) + laws


_CALLS = """
const { observe, feedback } = await import(process.argv[1]);
const messages = [{ role: "user", content: "x" }];
const value = { prompt: "p", version: 2, version_id: "p1-00000000000000000000000000000000",
  env: "prod", arm: null, served_from: "file" };
Object.defineProperty(messages, Symbol.for("promptops.identity"), { value });
const usage = { prompt_tokens: 3, completion_tokens: 1 };
const create = async ({ id }) => ({ id, model: "m", usage, choices: [
  { message: { content: "hi" }, finish_reason: "stop" }] });
const client = observe({ chat: { completions: { create } } }, { sink: process.argv[2] });
for (const id of ["c-0", "c-1"])
  await client.chat.completions.create({ id, model: "m", messages });
await null;
feedback("c-1", { good: false }, { sink: process.argv[2] });
"""


def test_a_folder_of_typescript_comes_into_the_store_once(
    tools: test_node.Tools, tmp_path: Path
) -> None:
    reader = test_node.runnable(typescript.reader(typescript.OBSERVE), tmp_path / "reader", tools)
    command = [*tools.node, "--input-type=module", "-e", _CALLS, reader.as_uri(), "rows"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
    [file] = (tmp_path / "rows").iterdir()
    lab = Lab(tmp_path)
    for _ in range(2):
        lab.import_from(file)
        rows = lab.store.rows("select prompt, version, tokens_in, finish_reason from live")
        assert rows == [("p", 2, 3, "stop")] * 2
        assert lab.store.rows("select kind, value from feedback") == [("good", 0.0)]


_KEYED = """
const [reader, observer, registry, sink] = process.argv.slice(1);
const { load } = await import(reader);
const { observe, feedback } = await import(observer);
const create = async () => ({ id: "c-1", model: "m", choices: [
  { message: { content: "hi" }, finish_reason: "stop" }] });
const client = observe({ chat: { completions: { create } } }, { sink });
for (const key of ["user-1", 7, "", NaN, undefined]) {
  const prompt = load("p", { env: "prod", key, registry });
  await client.chat.completions.create(prompt.request({ x: "x" }));
}
await null;
feedback("c-1", { good: true, score: 4.5, label: "kind", note: "once", by: "user-1" }, { sink });
feedback("c-1", { score: NaN }, { sink });
"""


@pytest.mark.parametrize("by", ["variable", "folder"])
def test_a_user_of_a_typescript_application_has_a_key(
    tools: test_node.Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """Without it the guard of a canary decided nothing for such an application; and what a person
    said in several ways is as many rows, as in Python.
    """
    monkeypatch.delenv("PROMPTOPS_HASH_KEY", raising=False)
    if by == "variable":
        monkeypatch.setenv("PROMPTOPS_HASH_KEY", "project")
    lab = Lab(tmp_path)
    lab.promote(lab.prompt("p").save("{{x}}", model="m"), env="prod", force=True, reason="first")
    parts = [
        test_node.runnable(typescript.reader(name), tmp_path / name, tools)
        for name in (typescript.FILE, typescript.OBSERVE)
    ]
    rows, addresses = tmp_path / "rows", [part.as_uri() for part in parts]
    command = [*tools.node, "--input-type=module", "-e", _KEYED, *addresses, "promptops.json"]
    subprocess.run([*command, str(rows)], cwd=tmp_path, check=True, timeout=60)
    secret = project_key(rows)
    assert secret is not None
    assert (rows / "hash.key").exists() == (by == "folder")
    first, seventh, nobody = (keyed_hash(secret, text) for text in ("user-1", "7", ""))
    found = recorded_outcomes(lab.project, rows, "p", "prod")
    assert [each.key for each in found] == [first, seventh, nobody, None, None]
    lab.import_from(rows)
    said = 'select kind, value, label, note, "by" from feedback order by kind'
    assert lab.store.rows(said) == [
        ("good", 1.0, None, "once", first),
        ("label", None, "kind", None, first),
        ("score", 4.5, None, None, first),
    ]
