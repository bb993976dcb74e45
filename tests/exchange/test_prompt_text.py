"""A prompt as a Markdown file: what is written reads back to the same id, or is not written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from promptops.cli.__main__ import group
from promptops.errors import PromptOpsError, VersionError
from promptops.exchange.prompt_text import read_prompt, write_prompt
from promptops.lab import Lab
from promptops.version import PromptVersion

FILE = """---
model: gpt-6-mini
temperature: 0
variables: { n: number }
---
# system
Name the one category in {{n}} words.

# history
# user
{{ticket}}

Thanks: yes?
"""


def test_a_file_is_a_version() -> None:
    version = read_prompt(FILE, "triage.md")
    assert (version.model, version.settings) == ("gpt-6-mini", {"temperature": 0})
    assert version.template == [
        {"role": "system", "content": "Name the one category in {{n}} words."},
        {"role": "history"},
        {"role": "user", "content": "{{ticket}}\n\nThanks: yes?"},
    ]
    assert [(v.name, v.type) for v in version.variables] == [("n", "number"), ("ticket", "string")]
    assert read_prompt(FILE.replace("\n", "\r\n"), "x").id == version.id
    assert read_prompt(write_prompt(version), "x").id == version.id
    assert read_prompt("Just {{this}}.\n", "x").template == [
        {"role": "user", "content": "Just {{this}}."}
    ]


@pytest.mark.parametrize(
    "text",
    [
        "---\n- a\n---\nhi",
        "above\n# user\nhi",
        "---\na: [\n---\nhi",
        "",
        "# user\n{% if x %}",
        "---\nx: !!python/none\n---\nhi",
    ],
)
def test_what_is_no_prompt_is_refused(text: str) -> None:
    with pytest.raises(PromptOpsError):
        read_prompt(text, "bad.md")


@settings(max_examples=60, deadline=None, database=None)
@given(
    texts=st.lists(
        st.tuples(st.sampled_from(["system", "user", "assistant"]), st.text()), min_size=1
    ),
    chosen=st.dictionaries(st.sampled_from(["temperature", "stop", "model", "seed"]), st.text()),
)
def test_writing_is_exact_or_refused(texts: Any, chosen: dict[str, str]) -> None:
    try:
        version = PromptVersion(
            [{"role": role, "content": text} for role, text in texts], settings=chosen
        )
    except PromptOpsError:
        return
    try:
        written = write_prompt(version)
    except PromptOpsError:
        return
    assert read_prompt(written, "x").id == version.id


def test_a_version_that_markdown_cannot_hold_is_refused() -> None:
    for content in ("# user\nx", " a \n", "\n"):
        with pytest.raises(VersionError, match="Markdown"):
            write_prompt(PromptVersion([{"role": "user", "content": content}, *_ASK]))


_ASK = [{"role": "user", "content": "q"}]


def test_the_command_saves_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "triage.md").write_text(FILE)

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(group(), ["save", "triage", "triage.md", *arguments])
        assert done.exit_code == 0, done.output
        return done.output

    assert "would be saved" in run("--dry-run")
    assert not (tmp_path / "promptops.json").exists()
    assert "saved triage v1" in run("--note", "first")
    assert "has this content already" in run()
    (saved,) = Lab(tmp_path).prompt("triage").versions
    assert (saved.note, saved.version.id) == ("first", read_prompt(FILE, "x").id)
