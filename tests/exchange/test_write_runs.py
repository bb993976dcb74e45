"""What is written in another tool's format reads back to the same ids, scores and verdict."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptops.dataset import Dataset
from promptops.errors import RegistryError, StudyError
from promptops.evidence import Evidence
from promptops.exchange import read_export
from promptops.models.scripted import ScriptedModel
from promptops.monitor.otlp_rows import rows_of_file
from promptops.scorers import contains, equals, rubric

ROWS = [
    {
        "id": f"r{n}",
        "item": f"thing {n}",
        "expected": "AB"[n % 2],
        "tags": ["odd" * (n % 2) or "even"],
    }
    for n in range(24)
]


def answer(request: Any) -> str | None:
    number = int(str(request["messages"][-1]["content"]).split()[-1])
    return "AB"[number % 2] if "well" in str(request["messages"]) or number % 3 else "C"


@pytest.fixture
def studied(make_lab: Callable[..., Any]) -> Any:
    """(lab, study) of two versions."""
    lab = make_lab("first", models={"m": ScriptedModel(answer)})
    prompt = lab.prompt("letters")
    v1 = prompt.save(
        [{"role": "system", "content": "Say."}, {"role": "user", "content": "{{item}}"}],
        model="m",
        temperature=0,
    )
    v2 = prompt.save("Say it well: {{item}}", model="m")
    return lab, lab.evaluate([v1, v2], Dataset.read(ROWS, tags="tags"), [equals()], repeats=2)


@pytest.mark.parametrize("form", ["promptfoo", "inspect"])
def test_it_reads_back_to_the_same_ids(
    make_lab: Callable[..., Any], studied: Any, tmp_path: Path, form: str
) -> None:
    """Versions, examples with their content, repeats, scores, and so the verdict's figures."""
    lab, study = studied
    files = lab.store.write_study(study, tmp_path / "out.json", form)
    other = make_lab("second")
    back = other.import_from(*files)
    assert {v.id for v in back.versions} == {arm.version for arm in study.record.arms}
    assert {v.prompt for v in back.versions} == {"letters"}
    assert {e.id: e.fingerprint for e in back.dataset} == {
        e.id: e.fingerprint for e in study.recorded.dataset
    }
    key = ["version_id", "example_id", "repeat"]
    facts = [*key, "output", "model", "failure", "tokens_in", "finish_reason"]
    mine, theirs = (
        each.runs().sort_values(key)[facts].astype(str).to_numpy().tolist()
        for each in (study, back.study)
    )
    assert mine == theirs
    ids = [arm.version for arm in study.record.arms]
    before, after = (
        each.compare(candidate=ids[1], baseline=ids[0]).primary for each in (study, back.study)
    )
    assert (before.n, before.gain, before.p_better) == (after.n, after.gain, after.p_better)
    assert not back.left


@pytest.mark.parametrize("form", ["promptfoo", "inspect"])
def test_what_the_answers_cost_reads_back(
    make_lab: Callable[..., Any], tmp_path: Path, form: str
) -> None:
    """Also 0, and unknown; of answers whose tokens nobody counted, too."""
    lab = make_lab("costs")
    rows = [
        {"example_id": f"r{n}", "output": "A", "cost_usd": cost, "tokens_in": tokens}
        for n, (cost, tokens) in enumerate([(0.25, None), (0.5, 3), (0.0, None), (None, 3)])
    ]
    study = lab.import_runs(rows, Dataset.read(ROWS[:4]), [equals()])
    files = lab.store.write_study(study, tmp_path / "out.json", form)
    [back] = map(read_export, files)
    assert [run.cost_usd for run in back.runs] == [0.25, 0.5, 0.0, None]


