"""The debug level of `promptops.*`: each logger says what it did, and no line of any holds the text
of a prompt, an example, an answer or an error, or a key.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

import promptops
from promptops import PromptVersion
from promptops.cli.__main__ import main
from promptops.lab import Lab
from promptops.models.endpoint import EndpointModel
from promptops.registry.editor import Editor
from promptops.scorers import equals
from tests.faults.server import FaultServer, Say, completion, error

KEY = "sk-proj-AbCdEfGh1234567890AbCdEfGh1234567890"
SECRETS = (KEY, "PROMPTWORD", "VALUEWORD", "ANSWERWORD", "GOLDWORD", "ERRORWORD", "TOOLWORD")
LOGGERS = ("engine", "models", "registry", "store", "observe")


Records = list[logging.LogRecord]


def _lines(records: Records, logger: str) -> list[str]:
    name = f"promptops.{logger}"
    return [record.getMessage() for record in records if record.name == name]


def _example(line: str) -> str:
    return line.partition(", example ")[2]


@pytest.fixture
def logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Records:
    """A study of two examples, one of which is refused with the words of the request; a served
    prompt; a live call that fails. All of it at the debug level.
    """
    caplog.set_level(logging.DEBUG, logger="promptops")
    (tmp_path / "pyproject.toml").touch()
    rows = [{"id": f"e{n}", "ticket": f"VALUEWORD {n}", "expected": "GOLDWORD"} for n in (1, 2)]

    def answer(seen: object) -> Say:
        if "VALUEWORD 2" in str(seen):
            return Say(400, error(f"ERRORWORD, and the key {KEY}"))
        return Say(200, completion("ANSWERWORD"))

    with FaultServer(answer) as server:
        model = EndpointModel(base_url=server.url, api_key=KEY)
        lab = Lab(tmp_path, models={"m": model})
        tool = {"type": "function", "function": {"name": "TOOLWORD", "parameters": {}}}
        version = lab.prompt("triage").save(
            "PROMPTWORD {{ticket}}", model="m", temperature=0, tools=[tool]
        )
        lab.evaluate([version], rows, [equals()])
        lab.store.merge()
    lab.project.registry.promote("triage", 1, "prod", author="ann", force=True, reason="first")
    served = promptops.Loader(lab.project.registry.path).get("triage", "prod")
    monkeypatch.setenv("PROMPTOPS_RECORD", str(tmp_path / "live"))
    with pytest.raises(ValueError, match="ERRORWORD"), promptops.call(served, ticket="VALUEWORD"):
        raise ValueError(f"ERRORWORD {KEY}")
    promptops.observe.flush(10.0)
    return list(caplog.records)


def test_every_logger_says_what_it_did_without_content_or_keys(
    logged: Records,
) -> None:
    """Who was asked, how large, what came of it; nothing that was sent, answered or raised."""
    for logger in LOGGERS:
        assert _lines(logged, logger), logger
    said = "\n".join(record.getMessage() for record in logged)
    assert [word for word in SECRETS if word in said] == []
    assert all(record.exc_info is None for record in logged)


def test_the_engine_says_of_each_attempt_what_was_sent_and_what_came(
    logged: Records,
) -> None:
    """Two lines per attempt: endpoint, prompt, version, example and size; outcome and status."""
    lines = _lines(logged, "engine")
    sent = sorted((line for line in lines if " sent to 127.0.0.1" in line), key=_example)
    assert len(sent) == 2
    assert "triage p1-" in sent[0]
    assert "model m, example e1, repeat 0, 1 message of 22 characters" in sent[0]
    assert "with temperature, tools" in sent[0]
    assert sum("answered after" in line and "status 200" in line for line in lines) == 1
    assert sum("failed (bad_request)" in line and "status 400" in line for line in lines) == 1


def test_nothing_is_said_above_the_debug_level(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A program that set no level hears nothing of a registry that is well."""
    caplog.set_level(logging.INFO, logger="promptops")
    editor = Editor(tmp_path / "promptops.json")
    editor.save("greeting", PromptVersion("Hello", model="m"))
    editor.promote("greeting", 1, "dev", author="ann")
    promptops.Loader(editor.path).get("greeting", "dev")
    assert caplog.records == []


def test_the_command_line_logs_on_standard_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`promptops --debug list`: the output is as without it, the log ends with the command."""
    monkeypatch.chdir(tmp_path)
    Editor(tmp_path / "promptops.json").save("greeting", PromptVersion("PROMPTWORD", model="m"))
    (tmp_path / "p.md").write_text("---\nmodel: m\n---\n# user\nPROMPTWORD, please.\n")
    for words in (["list", "--json"], ["--debug", "list", "--json"]):
        with pytest.raises(SystemExit):
            main(words)
    first = capsys.readouterr()
    plain, debugged = first.out[: len(first.out) // 2], first.out[len(first.out) // 2 :]
    assert plain == debugged
    assert json.loads(plain)
    with pytest.raises(SystemExit):
        main(["--debug", "save", "greeting", "p.md", "--note", "politer"])
    said = capsys.readouterr().err
    assert "promptops.registry: " in said
    assert "promptops.json written: " in said
    assert "PROMPTWORD" not in said
    log = logging.getLogger("promptops")
    assert log.handlers == []
    assert log.level == logging.NOTSET


def test_an_application_without_a_log_does_not_import_logging(tmp_path: Path) -> None:
    """Loading a prompt costs as little as before."""
    editor = Editor(tmp_path / "promptops.json")
    editor.save("greeting", PromptVersion("Hello", model="m"))
    editor.promote("greeting", 1, "dev", author="ann")
    code = (
        "import sys, promptops; promptops.load('greeting', env='dev'); print('logging' in"
        " sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"
