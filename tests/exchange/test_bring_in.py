"""What is imported is this lab's own: versions and a scored study, once however often."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from promptops.cli.__main__ import group
from promptops.dataset import Dataset
from promptops.errors import DatasetError, Refused, StoreError, VersionError
from promptops.exchange.detect import read_export
from promptops.lab import Lab

FILES = Path(__file__).parent / "files"


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def test_a_results_file_becomes_a_study_with_its_scores(lab: Lab) -> None:
    found = lab.import_from(FILES / "promptfoo_results.json")
    assert [version.label for version in found.versions] == ["v1", "v2"]
    assert found.study is not None
    frame = lab.sql("select scorer, count(value) as n, sum(value) as total from scores group by 1")
    totals = {row.scorer: (row.n, row.total) for row in frame.itertuples()}
    assert totals == {"pass": (4, 1.0), "score": (4, 1.5)}
    assert found.brought == found.found == 11


def promptfoo(asserted: list[dict[str, Any]]) -> dict[str, Any]:
    """Results in which the second prompt is better, by these assertions."""
    rows = [
        {
            "promptIdx": place,
            "testIdx": test,
            "prompt": {"raw": f"P{place}: q{test}", "label": f"P{place}: {{{{q}}}}"},
            "vars": {"q": f"q{test}"},
            "provider": {"id": "openai:gpt-4o"},
            "response": {"output": "yes" if place else f"no {test % 3}"},
            "success": bool(place) or test % 3 == 0,
            "score": float(bool(place) or test % 3 == 0),
            "namedScores": {
                one["metric"]: float(bool(place) or test % 3 == 0)
                for one in asserted
                if "metric" in one
            },
            "testCase": {"vars": {"q": f"q{test}"}, "assert": asserted},
        }
        for test in range(40)
        for place in (0, 1)
    ]
    prompts = [
        {"raw": text, "label": text, "provider": "openai:gpt-4o"}
        for text in ("P0: {{q}}", "P1: {{q}}")
    ]
    return {"results": {"version": 3, "prompts": prompts, "results": rows}, "config": {}}


RUBRIC = {"type": "llm-rubric", "value": "is kind"}


@pytest.mark.parametrize(
    ("asserted", "judges"),
    [
        ([RUBRIC], {"pass", "score"}),
        ([{"type": "contains", "value": "yes"}], set()),
        (
            [{"type": "contains", "value": "yes"}, {**RUBRIC, "type": "not-g-eval"}],
            {"pass", "score"},
        ),
        ([{"type": "assert-set", "assert": [RUBRIC]}], {"pass", "score"}),
        (
            [{**RUBRIC, "metric": "kind"}, {"type": "equals", "value": "yes", "metric": "right"}],
            {"pass", "score", "kind"},
        ),
        ([{"type": "javascript", "value": "output.length", "metric": "right"}], set()),
    ],
)
def test_what_a_model_graded_elsewhere_is_a_judges_score(
    lab: Lab, tmp_path: Path, asserted: list[dict[str, Any]], judges: set[str]
) -> None:
    """No promotion rests on a judge alone that was not measured against people, whichever tool
    asked it.
    """
    path = tmp_path / "out.json"
    path.write_text(json.dumps(promptfoo(asserted)))
    found = lab.import_from(path)
    assert {scorer.name for scorer in found.scorers if scorer.kind == "judge"} == judges
    first, second = found.versions
    lab.promote(first, env="prod", reason="it served", force=True)
    if judges:
        with pytest.raises(Refused, match="The primary pass is a judge that was not") as refused:
            lab.promote(second, env="prod", study=found.study)
        assert str(refused.value).count("is a judge that was not measured") == 1
    else:
        assert lab.promote(second, env="prod", study=found.study).changed


def test_other_tools_judges(tmp_path: Path) -> None:
    """Inspect's model-graded scorers, and graders of a hosted evaluation that a model sampled."""
    sample = {
        "id": 1,
        "epoch": 1,
        "input": "a",
        "target": "yes",
        "output": {"completion": "yes", "choices": []},
        "scores": {"model_graded_qa": {"value": "C"}, "match": {"value": "C"}},
    }
    log = {"eval": {"task": "t", "model": "m"}, "status": "success", "samples": [sample]}
    (tmp_path / "log.json").write_text(json.dumps(log))
    assert read_export(tmp_path / "log.json").judged == {"model_graded_qa"}
    row = {
        "object": "eval.run.output_item",
        "datasource_item_id": 0,
        "datasource_item": {"q": "a"},
        "status": "pass",
        "sample": {"output": [{"role": "assistant", "content": "yes"}], "model": "m"},
        "results": [
            {"name": "exact", "type": "string_check", "score": 1.0, "passed": True},
            {"name": "kind", "type": "score_model", "score": 1.0, "passed": True},
        ],
    }
    (tmp_path / "items.jsonl").write_text(f"{json.dumps(row)}\n")
    assert read_export(tmp_path / "items.jsonl").judged == {"kind", "pass"}


