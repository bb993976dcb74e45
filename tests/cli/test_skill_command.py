"""`promptops skill` prints or installs what agents read; every tool that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from promptops.cli.__main__ import COMMANDS, main
from promptops.mcp.agent_tools import TOOLS


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["skill", *words])
    return int(ended.value.code or 0)


def test_it_is_installed_and_kept_current(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twice is once; another skill of that name is left alone."""
    monkeypatch.chdir(tmp_path)
    assert run("--install") == run("--install") == 0
    target = tmp_path / ".claude" / "skills" / "promptops" / "SKILL.md"
    capsys.readouterr()
    assert run() == 0
    assert target.read_text() == capsys.readouterr().out
    assert "(pipelines.md)" in (target.parent / "llms.txt").read_text()
    target.write_text("name: somebody-elses\n")
    assert run("--install") == 2
    assert target.read_text() == "name: somebody-elses\n"


def test_what_it_names_exists(capsys: pytest.CaptureFixture[str]) -> None:
    """Tools and commands."""
    run()
    text = capsys.readouterr().out
    named = set(re.findall(r"`([a-z]+_[a-z]+)`", text))
    assert named
    assert named <= set(TOOLS)
    assert set(re.findall(r"`promptops ([a-z]+)", text)) <= set(COMMANDS)
