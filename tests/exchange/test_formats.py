"""Every format gives the numbers that its file holds, and names what it does not bring over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import DatasetError
from promptops.exchange import Imported, merged, read_export

FILES = Path(__file__).parent / "files"

# file -> (form, versions, examples, checks, runs, things left)
GIVES = {
    "promptfoo_1_translate.yaml": ("promptfoo config", 4, 2, 3, 0, 0),
    "promptfoo_2_json.yaml": ("promptfoo config", 1, 2, 6, 0, 6),
    "promptfoo_3_pirate.yaml": ("promptfoo config", 6, 6, 5, 0, 4),
    "promptfoo_3_tests.csv": ("promptfoo tests", 0, 4, 3, 0, 2),
    "promptfoo_results.json": ("promptfoo results", 2, 2, 3, 4, 0),
    "promptfoo_results.csv": ("promptfoo results", 0, 2, 0, 4, 0),
    "openai_evals_samples.jsonl": ("OpenAI Evals samples", 0, 3, 0, 0, 0),
    "openai_evals_registry.yaml": ("OpenAI Evals registry", 0, 3, 0, 0, 1),
    "openai_evals_log.jsonl": ("OpenAI Evals log", 0, 2, 0, 2, 0),
    "openai_hosted_items.jsonl": ("OpenAI hosted items", 0, 2, 0, 0, 0),
    "openai_hosted_outputs.jsonl": ("OpenAI hosted outputs", 0, 2, 0, 2, 0),
    "lm_eval_samples_a.jsonl": ("lm-eval samples", 0, 3, 0, 3, 0),
    "lm_eval_samples_b.jsonl": ("lm-eval samples", 0, 3, 0, 3, 0),
    "inspect_log.eval": ("Inspect log", 0, 3, 0, 6, 0),
    "mlflow_eval.jsonl": ("MLflow result table", 0, 2, 0, 2, 1),
    "langfuse_prompt_chat.json": ("Langfuse prompt", 1, 0, 0, 0, 0),
    "langfuse_prompt_text.json": ("Langfuse prompt", 0, 0, 0, 0, 1),
    "langfuse_dataset_items.json": ("Langfuse dataset", 0, 3, 0, 0, 0),
    "langfuse_observations.csv": ("Langfuse observations", 0, 2, 0, 4, 0),
    "braintrust_experiment.jsonl": ("Braintrust experiment", 0, 2, 0, 2, 0),
    "langsmith_dataset.jsonl": ("LangSmith dataset", 0, 2, 0, 0, 0),
    "helm_scenario_state.json": ("HELM scenario", 0, 2, 0, 2, 1),
    "triage.prompty": ("Prompty", 0, 1, 0, 0, 3),
    "triage_v1.prompty": ("Prompty", 1, 1, 0, 0, 1),
    "greet.prompt": ("dotprompt", 0, 0, 0, 0, 2),
    "dspy_program.json": ("DSPy program", 1, 0, 0, 0, 0),
}


def got(name: str) -> Imported:
    return read_export(FILES / name)


@pytest.mark.parametrize("name", GIVES)
def test_a_file_gives_what_it_holds(name: str) -> None:
    found = got(name)
    checks = sum(len(example.checks) for example in found.examples)
    counts = (len(found.versions), len(found.examples), checks, len(found.runs), len(found.left))
    assert (found.form, *counts) == GIVES[name]
    assert found.dataset is None or len(found.dataset) == len(found.examples)
    assert found.brought + len(found.left) == found.found


@pytest.mark.parametrize("name", GIVES)
def test_the_name_of_a_file_does_not_matter(name: str, tmp_path: Path) -> None:
    """JSON and JSON Lines under a name without an ending are known by their content."""
    if Path(name).suffix not in (".json", ".jsonl", ".eval", ".yaml", ".prompty"):
        pytest.skip("a table and a dotprompt file keep their ending")
    other = tmp_path / "export"
    other.write_bytes((FILES / name).read_bytes())
    assert read_export(other).form == got(name).form


def test_promptfoo_keeps_its_meaning() -> None:
    """`contains` minds case there, latency is in milliseconds, code is named with its line."""
    found = got("promptfoo_1_translate.yaml")
    assert [example.checks for example in found.examples] == [
        ("contains: bonjour",),
        (
            'contains_any(ignore_case=false): ["Bahnhof", "Station"]',
            "not contains(ignore_case=false): Here is",
        ),
    ]
    assert {item.version.model for item in found.versions} == {"gpt-4.1-mini", "gpt-4.1"}
    assert found.versions[1].version.settings == {"temperature": 0, "max_tokens": 60}
    found = got("promptfoo_2_json.yaml")
    assert "latency_below: 4000.0000000000005" in found.examples[0].checks
    left = {(item.line, " ".join(item.what.split(" ")[:2])) for item in found.left}
    assert left == {
        (7, "transform 'JSON.parse(output)'"),
        (16, "assertion javascript"),
        (17, "assertion contains-any"),
        (19, "the test's"),
        (21, "weight 2"),
        (22, "assertion python"),
    }


def test_expected_of_a_promptfoo_table_is_an_assertion() -> None:
    found = got("promptfoo_3_pirate.yaml")
    first = found.examples[0]
    assert first.expected is None
    assert first.inputs == {"body": "Hello there", "mood": "grumpy"}
    assert first.checks == ("contains: ahoy", "not contains(ignore_case=false): Hello")
    assert found.examples[-1].inputs == {"mood": "cheerful", "body": "The sea is calm tonight"}
    assert found.examples[-1].checks == ("contains: arr",)  # by $ref
    assert found.versions[-1].version.template[0]["role"] == "system"


def test_runs_come_with_scores_tokens_cost_and_time() -> None:
    run = got("langfuse_observations.csv").runs[0]
    assert (run.version, run.output, run.live) == ("support-triage v2", "billing", True)
    assert (run.tokens_in, run.tokens_out, run.cost_usd) == (40, 2, 0.0000072)
    assert (run.latency_ms, run.started_at) == (900.0, "2026-05-01T10:00:00.000000")
    assert run.scores == {"right": 1.0}
    run = got("braintrust_experiment.jsonl").runs[1]
    assert (run.scores, run.tokens_in, run.model) == ({"ExactMatch": 0.0}, 40, "gpt-4o-mini")
    assert run.latency_ms == pytest.approx(900.0)
    runs = got("promptfoo_results.json").runs
    passes = [(run.scores["pass"], run.scores["score"]) for run in runs]
    assert sorted(passes, key=str) == [(0.0, 0.0), (0.0, 0.0), (0.0, 0.5), (1.0, 1.0)]
    runs = got("openai_hosted_outputs.jsonl").runs
    assert [run.scores for run in runs] == [
        {"label": 1.0, "pass": 1.0},
        {"label": 0.0, "pass": 0.0},
    ]
    assert [run.scores["match"] for run in got("openai_evals_log.jsonl").runs] == [1.0, 0.0]
    assert [run.scores for run in got("mlflow_eval.jsonl").runs] == [{"right": 1.0}, {"right": 0.0}]


def test_inspect_runs_have_their_epoch_and_every_scorer() -> None:
    found = got("inspect_log.eval")
    assert [(run.example, run.repeat) for run in found.runs] == [
        (name, repeat) for name in ("t1", "t2", "t3") for repeat in (0, 1)
    ]
    assert found.scores == ("includes", "match")
    assert [run.scores["match"] for run in found.runs][:2] == [1.0, 1.0]
    assert found.examples[0].expected == "shipping"
    assert found.runs[0].tokens_in == 14


def test_golden_answers_are_what_each_tool_means() -> None:
    """A generation's output is not one; `ideal`, `outputs`, `expectedOutput` are."""
    golden = {
        "openai_evals_samples.jsonl": ["Mercury", ["Saturn", "saturn"], "Earth"],
        "openai_hosted_items.jsonl": ["billing", "bug"],
        "langfuse_dataset_items.json": ["billing", "bug", "how_to"],
        "langsmith_dataset.jsonl": ["billing", "bug"],
        "langfuse_observations.csv": [None, None],
        "mlflow_eval.jsonl": ["billing", "bug"],
        "helm_scenario_state.json": ["billing", "bug"],
        "promptfoo_3_tests.csv": [None] * 4,
    }
    for name, wanted in golden.items():
        assert [example.expected for example in got(name).examples] == wanted, name


