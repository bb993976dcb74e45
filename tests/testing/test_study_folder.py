"""`promptops evaluate studies/`: one table, one JUnit file, one budget, the worst exit code, what
changed since the last study, and a page of scores over time.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest

from promptops.cli.__main__ import main
from promptops.errors import StudyError
from promptops.lab import Dataset, Lab
from promptops.models.scripted import ScriptedModel
from promptops.run import new_id, utc
from promptops.scorers import equals
from promptops.testing import study_file
from promptops.testing.study_folder import StudyFolder, since_last, study_files
from promptops.views.trend_page import trend_page
from tests.cli.test_evaluate_command import ONE_OF

WORDS = {
    "refund": "I was charged twice, money back",
    "shipping": "where is my parcel, courier lost it",
    "bug": "crash with an error",
}
LABELS = tuple(WORDS)

STUDY = """
prompt = "triage"
candidate = "{candidate}"
baseline = "{baseline}"
dataset = "../rows.jsonl"
scorers = ["equals"]
[policy]
goal = "better"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """v2 names the labels, and the embedded model answers it better; every answer is recorded."""
    lab = Lab(tmp_path)
    rows = [
        {"id": f"e{n}", "ticket": f"{WORDS[LABELS[n % 3]]} ({n})", "expected": LABELS[n % 3]}
        for n in range(60)
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    prompt = lab.prompt("triage")
    texts = ("Say something about: {{ticket}}", ONE_OF)
    versions = [prompt.save(text, model="embedded") for text in texts]
    data = Dataset.read(tmp_path / "rows.jsonl")
    lab.evaluate(versions, data, [equals()], name="recorded")
    lab.project.registry.promote("triage", 1, "prod", author="ann", force=True, reason="first")
    lab.project.close()
    studies = tmp_path / "studies"
    studies.mkdir()
    (studies / "a-holds.toml").write_text(STUDY.format(candidate="v2", baseline="v1"))
    (studies / "b-fails.toml").write_text(STUDY.format(candidate="v1", baseline="v2"))
    return tmp_path


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", *words])
    return int(ended.value.code or 0)


def test_the_worst_exit_code_one_table_one_junit_file(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """1 if one does not hold; 2 where one could not run, and the others ran all the same."""
    studies, junit, trend = project / "studies", project / "j.xml", project / "trend.html"
    assert run(str(studies), "--since", "last", "--trend", str(trend)) == 1
    out = capsys.readouterr().out
    assert "a-holds.toml\tholds" in out
    assert "b-fails.toml\tdoes not hold" in out
    assert "Since last, recorded (" in out or "gave the same outcomes" in out
    page = trend.read_text()
    assert "it raises no alarm" in page
    assert "v1 in prod" in page or "triage" in page
    assert "<script" not in page
    (studies / "c-broken.toml").write_text('prompt = "triage"\ncandidat = "v2"\n')
    assert run(str(studies), "--junit", str(junit), "--markdown", str(project / "m.md")) == 2
    suites = Xml.parse(junit).getroot()
    assert [suite.get("name") for suite in suites] == [
        "a-holds.toml",
        "b-fails.toml",
        "c-broken.toml",
    ]
    assert [suite.get("errors") for suite in suites] == ["0", "0", "1"]
    assert "did you mean 'candidate'?" in (project / "m.md").read_text()
    assert (project / "m.md").read_text().startswith("| study | decision |")
    (studies / "b-fails.toml").unlink()
    (studies / "c-broken.toml").unlink()
    assert run(str(studies)) == 0


def test_a_folder_needs_a_study_and_a_report_one(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Misuse is named."""
    (project / "empty").mkdir()
    assert run(str(project / "empty")) == 2
    assert "holds no study file" in capsys.readouterr().err
    assert run(str(project / "studies"), "-o", "x.html") == 2
    assert run(str(project / "studies"), "--dry-run") == 0
    assert "a-holds.toml: <Estimate: 0 calls to make" in capsys.readouterr().out


def test_the_budget_is_of_all_studies(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first spends is not there for the second, and what others spend is; what a file
    allows itself still counts.
    """
    seen: list[object] = []
    ran = study_file.Declared.evaluate

    def spending(self: study_file.Declared, lab: Lab, batch: bool | str = False) -> object:
        seen.append(self.options.get("budget_usd"))
        call = _call(len(seen))
        other = f"r-{0:016x}{(int(call['id'][-16:], 16) + 2**63) % 2**64:016x}"
        # and what another person's process asks meanwhile, in the same store
        lab.store.append("runs", [call, {**call, "id": other, "cost_usd": 100.0}])
        return ran(self, lab, batch)

    monkeypatch.setattr(study_file.Declared, "evaluate", spending)
    files = study_files(project / "studies")
    files[1].write_text(files[1].read_text() + "[options]\nbudget_usd = 0.5\n")
    assert len(list(StudyFolder([*files, *files], 5.0).run(project))) == 4
    assert seen == [5.0, 0.5, 3.0, 0.5]


def test_answers_without_usage_count_in_the_budget_of_all_studies(project: Path) -> None:
    """By their characters; the projects of the files share the budget too."""
    other = project / "other"
    shutil.copytree(project, other, ignore=shutil.ignore_patterns("studies", "other"))
    shutil.copytree(project / "studies", other / "studies")
    seen: list[object] = []

    def spending(self: study_file.Declared, lab: Lab, batch: bool | str = False) -> object:
        seen.append(self.options.get("budget_usd"))
        lab.project = replace(lab.project, prices={"m": (10_000.0, 0.0)})
        call = {
            **_call(len(seen)),
            "cost_usd": None,
            "model": "m",
            "request": '"' + "q" * 398 + '"',
        }
        lab.store.append("runs", [call])
        lab.store.append("attempts", [{"run_id": call["id"], "number": 1, "http_status": 200}])
        raise StudyError("no more of it is needed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study_file.Declared, "evaluate", spending)
        files = [*study_files(project / "studies"), *study_files(other / "studies")]
        assert len(list(StudyFolder(files, 5.0).run(None))) == 4
    assert seen == [5.0, 4.0, 3.0, 2.0]


def _call(number: int) -> dict[str, Any]:
    return {
        "id": new_id(),
        "key": f"k{number}",
        "started_at": utc(),
        "role": "model",
        "cost_usd": 1.0,
    }


def test_since_last_says_what_changed(project: Path) -> None:
    """Of the same version the flips, of another one the comparison, and nothing for the first."""
    lab = Lab(project, models={"embedded": ScriptedModel(lambda request: "refund")})
    data, prompt = Dataset.read(project / "rows.jsonl"), lab.prompt("triage")
    again = lab.evaluate([prompt["v1"], prompt["v2"]], data, [equals()], fresh=True)
    said = since_last(lab, again, again.compare(candidate="v2", baseline="v1"))
    expected = r"Since last, recorded \(20.*\): v2 is better on 0 examples, worse on \d\d\."
    assert re.fullmatch(expected, said), said
    assert trend_page(lab.project).count("<circle") >= 4
    first = lab.study("recorded")
    said = since_last(lab, first, first.compare(candidate="v2", baseline="v1"))
    assert said == "Since last: this is the first study of its prompt."
    lab.project.close()