def test_mlflows_judges(tmp_path: Path) -> None:
    """Its assessments say who gave them: code, a person or a model."""
    sources = {"right": "CODE", "good": "HUMAN", "kind": "LLM_JUDGE", "safe": "AI_JUDGE"}
    row = {
        "trace_id": "tr-1",
        "request": {"q": "a"},
        "response": "yes",
        "assessments": [
            {
                "assessment_name": name,
                "source": {"source_type": source, "source_id": "x"},
                "feedback": {"value": True},
            }
            for name, source in sources.items()
        ],
    }
    (tmp_path / "eval.jsonl").write_text(f"{json.dumps(row)}\n")
    found = read_export(tmp_path / "eval.jsonl")
    assert found.scores == tuple(sources)
    assert found.judged == {"kind", "safe"}


def test_imported_twice_it_is_there_once(lab: Lab) -> None:
    for _ in range(2):
        found = lab.import_from(FILES / "inspect_log.eval")
    assert len(lab.studies) == 1
    assert found.study is not None
    assert len(lab.runs()) == 6
    began = lab.sql("select min(started_at) as began from runs")["began"][0]
    assert str(began).startswith("2026-11-29 01:49")


def test_two_runs_of_a_task_are_compared_by_their_own_scores(lab: Lab) -> None:
    paths = [FILES / f"lm_eval_samples_{arm}.jsonl" for arm in "ab"]
    study = lab.import_from(*paths).study
    assert study is not None
    lab.import_from(FILES / "promptfoo_1_translate.yaml", prompt="greet")
    assert len(lab.prompt("greet").versions) == 4


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(group(), list(arguments))
    return done.exit_code, done.output


def test_the_command_names_what_it_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = str(FILES / "promptfoo_2_json.yaml")
    code, output = run("import", file, "--dry-run")
    assert code == 0
    assert "brought 9 of 15" in output
    assert "promptfoo_2_json.yaml:22: assertion python" in output
    assert not list(tmp_path.iterdir())
    assert run("import", file, "--dry-run", "--strict")[0] == 1
    assert run("import", str(FILES / "promptfoo_1_translate.yaml"), "--strict")[0] == 0
    assert (tmp_path / "promptops.json").is_file()
    code, output = run("import", file, "--json", "--dry-run")
    assert json.loads(output)["left"][0]["line"] == 7


def test_of_a_list_of_prompts_one_that_holds_a_key_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had refused the whole list, after the prompts before it were saved."""
    monkeypatch.chdir(tmp_path)
    key = "sk-proj-" + "abcdefghijklmnop1234567890abcd"
    texts = {"alpha": "Classify {{ticket}}", "keyed": f"Use {key}", "omega": "Sort {{ticket}}"}
    rows = [
        {"name": name, "version": 1, "type": "text", "prompt": text, "labels": ["production"]}
        for name, text in texts.items()
    ]
    Path("prompts.json").write_text(json.dumps(rows))
    code, output = run("import", "prompts.json")
    assert code == 0, output
    assert "brought 2 of 3" in output
    assert "v1 of keyed was not brought over: keyed is not saved: after" in output
    assert "saved: omega, 1 version" in output
    assert "saved: keyed" not in output
    assert key not in output + Path("promptops.json").read_text()
    assert run("import", "prompts.json", "--strict")[0] == 1
    Path("alone.json").write_text(json.dumps(rows[1]))
    with pytest.raises(VersionError, match="holds a secret"):
        Lab().import_from("alone.json")


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "rows.parquet"])
def test_a_file_of_somebodys_own_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The same examples leave the file as it is; other ones are refused before anything is
    imported.
    """
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    words = ["import", str(FILES / "promptfoo_results.json"), "--dataset", name]
    own = Dataset.read([{"id": "mine", "q": "a question of mine"}])
    held = own.write(Path(name)).read_bytes()
    with pytest.raises(DatasetError, match=f"{name} exists and holds other rows"):
        CliRunner().invoke(group(), words, catch_exceptions=False)
    assert Path(name).read_bytes() == held
    assert not Path("promptops.json").exists()
    Path(name).unlink()
    assert run(*words)[0] == 0
    before = Path(name).stat().st_mtime_ns
    assert run(*words)[0] == 0
    assert Path(name).stat().st_mtime_ns == before


