"""`promptops watch` as a cron job runs it: exit codes 0, 1 and 2, against a server that answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from promptops import PromptVersion
from promptops.cli.__main__ import main
from promptops.dataset import Dataset
from promptops.monitor.drift_file import MonitorFile
from promptops.monitor.watch import declare
from promptops.registry.editor import Editor
from promptops.run import utc
from promptops.study.project import Project

ROWS = [{"id": f"e{i}", "number": str(i), "expected": f"yes {i}"} for i in range(20)]


class Provider:
    """An endpoint of chat completions. wrong: how many of the twenty questions it answers wrong;
    down: it answers 500; posted: what its /hook was sent.
    """

    def __init__(self) -> None:
        self.wrong, self.down, self.posted = 0, False, list[Any]()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path == "/hook":
                    provider.posted.append(asked)
                    self._answer(200, {})
                elif provider.down:
                    self._answer(400, {"error": {"message": "no", "code": "model_not_found"}})
                else:
                    self._answer(200, provider.reply(asked))

            def _answer(self, status: int, body: Any) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def reply(self, asked: Any) -> dict[str, Any]:
        """A completion that is right or wrong."""
        number = int(asked["messages"][-1]["content"].split()[-1])
        text = "no" if number < self.wrong else f"yes {number}"
        return {
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": "m-2026",
            "system_fingerprint": "fp_1",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": text},
                }
            ],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
        }


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """The endpoint that the environment names."""
    made = Provider()
    monkeypatch.setenv("OPENAI_BASE_URL", f"{made.url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-000000000000000000000000")
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def where(tmp_path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that watches `triage` in prod, as the working directory."""
    folder = tmp_path / "project"
    folder.mkdir()
    editor = Editor(folder / "promptops.json")
    number = editor.save("triage", PromptVersion("Say {{number}}", model="m"), author="ann")
    editor.promote("triage", number, "prod", author="ann", force=True, reason="first")
    project = Project.open(folder)
    declare(project, "triage", Dataset.read(ROWS), ["equals()"], env="prod")
    project.close()
    monkeypatch.chdir(folder)
    return folder


def call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """(exit code, standard output, standard error) of a command."""
    with pytest.raises(SystemExit) as ended:
        main(["watch", *words])
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def test_a_month_of_the_job_quiet_alarm_acknowledged_accepted(
    where: Path, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    hook = f"{provider.url}/hook"
    code, out, _ = call(capsys, "run", "--day", "2026-12-01")
    assert (code, out.split(":")[0]) == (0, "quiet")
    provider.wrong = 15
    code, out, _ = call(capsys, "run", "--day", "2026-12-02", "--webhook", hook)
    assert code == 1
    first, second = out.splitlines()
    assert first.startswith("ALARM: triage in prod: equals(expected) fell from 100.0 % to 25.0 %")
    assert "since 2026-12-02" in first
    assert second.startswith("  cause: the provider changed the behaviour under the same name")
    code, again, _ = call(capsys, "run", "--day", "2026-12-02", "--webhook", hook)
    assert (code, again) == (1, out)
    assert len(provider.posted) == 1
    alarm = MonitorFile.read(where / "promptops.monitors" / "triage.prod.json").alarms[0]["id"]
    assert call(capsys, "ack", alarm, "--reason", "known outage")[0] == 0
    code, out, _ = call(capsys, "run", "--day", "2026-12-02")
    assert code == 0
    assert out.startswith("known alarm: triage in prod")
    assert "known outage" in out
    code, out, _ = call(capsys, "list", "--json")
    assert json.loads(out)[0]["alarms"] == f"{alarm} (acknowledged)"
    code, out, _ = call(capsys, "accept", "triage", "--env", "prod", "--reason", "it stays so")
    assert (code, out) == (0, "triage.prod has a new anchor of v1: equals(expected) 25.0 %.\n")
    assert call(capsys, "run", "--day", "2026-12-03")[0] == 0


def test_what_could_not_be_found_out_is_exit_code_2_and_never_quiet(
    where: Path, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    provider.down = True
    code, out, _ = call(capsys, "run", "--day", "2026-12-01")
    assert code == 2
    assert out.startswith("unknown: triage.prod: 2026-12-01 does not count")
    assert call(capsys, "run", "--only", "nobody.prod")[0] == 2


def test_no_monitor_at_all_is_not_quiet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = call(capsys, "run")
    assert code == 2
    assert "nothing is watched here" in err


MISUSE = [
    ("run", "--day", "yesterday"),
    ("run", "--day", "2026-13-01"),
    ("run", "--webhook", "file:///etc/passwd"),
    ("ack", "a-1"),
    ("ack", "a-1", "--reason", "no such alarm"),
    ("accept", "triage", "--env", "prod", "--reason", " "),
]


def test_misuse_is_exit_code_2_and_asks_nothing(
    where: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = where / "promptops.monitors" / "triage.prod.json"
    before = file.read_bytes()
    for words in MISUSE:
        code, _, err = call(capsys, *words)
        assert (code, bool(err)) == (2, True), words
    assert file.read_bytes() == before


def test_a_day_that_has_not_come_is_named(where: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Until it comes no other day counts, which a mistyped year would do for long."""
    code, _, said = call(capsys, "run", "--day", utc()[:10])
    assert (code, said) == (0, "")
    code, _, said = call(capsys, "run", "--day", "2099-01-01")
    assert code == 0
    assert said.startswith("note: 2099-01-01 has not come yet: what is asked now counts for it")
    assert "leave out --day to run today." in said
