"""Every command knows its extra and prints the line that installs it; --version needs none."""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path

import pytest

from promptops.cli import __main__ as command_line
from promptops.cli import extras
from promptops.cli.__main__ import COMMANDS, main

DECLARED = tomllib.loads(
    (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text(encoding="utf-8")
)["project"]["optional-dependencies"]


def test_each_extra_is_declared() -> None:
    """No command names one that the package does not have."""
    assert {extras.extra_of(command) for command in COMMANDS} <= set(DECLARED)
    assert set(extras.PACKAGES) <= set(DECLARED)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_without_its_extra_prints_the_line(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and one sentence; nothing of the command is imported."""
    missing = extras.PACKAGES[extras.extra_of(command)][-1]
    found = importlib.util.find_spec
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == missing else found(name))
    with pytest.raises(SystemExit) as ended:
        main([command])
    assert ended.value.code == 2
    extra = extras.extra_of(command)
    assert capsys.readouterr().err == (
        f"error: promptops {command} needs the {extra} extra, which is not installed: run"
        f" `pip install 'promptops-toolkit[{extra}]'`.\n"
    )


def test_without_click_the_version_and_the_line_remain(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The base install."""

    def no_click() -> None:
        raise ImportError("click")

    monkeypatch.setattr(command_line, "group", no_click)
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("promptops-toolkit, version ")
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "x.toml"])
    assert ended.value.code == 2
    assert "'promptops-toolkit[run]'" in capsys.readouterr().err