def test_logic_of_other_template_languages_is_refused_with_its_line() -> None:
    left = {
        name: [(item.line, item.what) for item in got(name).left]
        for name in ("triage.prompty", "greet.prompt", "langfuse_prompt_text.json")
    }
    assert any(line == 21 and "{% if" in what for line, what in left["triage.prompty"])
    assert any(line == 10 and "{{#if" in what for line, what in left["greet.prompt"])
    reason = got("langfuse_prompt_text.json").left[0].reason
    assert "line 2" in reason
    assert "@@@langfusePrompt" in reason


def test_prompts_keep_model_settings_labels_and_demos() -> None:
    item = got("langfuse_prompt_chat.json").versions[0]
    assert item.environments == ("production",)
    assert item.version.takes_history
    assert item.version.response_format == {"type": "json_object"}
    assert (item.version.model, item.version.settings) == ("gpt-4o-mini", {"temperature": 0})
    version = got("triage_v1.prompty").versions[0].version
    assert [message["role"] for message in version.template] == ["system", "user"]
    assert version.settings == {"temperature": 0, "max_tokens": 60}
    template = got("dspy_program.json").versions[0].version.template
    assert [message["role"] for message in template] == [
        "system",
        *["user", "assistant"] * 2,
        "user",
    ]
    assert "{{ticket}}" in template[-1]["content"]
    assert template[2]["content"] == "Category: bug"


