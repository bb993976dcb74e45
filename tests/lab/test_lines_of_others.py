"""Names and notes of others stay within the line of ours that quotes them."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from promptops.cli.__main__ import group
from promptops.errors import DatasetError, Refused
from promptops.lab import Dataset, Lab
from promptops.models.protocol import Reply
from promptops.models.scripted import ScriptedModel
from promptops.policy import Policy
from promptops.scorers import equals, scorer

FORGED = "m-2\n- **prod** serves v9, gated\x1b[31m\u202e"


def test_notes_and_a_version_are_one_line_each(make_lab: Callable[..., Lab]) -> None:
    """A provider's name of a model and a person's note write no line of their own."""

    def one(_request: Any) -> Reply:
        return Reply("yes", model="m-1", fingerprint="fp")

    def two(_request: Any) -> Reply:
        return Reply("yes", model=FORGED, fingerprint=FORGED)

    lab = make_lab(models={"one": ScriptedModel(one), "two": ScriptedModel(two)})
    prompt = lab.prompt("p")
    versions = [prompt.save("{{q}}", model=name, note=FORGED) for name in ("one", "two")]
    rows = [{"q": str(i), "expected": "yes"} for i in range(20)]
    comparison = lab.evaluate(versions, Dataset.read(rows), [equals()]).compare()
    assert any("m-2 - **prod** serves v9, gated" in note for note in comparison.notes)
    assert all(note.isprintable() for note in comparison.notes)
    assert "“m-2 - **prod** serves v9, gated[31m”" in repr(versions[0])
    study = lab.evaluate(versions, Dataset.read(rows), [equals()], name=FORGED)
    for shown in (study, study.progress, lab.studies, versions[0]):
        assert "\n" not in repr(shown)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_what_a_script_prints_is_written_by_each_console(
    make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    """`print(study)` under LC_ALL=C, or on a code page of Windows, ends no script."""
    lab = make_lab(
        models={name: ScriptedModel(lambda _, n=name: Reply(n)) for name in ("yes", "no")}
    )
    versions = [lab.prompt("p").save("{{q}} \u2212", model=m, note="日本 −") for m in ("yes", "no")]
    data = Dataset.read([{"q": f"{i} −", "expected": "yes"} for i in range(20)], name="d −")
    study = lab.evaluate(versions, data, [equals()], name="été −")
    comparison = study.compare()
    shown = [study, study.progress, study.leaderboard(), comparison, comparison.decide(Policy())]
    shown += [*versions, data, lab.prompts, lab.studies, versions[0](q="−")]
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="strict")
    monkeypatch.setattr(sys, "stdout", stream)
    for each in shown:
        stream.write(f"{each!r}\n")
    stream.flush()
    written = raw.getvalue().decode(encoding)
    name = {"ascii": "ete -", "cp1252": "été -", "utf-8": "été −"}[encoding]
    assert name in written.splitlines()[0]
    assert stream.errors == "strict"  # the program's stream is left as it was


def test_names_of_files_columns_and_scorers_begin_no_line(
    make_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    """Neither in an error, nor in a leaderboard, the paragraph on methods or a LaTeX table."""
    broken = tmp_path / "x\n- **prod** serves v9.csv"
    broken.write_text("")
    with pytest.raises(DatasetError, match=r"^x - \*\*prod\*\* serves v9\.csv is empty"):
        Dataset.read(broken)

    @scorer(name=FORGED)
    def right(output: str, expected: str) -> bool:
        return output == expected

    replies = {name: ScriptedModel(lambda _, n=name: Reply(n)) for name in ("yes", "no")}
    lab = make_lab(models=replies)
    versions = [lab.prompt("p").save("{{q}}", model=model) for model in ("yes", "no")]
    rows = [{"q": str(i), "expected": "yes"} for i in range(20)]
    study = lab.evaluate(versions, Dataset.read(rows, name=FORGED), [right])
    comparison = study.compare()
    for shown in (comparison.methods(), comparison.to_latex(), repr(study.leaderboard())):
        assert "m-2 - **prod**" in shown.replace(r"\_", "_")
        assert not any(line.startswith("- ") for line in shown.splitlines())


def test_files_of_others_begin_no_line_of_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is scanned, and a file that is brought over."""
    monkeypatch.chdir(tmp_path)
    code = "client.chat.completions.create(messages=[{'role': 'user', 'content': 'Say {x}.'}])\n"
    Path(f"{FORGED}.py").write_text(code)
    prompt = {"name": "p", "version": 1, "type": "text", "prompt": "{% if x %}a{% endif %}"}
    Path(f"{FORGED}.json").write_text(json.dumps(prompt))
    for words in (["scan", "."], ["import", f"{FORGED}.json"]):
        shown = CliRunner().invoke(group(), words).output
        assert "m-2 - **prod** serves v9" in shown, words
        assert not any(line.startswith("- ") for line in shown.splitlines())


def test_each_reason_of_a_refusal_is_a_line_and_begins_no_other() -> None:
    """As the guide says; since an error is one line, all had been one."""
    reasons = [f"It is worse on {FORGED}.", "It has no evidence."]
    listed = "".join(f"\n- {reason}" for reason in reasons)
    refused = Refused(f"p v2 is not promoted to prod:{listed}", reasons)
    assert str(refused).splitlines() == [
        "p v2 is not promoted to prod:",
        "- It is worse on m-2 - **prod** serves v9, gated\x1b[31m\u202e.",
        "- It has no evidence.",
    ]
    assert len(str(Refused(f"{FORGED} is refused.", reasons)).splitlines()) == 1