def test_a_file_that_an_import_wrote_is_replaced_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless somebody changed it: the store has the examples of what was imported."""
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    first, second = (str(FILES / f) for f in ("promptfoo_results.json", "lm_eval_samples_a.jsonl"))
    assert run("import", first, "--dataset", "rows.jsonl")[0] == 0
    assert run("import", second, "--dataset", "rows.jsonl")[0] == 0
    assert len(Dataset.read("rows.jsonl")) == 3
    with Path("rows.jsonl").open("a") as file:
        file.write('{"id": "mine", "inputs": {"ticket": "a row of mine"}}\n')
    assert run("import", first, "--dataset", "rows.jsonl")[0] != 0
    assert len(Dataset.read("rows.jsonl")) == 4


SPANS = Path(__file__).parents[1] / "monitor" / "files"


def test_live_calls_come_over_by_a_pattern(lab: Lab) -> None:
    """OTLP/JSON of whatever emitter, beside an export of another tool: read again, nothing is new;
    `lab.live` shows them.
    """
    found = lab.import_from(SPANS / "open*.jsonl", FILES / "promptfoo_results.json")
    assert found.live is not None
    assert (found.live.rows, found.live.new, found.live.refused) == (6, 6, 0)
    assert found.study is not None
    again = lab.import_from(f"{SPANS}/open*.jsonl")
    assert (again.live and again.live.new, again.study) == (0, None)
    assert "6 live rows read, 0 of them new" in repr(again)
    [row] = lab.live("triage", env="prod", days=36_500).versions
    assert (row["calls"], row["failures"], row["version"]) == (6, 3, 3)
    with pytest.raises(DatasetError, match="no file matches"):
        lab.import_from("nowhere/*.jsonl")


def test_the_command_takes_live_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look first, then twice: 2 new, then none; our own stdout lines as a log agent kept them."""
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    row = {
        "promptops": "live",
        "id": "l-1",
        "prompt": "triage",
        "started_at": "2026-11-29T10:00:00",
    }
    Path("app.log").write_text(f"10:00 stdout {json.dumps(row)}\n10:00 stdout else\n")
    words = ["import", str(SPANS / "logfire.jsonl"), "app.log"]
    said = [CliRunner().invoke(group(), [*words, *more]) for more in (["--dry-run"], [], [])]
    assert [each.exit_code for each in said] == [0, 0, 0]
    assert [each.output.strip() for each in said] == [
        "3 live rows read.",
        "3 live rows read, 3 of them new.",
        "3 live rows read, 0 of them new.",
    ]


def test_a_name_that_no_file_can_have_is_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The system refuses the name itself, by an error of its own."""
    for name in ("a" * 300 + ".csv", "nul\0.csv"):
        with pytest.raises(DatasetError, match="there is no file"):
            Lab(tmp_path).import_from(str(tmp_path / name))


def test_a_deep_file_is_not_an_export(tmp_path: Path) -> None:
    """What reports hand out is looked for first, which must not end in the parser's depth."""
    deep = tmp_path / "deep.export"
    deep.write_bytes(b"[" * 200_000)
    with pytest.raises(StoreError, match=r"deep\.export"):
        Lab(tmp_path).store.import_(deep)