def test_two_runs_of_one_task_share_their_examples() -> None:
    both = merged([got("lm_eval_samples_a.jsonl"), got("lm_eval_samples_b.jsonl")])
    assert (len(both.examples), len(both.runs), len(both.labels)) == (3, 6, 2)
    assert both.scores == ("exact_match/strict-match", "exact_match/flexible-extract")
    scores = {
        label: [run.scores["exact_match/strict-match"] for run in both.runs if run.version == label]
        for label in both.labels
    }
    assert list(scores.values()) == [[1.0, 0.0, 1.0], [1.0, 1.0, 1.0]]


def test_a_score_on_another_scale_is_unscored_and_named(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (FILES / "braintrust_experiment.jsonl").open()]
    rows[0]["scores"] = {"stars": 4}
    path = tmp_path / "experiment.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    found = read_export(path)
    assert found.runs[0].scores == {"stars": None}
    assert "stars" in found.left[0].what


@pytest.mark.parametrize(
    ("name", "body"),
    [("notes.txt", "hello"), ("rows.json", '[{"a": 1}]'), ("empty.json", "{}"), ("x.yaml", "a: 1")],
)
def test_a_file_of_no_known_format_is_refused(name: str, body: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(body)
    with pytest.raises(DatasetError, match="not a known export"):
        read_export(path)


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    lines = (FILES / "lm_eval_samples_a.jsonl").read_text().splitlines()
    path = tmp_path / "samples.jsonl"
    path.write_text("\n".join([*lines[:2], lines[2][:50], *lines[3:]]))
    with pytest.raises(DatasetError, match=r"samples\.jsonl:3"):
        read_export(path)


def test_documents_with_several_answers_get_one_note(tmp_path: Path) -> None:
    row = json.loads((FILES / "lm_eval_samples_a.jsonl").read_text().splitlines()[0])
    path = tmp_path / "samples_choice.jsonl"
    rows = (row | {"doc_id": n, "resps": [[["-1.0", False]], [["-2.0", True]]]} for n in range(40))
    path.write_text("".join(f"{json.dumps(each)}\n" for each in rows))
    [left] = read_export(path).left
    assert (left.line, left.what) == (1, "answers after the first (documents: 40)")


def test_nothing_secret_comes_over() -> None:
    """Keys and addresses of providers are left, and named."""
    found: Any = [got(name) for name in ("triage.prompty", "triage_v1.prompty")]
    assert all("OPENAI_API_KEY" not in str(item.versions) for item in found)
    assert any("connection" in left.what for left in found[0].left)


@pytest.mark.parametrize("form", ["json", "csv"])
def test_two_prompts_of_promptfoo_with_one_beginning_are_two(form: str, tmp_path: Path) -> None:
    """What tells two long prompts apart often comes at their end; they are no repeats of one."""
    path = tmp_path / f"results.{form}"
    if form == "csv":
        columns = "Status,Score,Named Scores,Grader Reason,Comment"
        path.write_text(f"ticket,say it,{columns},say it,{columns}\nt,a,PASS,1,,,,b,FAIL,0,,,\n")
    else:
        value = json.loads((FILES / "promptfoo_results.json").read_text())
        begin = (
            "You read the ticket and say in one word which of these it is about, then stop. " * 2
        )
        for place, listed in enumerate(value["results"]["prompts"]):
            listed["label"] = listed["raw"] = f"{begin}{{{{ticket}}}} {place}"
        for row in value["results"]["results"]:
            row["prompt"]["label"] = f"{begin}{{{{ticket}}}} {row['promptIdx']}"
        path.write_text(json.dumps(value))
    found = read_export(path)
    one, other = sorted(found.labels)
    assert other == f"{one} #2"
    assert {run.repeat for run in found.runs} == {0}
    assert len({version.version.id for version in found.versions}) in (0, 2)


def graded(form: str, grades: list[Any], folder: Path) -> Path:
    """A file of a tool with these grades, each of another example."""
    rows: list[dict[str, Any]]
    value: Any = None
    if form == "inspect":
        samples = [{"id": n, "scores": {"grade": {"value": g}}} for n, g in enumerate(grades)]
        value = {"eval": {"task": "t"}, "samples": samples}
    elif form == "promptfoo":
        rows = [
            {"testIdx": n, "vars": {"q": str(n)}, "namedScores": {"grade": g}, "response": {}}
            for n, g in enumerate(grades)
        ]
        value = {"results": {"results": [row | {"prompt": {"label": "p"}} for row in rows]}}
    elif form == "lm_eval":
        facts: dict[str, Any] = {"doc": {}, "target": "", "resps": [["a"]], "metrics": ["grade"]}
        rows = [facts | {"doc_id": n, "grade": g} for n, g in enumerate(grades)]
        if folder.name == "filters":
            rows = [row | {"filter": each} for each in ("strict", "flexible") for row in rows]
    elif form == "langfuse":
        rows = [
            {"traceId": "t", "type": "GENERATION", "input": str(n), "scores": {"grade": [g]}}
            for n, g in enumerate(grades)
        ]
    elif form == "braintrust":
        rows = [
            {"id": n, "input": n, "output": "a", "scores": {"grade": g}, "is_root": True}
            for n, g in enumerate(grades)
        ]
    elif form == "mlflow":
        rows = [
            {
                "trace_id": str(n),
                "request": str(n),
                "response": "a",
                "assessments": [{"assessment_name": "grade", "feedback": {"value": g}}],
            }
            for n, g in enumerate(grades)
        ]
    else:
        rows = [
            {
                "object": "eval.run.output_item",
                "datasource_item_id": n,
                "datasource_item": {"q": n},
                "sample": {"output": [{"content": "a"}]},
                "results": [{"name": "grade", "score": g}],
            }
            for n, g in enumerate(grades)
        ]
    path = folder / f"{form}.{'jsonl' if value is None else 'json'}"
    path.write_text(json.dumps(value) if value else "\n".join(map(json.dumps, rows)))
    return path


TOOLS = ("inspect", "promptfoo", "lm_eval", "langfuse", "braintrust", "mlflow", "hosted")


@pytest.mark.parametrize("form", TOOLS)
def test_the_worst_grade_of_five_is_not_a_right_answer(form: str, tmp_path: Path) -> None:
    """A 1 on a scale from 1 to 5 had counted as 100 %, and the better grades as unscored."""
    found = read_export(graded(form, [5, 1, 1, None, 4], tmp_path))
    assert [run.scores["grade"] for run in found.runs] == [None] * 5
    assert any("'grade'" in left.what and "5" in left.reason for left in found.left)
    whole = read_export(graded(form, [1, 0, 0.5, None, True], tmp_path))
    assert [run.scores["grade"] for run in whole.runs] == [1.0, 0.0, 0.5, None, 1.0]
    both = merged([whole, found])
    assert {run.scores["grade"] for run in both.runs} == {None}


def test_a_grade_of_another_scale_is_left_out_under_each_filter(tmp_path: Path) -> None:
    (tmp_path / "filters").mkdir()
    found = read_export(graded("lm_eval", [5, 1, 0], tmp_path / "filters"))
    assert found.scores == ("grade/strict", "grade/flexible")
    assert {value for run in found.runs for value in run.scores.values()} == {None}


def test_tokens_and_cost_of_an_older_langfuse_come_over(tmp_path: Path) -> None:
    path = graded("langfuse", [1], tmp_path)
    usage = {"usage": {"input": 5, "output": 2, "total": 7}, "calculatedTotalCost": 0.25}
    path.write_text(json.dumps([json.loads(path.read_text()) | usage]))
    [run] = read_export(path).runs
    assert (run.tokens_in, run.tokens_out, run.cost_usd) == (5, 2, 0.25)


def test_zeros_of_an_older_langfuse_are_unknown(tmp_path: Path) -> None:
    """It writes 0 where a call came without usage: such calls had been free."""
    path = graded("langfuse", [1], tmp_path)
    usage = {"usage": {"input": 0, "output": 0, "total": 0}, "calculatedTotalCost": 0}
    path.write_text(json.dumps([json.loads(path.read_text()) | usage]))
    [run] = read_export(path).runs
    assert (run.tokens_in, run.tokens_out, run.cost_usd) == (None, None, None)


def test_what_an_answer_should_have_none_of_is_no_score(tmp_path: Path) -> None:
    """Answers that were all made up had counted as 100 % right."""
    path = graded("langfuse", [1], tmp_path)
    row = json.loads(path.read_text())
    scores = {"Hallucination": [1], "toxicity": [0.9], "contains_PII": ["yes"], "tone": ["no"]}
    path.write_text(json.dumps([row | {"scores": scores}]))
    found = read_export(path)
    assert list(found.runs[0].scores.values()) == [None] * 4
    assert sum("less of it is better" in left.reason for left in found.left) == 3


def test_a_float_of_32_bits_is_not_past_1(tmp_path: Path) -> None:
    """All values of a similarity had been left out where one was rounded up."""
    found = read_export(graded("inspect", [1.0000001192092896, 0.5, -1e-8], tmp_path))
    assert [run.scores["grade"] for run in found.runs] == [1.0, 0.5, 0.0]


def test_the_words_of_mlflow_s_judges_are_scores_and_what_was_overridden_is_none(
    tmp_path: Path,
) -> None:
    path = graded("mlflow", ["yes", "no", "unknown"], tmp_path)
    rows = [json.loads(line) for line in path.open()]
    judged = {"source_type": "LLM_JUDGE"}
    wrong = rows[1]["assessments"][0] | {"valid": False, "source": judged}
    wrong["feedback"] = {"value": "yes"}
    rows[1]["assessments"].append(wrong)  # whatever their order in the file
    path.write_text("\n".join(map(json.dumps, rows)))
    found = read_export(path)
    assert [run.scores["grade"] for run in found.runs] == [1.0, 0.0, None]
    assert not found.judged


def test_promptfoo_s_zero_for_an_unknown_price_is_unknown(tmp_path: Path) -> None:
    """promptfoo writes 0 where it knows no price or time, and caches answers by default."""
    path = tmp_path / "results.json"
    value = json.loads((FILES / "promptfoo_results.json").read_text())
    first, second, third, _ = value["results"]["results"]
    first |= {"cost": 0, "latencyMs": 0}
    second |= {"cost": 0.25, "latencyMs": 3}
    second["response"]["cached"] = True
    third |= {"cost": 0.5, "latencyMs": 800}
    path.write_text(json.dumps(value))
    known = [(run.cost_usd, run.latency_ms) for run in read_export(path).runs]
    assert known[:3] == [(None, None), (0.25, None), (0.5, 800.0)]
