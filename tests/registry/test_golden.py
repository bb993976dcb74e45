"""R11 for the registry: the file and the evidence of every release, as it left them, are served,
verified and continued.

A release that changes the form adds its own folder: `python -m tests.registry.test_golden
tests/golden/registry-v3`. Those that are there are never made again, since applications have theirs
in git.
"""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from promptops import Loader, PromptVersion
from promptops.cli.__main__ import group
from promptops.errors import RegistryError
from promptops.evidence import FOLDER, Evidence
from promptops.lab import Dataset, Lab
from promptops.models.scripted import ScriptedModel
from promptops.registry.editor import Editor
from promptops.scorers import equals

GOLDEN = Path(__file__).parents[1] / "golden"
RELEASES = ["v1", "v2"]
FILE = "promptops.json"
TOOL = {
    "type": "function",
    "function": {
        "name": "look_up",
        "parameters": {"type": "object", "properties": {"id": {"type": "string"}}},
    },
}


def answer(request: Any) -> str:
    """Right where the wording has a system message, else for every third example."""
    last = request["messages"][-1]["content"]
    number = int(last.rpartition(" ")[2])
    return (
        f"answer {number}" if len(request["messages"]) > 1 or number % 3 == 0 else "I do not know"
    )


def fill(lab: Lab) -> Lab:
    """A project with every kind of deployment: on evidence, forced, a canary, a rollback; two
    prompts, rich and plain.
    """
    prompt = lab.prompt("support-triage")
    plain = prompt.save("Ticket: {{ticket}}", model="m", note="as it was in the code")
    words = [
        {"role": "system", "content": "Höflich bleiben 🙂\n\tno more"},
        {"role": "user", "content": "{{ticket}}"},
    ]
    rich = prompt.save(
        words, model="m", note="the rules first", tools=[TOOL], temperature=0.2, stop=["x"]
    )
    lab.prompt("a/b.c_d").save("Another: {{x}}", model="m")
    rows = [
        {"id": f"e{n}", "ticket": f"question {n}", "expected": f"answer {n}"} for n in range(60)
    ]
    study = lab.evaluate([plain, rich], Dataset.read(rows), [equals()])
    study.wait()
    lab.promote(plain, env="prod", study=study)
    lab.promote(rich, env="prod", study=study)
    lab.promote(plain, env="staging", force=True, reason="no time")
    lab.promote(rich, env="staging", study=study, percent=12.5)
    lab.promote(plain, env="dev", force=True, reason="an experiment")
    lab.promote(rich, env="dev", study=study)
    lab.rollback("support-triage", env="dev", reason="odd answers")
    lab.studies.policy = {"min_n": 30}
    return lab


def said(folder: Path) -> dict[str, Any]:
    """What a release says of a registry: what serves, of every version its wording, the histories,
    and the figures recomputed.
    """
    editor = Editor(folder / FILE)
    loader = Loader(folder / FILE, saved_copy=False)
    found: dict[str, Any] = {"serves": {}, "figures": {}, "history": {}, "versions": {}}
    for name in ("support-triage", "a/b.c_d"):
        found["versions"][name] = [
            [each.number, each.id, each.version.document()] for each in editor.versions(name)
        ]
    for env in ("prod", "staging", "dev"):
        split = [loader.get("support-triage", env, key=f"user {n}").number for n in range(200)]
        found["serves"][env] = {str(number): split.count(number) for number in sorted(set(split))}
        lines = CliRunner().invoke(
            group(),
            ["history", "support-triage", "--env", env, "--registry", str(folder / FILE), "--json"],
        )
        assert lines.exit_code == 0, lines.output
        rows = json.loads(lines.stdout)
        found["history"][env] = [{**row, "again": row["override"]} for row in rows]  # 0.1's name
    done = CliRunner().invoke(
        group(),
        ["verify", "support-triage", "--env", "prod", "--registry", str(folder / FILE), "--json"],
    )
    assert done.exit_code == 0, done.output
    found["figures"] = json.loads(done.stdout)
    return found


def holds(found: Any, expected: Any) -> bool:
    """Whether all that was said is still said; a later release may say more."""
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(
            key in found and holds(found[key], value) for key, value in expected.items()
        )
    if isinstance(expected, list):
        return (
            isinstance(found, list)
            and len(found) == len(expected)
            and all(map(holds, found, expected))
        )
    return bool(found == expected)


