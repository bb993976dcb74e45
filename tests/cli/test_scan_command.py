"""`promptops scan` on a script that holds a secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from promptops.cli.__main__ import group

KEY = "sk-proj-" + "abcdef0123456789" * 2
SOURCE = f'''
FIRST_PROMPT = "You are a helpful assistant, answer in French."
SECOND_PROMPT = "You are a helpful assistant, sign in with {KEY} and answer."
client.chat.completions.create(model="m", user="{KEY}",
    messages=[{{"role": "user", "content": "You are a helpful judge of poems: " + poem}}])
THIRD_PROMPT = "You are a helpful assistant, answer in German."
'''


def test_a_secret_is_never_printed_and_stops_no_other_prompt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named and left out, and the exit code says so; the listings show [redacted]."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text(SOURCE)
    outputs = []
    for words in ([], ["--json"], ["--check"], ["--write"]):
        done = CliRunner().invoke(group(), ["scan", "app.py", *words])
        outputs.append(done.output)
        assert KEY not in done.output, words
        assert "[redacted]" in done.output
        assert done.exit_code == (1 if words and words != ["--json"] else 0)
    assert [prompt["name"] for prompt in json.loads(outputs[1])].count("second") == 1
    assert "app.py:3  second is not saved" in outputs[3]
    assert "3 of 4 prompts saved" in outputs[3]
    registry = Path("promptops.json").read_text()
    assert KEY not in registry
    assert {"first", "third"} < set(json.loads(registry)["prompts"])
    assert "second" not in registry
