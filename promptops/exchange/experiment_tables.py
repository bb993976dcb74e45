"""Tables of evaluated rows: MLflow's result tables, Braintrust's experiments, LangSmith's datasets,
HELM's scenario states.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..canonical import canonical
from ..dataset.example import Example
from .foreign_numbers import number, utc_text, whole
from .imported import Imported, ImportedRun
from .scored import FileImport

__all__ = [
    "is_braintrust",
    "is_helm",
    "is_langsmith",
    "is_mlflow",
    "read_braintrust",
    "read_helm",
    "read_langsmith",
    "read_mlflow",
]

_JUDGES = ("LLM_JUDGE", "AI_JUDGE")  # MLflow's words of today and of its release 2
Rows = Sequence[tuple[int, Mapping[str, Any]]]


def is_mlflow(row: Mapping[str, object]) -> bool:
    """Whether a row is one of `mlflow.genai.evaluate(...).result_df`."""
    return {"trace_id", "request", "response"} <= set(row)


def read_mlflow(rows: Rows, path: Path) -> Imported:
    """Requests, responses, assessments: feedback is a score, an expectation a golden answer."""
    gathered = FileImport(path.name)
    examples, runs = [], []
    label = path.stem
    for _, row in rows:
        name = str(row["trace_id"])
        asked = _value(row["request"])
        golden: Any = None
        scores: dict[str, float | None] = {}
        judged = set()
        for item in _value(row.get("assessments")) or []:
            found = str(item.get("assessment_name"))
            if item.get("valid") is False:  # somebody has overridden it by another one
                continue
            if found in scores:
                gathered.leave(f"values of {found!r} before the last", "a run has one of each name")
                judged.discard(found)
            if isinstance(item.get("expectation"), Mapping):
                golden = item["expectation"].get("value")
            elif isinstance(item.get("feedback"), Mapping):
                scores[found] = gathered.score(found, item["feedback"].get("value"), words=True)
                source = item.get("source")
                if isinstance(source, Mapping) and source.get("source_type") in _JUDGES:
                    judged.add(found)
        inputs = dict(asked) if isinstance(asked, Mapping) and asked else {"request": asked}
        examples.append(Example(name, inputs, expected=golden))
        output = _text(_value(row.get("response")))
        runs.append(
            ImportedRun(
                name,
                label,
                output,
                scores,
                latency_ms=number(row.get("execution_duration"), unit=False),
                started_at=utc_text(row.get("request_time")),
                failure="internal" if row.get("state") == "ERROR" or output is None else None,
                judged=frozenset(judged),
            )
        )
        if row.get("spans"):
            gathered.leave("the spans of the traces", "a run keeps its request and response")
    return Imported(
        "MLflow result table",
        path.stem,
        (),
        tuple(examples),
        tuple(runs),
        tuple(gathered.left),
        unscaled=frozenset(gathered.outside),
    )


def is_braintrust(row: Mapping[str, object]) -> bool:
    """Whether a row is one of a Braintrust experiment."""
    return {"input", "output", "scores"} <= set(row) and (
        "span_attributes" in row or "is_root" in row or "metrics" in row
    )


def read_braintrust(rows: Rows, path: Path) -> Imported:
    """The root spans of an experiment: input, output, expected, scores, tokens, time."""
    gathered = FileImport(path.name)
    examples: dict[str, Example] = {}
    runs = []
    for number_, row in rows:
        if row.get("is_root") is False:
            gathered.leave("spans below the roots", "a run is a whole evaluation of a row")
            continue
        name = str(row.get("id") or f"row-{number_}")
        asked = row["input"]
        inputs = dict(asked) if isinstance(asked, Mapping) and asked else {"input": asked}
        listed = row.get("tags")
        tags = tuple(map(str, listed)) if isinstance(listed, list) else ()
        examples[name] = Example(name, inputs, expected=row.get("expected"), tags=tags)
        metrics = row.get("metrics") or {}
        began, ended = number(metrics.get("start"), unit=False), metrics.get("end")
        took = None if began is None or ended is None else (float(ended) - began) * 1000
        facts = row.get("metadata")
        model = str(facts.get("model") or "") if isinstance(facts, Mapping) else ""
        output = _text(row["output"])
        runs.append(
            ImportedRun(
                name,
                path.stem,
                output,
                {
                    str(key): gathered.score(str(key), value)
                    for key, value in (row.get("scores") or {}).items()
                },
                0,
                model,
                whole(metrics.get("prompt_tokens")),
                whole(metrics.get("completion_tokens")),
                number(metrics.get("estimated_cost"), unit=False),
                took,
                failure="internal" if row.get("error") or output is None else None,
            )
        )
    left = tuple(gathered.left)
    return Imported(
        "Braintrust experiment",
        path.stem,
        (),
        tuple(examples.values()),
        tuple(runs),
        left,
        unscaled=frozenset(gathered.outside),
    )


def is_langsmith(row: Mapping[str, object]) -> bool:
    """Whether a row is one of a LangSmith dataset."""
    return isinstance(row.get("inputs"), Mapping) and isinstance(row.get("outputs"), Mapping)


def read_langsmith(rows: Rows, path: Path) -> Imported:
    """Dataset rows: `outputs` is what is expected."""
    examples = []
    for number_, row in rows:
        golden: Any = dict(row["outputs"])
        if len(golden) == 1:
            (golden,) = golden.values()
        name = str(row.get("id") or f"row-{number_ - 1}")
        examples.append(Example(name, dict(row["inputs"]) or {"input": ""}, expected=golden))
    note = "`outputs` was taken for the golden answer: reference outputs are what LangSmith keeps."
    return Imported("LangSmith dataset", path.stem, (), tuple(examples), notes=(note,))


def is_helm(value: object) -> bool:
    """Whether a JSON value is HELM's `scenario_state.json`."""
    return isinstance(value, dict) and {"adapter_spec", "request_states"} <= set(value)


def read_helm(value: Mapping[str, Any], path: Path) -> Imported:
    """The requests of a scenario; HELM keeps the scores in another file."""
    gathered = FileImport(path.name)
    spec = value["adapter_spec"]
    model = str(spec.get("model") or "")
    examples: dict[str, Example] = {}
    runs = []
    repeats: dict[str, int] = {}
    for state in value["request_states"]:
        instance, result = state["instance"], state.get("result") or {}
        name = str(instance.get("id") or f"id{len(examples)}")
        right = [
            reference["output"]["text"]
            for reference in instance.get("references") or []
            if "correct" in (reference.get("tags") or [])
        ]
        golden: Any = right[0] if len(right) == 1 else right or None
        examples.setdefault(name, Example(name, {"input": instance["input"]["text"]}, golden))
        completions = result.get("completions") or []
        output = completions[0].get("text") if completions else None
        repeat = repeats[name] = repeats.get(name, -1) + 1
        seconds = number(result.get("request_time"), unit=False)
        runs.append(
            ImportedRun(
                name,
                model or path.stem,
                output,
                {},
                repeat,
                model,
                latency_ms=None if seconds is None else seconds * 1000,
                failure=None if result.get("success") and output is not None else "internal",
            )
        )
    gathered.leave("scores", "HELM keeps them in per_instance_stats.json", "equals()")
    left = tuple(gathered.left)
    name = path.stem
    return Imported("HELM scenario", name, (), tuple(examples.values()), tuple(runs), left)


def _value(cell: object) -> Any:
    if isinstance(cell, str) and cell[:1] in ('"', "{", "["):
        try:
            return json.loads(cell)
        except (ValueError, RecursionError):
            return cell
    return cell


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return canonical(value)