def test_spans_read_back_to_the_same_runs(studied: Any, tmp_path: Path) -> None:
    """Run ids, versions, tokens and answers; scores are spans beside them."""
    lab, study = studied
    [file] = lab.store.write_study(study, tmp_path / "spans.json", "otlp")
    read = list(rows_of_file(file))
    rows = {row["id"]: row for table, row in read if table == "live"}
    for run in study.runs().itertuples():
        row = rows[run.id]
        assert row["version_id"] == run.version_id
        assert row["prompt"] == "letters"
        assert row.get("output", "") == (run.output if isinstance(run.output, str) else "")
    spans = json.loads(file.read_text())["resourceSpans"][0]["scopeSpans"][0]["spans"]
    scored = [span for span in spans if span["name"] == "gen_ai.evaluation.result"]
    assert len(scored) == len(study.scores())
    assert len(rows) == len(spans) - len(scored)
    given = [row for table, row in read if table == "feedback"]
    assert {row["run"] for row in given} <= set(rows)
    assert len(given) == len(scored)


def test_an_unknown_format_is_named(studied: Any, tmp_path: Path) -> None:
    """With those that there are."""
    with pytest.raises(StudyError, match="inspect, otlp, promptfoo"):
        studied[0].store.write_study(studied[1], tmp_path / "x", "weka")


@pytest.mark.parametrize("models", [("m-甲", "m-乙"), ("m.1", "m-1", "M_1")])
def test_versions_whose_labels_are_one_file_name_get_a_log_each(
    make_lab: Callable[..., Any], tmp_path: Path, models: tuple[str, ...]
) -> None:
    lab = make_lab("labels", models={name: ScriptedModel(answer) for name in models})
    version = lab.prompt("letters").save("Say it: {{item}}")
    study = lab.evaluate([version], Dataset.read(ROWS), [equals()], models=list(models))
    written = lab.store.write_study(study, tmp_path / "log.json", "inspect")
    assert len({*written}) == len(models)
    assert {json.loads(path.read_bytes())["eval"]["model"] for path in written} == {*models}


def test_a_name_is_not_a_study(studied: Any, tmp_path: Path) -> None:
    lab, study = studied
    with pytest.raises(StudyError, match=r"is not a study; pass what lab\.evaluate"):
        lab.store.write_study(study.name, tmp_path / "out.json")


def test_labels_of_langfuse_serve_as_imported(make_lab: Callable[..., Any], tmp_path: Path) -> None:
    """An environment that serves nothing serves it, marked; one that does stays as it is."""
    path = tmp_path / "prompt.json"
    prompt = {"name": "triage", "version": 4, "type": "text", "prompt": "Sort {{ticket}}"}
    path.write_text(json.dumps({**prompt, "labels": ["production", "latest"]}))
    lab = make_lab()
    found = lab.import_from(path)
    now = lab.project.registry.serving("triage", "production")
    assert now.number == found.versions[0].number
    assert "nothing here judged it" in now.reason
    assert lab.project.registry.serving("triage", "latest") is None
    path.write_text(json.dumps({**prompt, "prompt": "Other {{ticket}}", "labels": ["production"]}))
    again = lab.import_from(path)
    assert any("serves v1 already" in note for note in again.notes)
    assert lab.project.registry.serving("triage", "production").number == 1


def test_all_prompts_of_langfuse_come_over_at_once(
    make_lab: Callable[..., Any], tmp_path: Path
) -> None:
    """As a list, as a page of its interface, or line by line; a name that cannot be one is left."""
    facts = {"type": "text", "labels": []}
    rows: list[dict[str, Any]] = [
        {**facts, "name": "triage", "version": 10, "prompt": "Tenth {{ticket}}"},
        {**facts, "name": "triage", "version": 9, "prompt": "Ninth {{ticket}}"},
        {**facts, "name": "sum", "version": 1, "prompt": "Sum {{text}}", "labels": ["prod"]},
        {**facts, "name": "My Prompt", "version": 1, "prompt": "Hello"},
    ]
    forms = [json.dumps(rows), json.dumps({"data": rows}), "\n".join(map(json.dumps, rows))]
    lab = make_lab()
    for place, text in enumerate(forms):
        path = tmp_path / f"prompts{place}.json{'l' if place == 2 else ''}"
        path.write_text(text)
        found = lab.import_from(path)
        assert [saved.label for saved in found.versions] == ["v1", "v1", "v2"]
        assert any("My Prompt" in note and "with --prompt NAME" in note for note in found.notes)
    registry = lab.project.registry
    assert sorted(registry.names()) == ["sum", "triage"]
    assert "Tenth" in str(lab.prompt("triage")[2].version.messages(ticket="x"))
    assert registry.serving("sum", "prod").number == 1
    with pytest.raises(RegistryError, match="holds the prompts sum, triage, and one name"):
        lab.import_from(path, prompt="one")