def checked(folder: Path) -> int:
    """The exit code of `promptops registry check`, over everything that ever served."""
    return (
        CliRunner()
        .invoke(group(), ["registry", "check", "--all", "--registry", str(folder / FILE)])
        .exit_code
    )


def released(tmp_path: Path, release: str) -> Path:
    return Path(shutil.copytree(GOLDEN / f"registry-{release}", tmp_path / "project"))


@pytest.mark.parametrize("release", RELEASES)
def test_a_registry_of_every_release_serves_verifies_and_goes_on(
    tmp_path: Path, release: str
) -> None:
    """R11: the same versions, shares, histories and figures as that release gave; then a version
    and a deployment are added.
    """
    folder = released(tmp_path, release)
    expected = json.loads((GOLDEN / f"registry-{release}.json").read_text(encoding="utf-8"))
    assert holds(said(folder), expected)
    assert checked(folder) == 0
    evidence = {path.name: path.read_bytes() for path in (folder / FOLDER).iterdir()}
    editor = Editor(folder / FILE)
    number = editor.save("support-triage", PromptVersion("Of today: {{ticket}}"))
    assert number == len(expected["versions"]["support-triage"]) + 1
    editor.promote("support-triage", number, "prod", author="ann", force=True, reason="to go on")
    assert checked(folder) == 0
    assert Loader(folder / FILE, saved_copy=False).get("support-triage", "prod").number == number
    assert [link.digest for link in editor.history("support-triage", "prod")][:-1] == [
        each["digest"] for each in expected["history"]["prod"]
    ]
    assert {path.name: path.read_bytes() for path in (folder / FOLDER).iterdir()} == evidence


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"no time"', '"no Time"'),
        ("Ticket: ", "Ticket; "),
        ("an experiment", "the experiment"),
        ("12.5", "13.5"),
    ],
)
@pytest.mark.parametrize("release", RELEASES)
def test_a_changed_character_is_noticed(tmp_path: Path, release: str, old: str, new: str) -> None:
    """The proof of the test above: it would see a reading that is not exact."""
    folder = released(tmp_path, release)
    text = (folder / FILE).read_text(encoding="utf-8")
    assert text.count(old) == 1
    (folder / FILE).write_text(text.replace(old, new), encoding="utf-8")
    assert checked(folder) == 1


def test_this_release_still_makes_what_the_last_golden_one_holds(
    make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same ids, numbers and figures for the same project; so the golden files are of this form, and
    a new form needs its own.
    """
    monkeypatch.setenv("PROMPTOPS_USER", "golden")
    expected = json.loads((GOLDEN / f"registry-{RELEASES[-1]}.json").read_text(encoding="utf-8"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lab = fill(make_lab("made", models={"m": ScriptedModel(answer)}))
    found = said(lab.project.root)
    assert found["versions"] == expected["versions"]
    assert found["serves"] == expected["serves"]
    made = {each["figure"]: each["promoted"] for each in found["figures"]["figures"]}
    since = {name for name in made if name.startswith(("in force.", "by class."))}
    assert "in force.alpha" in since  # figures that bundles hold since the golden ones were made
    recorded = {
        each["figure"]: each["promoted"]
        for each in found["figures"]["figures"]
        if each["figure"] not in since
        # what n can detect is exact since rule 2, by the normal law before
        and "latency" not in each["figure"]
        and not each["figure"].endswith(".mde")
    }
    assert recorded == {
        each["figure"]: each["promoted"]
        for each in expected["figures"]["figures"]
        # what n can detect is exact since rule 2, by the normal law before
        if "latency" not in each["figure"] and not each["figure"].endswith(".mde")
    }


def test_evidence_of_a_newer_form_is_named() -> None:
    """It is not guessed at: one sentence, with what to do."""
    with pytest.raises(RegistryError, match=r"format 'e3'.*install a newer promptops-toolkit"):
        Evidence.from_document({"form": "e3"})


if __name__ == "__main__":
    target = Path(sys.argv[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fill(Lab(target, models={"m": ScriptedModel(answer)}))
    shutil.rmtree(target / ".promptops")
    target.with_suffix(".json").write_text(
        json.dumps(said(target), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