def test_a_comparison_writes_its_methods_and_table(studied: Any) -> None:
    """In words and in LaTeX, with marks escaped."""
    _, study = studied
    ids = [arm.version for arm in study.record.arms]
    found = study.compare(candidate=ids[1], baseline=ids[0])
    told = found.methods()
    assert "24 examples" in told or "23 examples" in told
    assert "v2 with v1" in told
    table = found.to_latex()
    assert table.startswith(r"\begin{tabular}")
    assert table.count(r" \\") == 1 + len(found.differences)
    assert "%" not in table.replace(r"\%", "")
    assert "latency_ms" not in table


@pytest.mark.parametrize("form", ["promptfoo", "inspect"])
def test_a_judges_scores_come_back_as_a_judges(
    make_lab: Callable[..., Any], tmp_path: Path, form: str
) -> None:
    """What a model judged is not a check of the user's after it went through a file."""

    def judge(request: Any) -> str:
        case = re.search(r"<<\w+ (\w+)>>", str(request))
        assert case is not None
        return json.dumps({"case": case[1], "reason": "r", "score": 5})

    lab = make_lab("judged", models={"m": ScriptedModel(answer), "j": ScriptedModel(judge)})
    prompt = lab.prompt("letters")
    versions = [prompt.save(f"{word}: {{{{item}}}}", model="m") for word in ("Say", "Say it well")]
    kind = rubric("kind", judge="j", name="kind")
    study = lab.evaluate(versions, Dataset.read(ROWS[:4]), [equals(), kind]).wait()
    back = make_lab("back").import_from(*lab.store.write_study(study, tmp_path / "o.json", form))
    kinds = {scorer.name: scorer.kind for scorer in back.scorers}
    assert kinds["equals(expected)"] == "user"
    assert kinds["kind"] == "judge"


@pytest.mark.parametrize("form", ["promptfoo", "inspect"])
def test_the_scorer_that_decides_stays_the_one(
    make_lab: Callable[..., Any], studied: Any, tmp_path: Path, form: str
) -> None:
    """The alphabet had chosen another, and with it another verdict."""
    lab, _ = studied
    versions = list(lab.prompt("letters"))
    study = lab.evaluate(versions, Dataset.read(ROWS, tags="tags"), [equals(), contains("B")])
    files = lab.store.write_study(study, tmp_path / "out.json", form)
    back = make_lab("second").import_from(*files).study
    assert (study.record.primary, back.record.primary) == ("equals(expected)", "equals(expected)")
    mine, theirs = (each.compare().primary for each in (study, back))
    assert (theirs.name, theirs.gain) == (mine.name, mine.gain)


def test_a_promotion_on_imported_answers_says_where_they_are_from(
    make_lab: Callable[..., Any], studied: Any, tmp_path: Path
) -> None:
    """In the comparison and in the evidence, for a reader who saw neither file nor import."""
    lab, study = studied
    other = make_lab("second")
    back = other.import_from(*lab.store.write_study(study, tmp_path / "out.json", "promptfoo"))
    v1, v2 = back.versions
    said = [
        f"The 48 runs of {label} came from elsewhere: they are what an imported file or table"
        " says, and nobody here saw the model answer."
        for label in ("v2", "v1")
    ]
    assert list(back.study.compare().notes[:2]) == said
    assert not any("elsewhere" in note for note in study.compare().notes)
    for version, notes in ((v1, said[1:]), (v2, said)):
        deployed = other.promote(version, env="prod", study=back.study)
        evidence = Evidence.read(other.project.location.registry, deployed.evidence)
        assert list(evidence.notes[: len(notes)]) == notes
