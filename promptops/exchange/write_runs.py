"""A study's runs and scores in another tool's format: promptfoo results, Inspect logs, OTLP/JSON.

What a format has no field for is under `from_promptops` in its metadata, so that what is written
here reads back to the same version and example ids (and, as spans, run ids).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..canonical import canonical
from ..errors import StudyError
from ..observe.otlp_sink import document_of, span_of
from ..plain_file import open_target
from ..score import Score
from .chat_text import slug
from .imported import OWN
from .recorded_cells import Recorded, RecordedCell, recorded_cells

if TYPE_CHECKING:
    from ..study.recorded_study import RecordedStudy

__all__ = ["WRITTEN", "write_runs"]

_STOPS = {"stop": "stop", "length": "max_tokens", "tool_calls": "tool_calls"}

Document = dict[str, Any]


def write_runs(study: RecordedStudy, path: Path, form: str) -> list[Path]:
    """Write a study in the format of another tool.

    Args:
        study: with answers.
        path: the file; Inspect has one log for each version, so that several get their labels
            before the ending.
        form: "promptfoo", "inspect" or "otlp".

    Returns:
        The files that were written.

    Raises:
        StudyError: the format is another one, or the study has no answer.
    """
    if form not in WRITTEN:
        raise StudyError(f"form is {form!r}; choose {', '.join(sorted(WRITTEN))}.")
    documents = WRITTEN[form](recorded_cells(study))
    out = []
    for file, document in zip(_files(path, list(documents)), documents.values(), strict=True):
        with open_target(file) as target:
            target.write(f"{json.dumps(document, ensure_ascii=False)}\n".encode())
        out.append(file)
    return out


def _files(path: Path, labels: Sequence[str]) -> list[Path]:
    """One for each label; labels that differ only in what no file name has get a number."""
    if len(labels) == 1:
        return [path]
    taken: list[str] = []
    for label in labels:
        short, number = slug(label, "arm"), 1
        name = short
        while name in taken:
            number += 1
            name = f"{short}-{number}"
        taken.append(name)
    return [path.with_stem(f"{path.stem}.{name}") for name in taken]


def _outcome(score: Score) -> float | None:
    """What comparisons count: passed or not, else the value."""
    return score.value if score.passed is None else float(score.passed)


def _named(cell: RecordedCell) -> dict[str, float]:
    found = {name: _outcome(score) for name, score in cell.scores.items()}
    return {name: value for name, value in found.items() if value is not None}


def _text(version: Any, prompt: str) -> str:
    return canonical(version.template) if version is not None else prompt


def _promptfoo(found: Recorded) -> Mapping[str, Document]:
    places = {id_: n for n, id_ in enumerate(dict.fromkeys(c.example.id for c in found.cells))}
    labels = list(found.arms)
    prompts = []
    for label, version in found.arms.items():
        own: Document = {"arm": label, "prompt": found.prompt}
        if version is not None:
            own["version"] = version.document()
        model = version.model if version is not None and version.model else "unknown"
        prompts.append(
            {
                "raw": _text(version, found.prompt),
                "label": label,
                "provider": model,
                "id": version.id if version is not None else label,
                "config": {OWN: own},
            }
        )
    rows = [_result(cell, labels.index(cell.arm), places, prompts) for cell in found.cells]
    passed = sum(row["success"] for row in rows)
    failed = sum(row["failureReason"] == 2 for row in rows)
    whole = {
        "evalId": found.id,
        "results": {
            "version": 3,
            "timestamp": min(cell.run.started_at for cell in found.cells),
            "prompts": prompts,
            "results": rows,
            "stats": {
                "successes": passed,
                "failures": len(rows) - passed - failed,
                "errors": failed,
            },
        },
        "config": {"description": found.prompt or found.name},
        "shareableUrl": None,
        "metadata": {OWN: {"study": found.id, "name": found.name}},
    }
    return {"": whole}


def _result(
    cell: RecordedCell, place: int, places: Mapping[str, int], prompts: Sequence[Document]
) -> Document:
    run, named = cell.run, _named(cell)
    example = cell.example.document()
    usage = {"prompt": run.tokens_in, "completion": run.tokens_out}
    counted = {key: value for key, value in usage.items() if value is not None}
    failed = run.output is None
    parts = [
        {
            "pass": bool(_outcome(score)),
            "score": score.value,
            "reason": score.reason or score.unscored or "",
            "assertion": {"type": "javascript", "metric": name},
        }
        for name, score in cell.scores.items()
    ]
    mean = sum(named.values()) / len(named) if named else 0.0
    return {
        "promptIdx": place,
        "testIdx": places[cell.example.id],
        "testCase": {"vars": dict(cell.example.inputs), "assert": [], "metadata": {OWN: example}},
        "promptId": prompts[place]["id"],
        "provider": {"id": run.model_returned or run.model, "label": ""},
        "prompt": {"raw": prompts[place]["raw"], "label": cell.arm},
        "vars": dict(cell.example.inputs),
        "response": {
            "output": run.output,
            "tokenUsage": {**counted, "total": sum(counted.values())},
            "finishReason": run.finish_reason,
        },
        "success": bool(named) and all(value >= 1.0 for value in named.values()),
        "score": mean,
        "namedScores": named,
        "gradingResult": {"pass": mean >= 1.0, "score": mean, "componentResults": parts},
        "latencyMs": run.latency_ms,
        "cost": run.cost_usd,
        "failureReason": 2 if failed else 0 if named and min(named.values()) >= 1.0 else 1,
        "error": run.failure_detail if failed else None,
        "metadata": {OWN: _facts(cell)},
    }


def _facts(cell: RecordedCell) -> Document:
    """What neither format has a field for."""
    run = cell.run
    facts: Document = {
        "arm": cell.arm,
        "repeat": cell.repeat,
        "run": run.id,
        "version": run.version_id,
        "model": run.model,
        "failure": run.failure,
        "started_at": run.started_at,
        "cost_usd": run.cost_usd,
        "judged": list(cell.judged) or None,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _inspect(found: Recorded) -> Mapping[str, Document]:
    return {label: _log(found, label) for label in found.arms}


def _log(found: Recorded, label: str) -> Document:
    version = found.arms[label]
    cells = [cell for cell in found.cells if cell.arm == label]
    own: Document = {"arm": label, "prompt": found.prompt, "study": found.id}
    if version is not None:
        own["version"] = version.document()
    names = dict.fromkeys(name for cell in cells for name in cell.scores)
    begun = cells[0].run.started_at if cells else ""
    model = cells[0].run.model if cells else "unknown"
    means = {name: [v[name] for v in map(_named, cells) if name in v] for name in names}
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "run_id": found.id,
            "created": f"{begun}Z",
            "task": found.prompt or found.name,
            "task_id": found.id,
            "task_version": 0,
            "dataset": {"name": found.dataset, "samples": len({c.example.id for c in cells})},
            "model": model,
            "config": {"epochs": max((cell.repeat for cell in cells), default=0) + 1},
            "metadata": {OWN: own},
        },
        "plan": {"name": "plan", "steps": [], "config": {}},
        "results": {
            "total_samples": len(cells),
            "completed_samples": sum(cell.run.output is not None for cell in cells),
            "scores": [
                {
                    "name": name,
                    "scorer": name,
                    "metrics": {"mean": {"name": "mean", "value": sum(got) / len(got)}},
                }
                for name, got in means.items()
                if got
            ],
        },
        "stats": {"started_at": f"{begun}Z", "completed_at": f"{begun}Z", "model_usage": {}},
        "samples": [_sample(cell) for cell in cells],
    }


def _sample(cell: RecordedCell) -> Document:
    run, example = cell.run, cell.example
    asked = "\n".join(str(value) for value in example.inputs.values())
    target = example.expected
    counted = run.tokens_in is not None and run.tokens_out is not None
    message = {"role": "assistant", "content": run.output or "", "source": "generate"}
    stop = _STOPS.get(run.finish_reason or "", "unknown")
    sample: Document = {
        "id": example.id,
        "epoch": cell.repeat + 1,
        "input": asked,
        "target": target
        if isinstance(target, str)
        else ""
        if target is None
        else canonical(target),
        "messages": [],
        "output": {
            "model": run.model_returned or run.model,
            "choices": [{"message": message, "stop_reason": stop}],
            "completion": run.output or "",
            "time": None if run.latency_ms is None else run.latency_ms / 1e3,
        },
        "scores": {
            name: {
                "value": _outcome(score),
                "answer": run.output,
                "explanation": score.reason or score.unscored or "",
            }
            for name, score in cell.scores.items()
            if score.value is not None
        },
        "metadata": {OWN: {**_facts(cell), "example": example.document()}},
        "store": {},
        "events": [],
    }
    if counted:
        sample["output"]["usage"] = {
            "input_tokens": run.tokens_in,
            "output_tokens": run.tokens_out,
            "total_tokens": (run.tokens_in or 0) + (run.tokens_out or 0),
        }
    if run.output is None:
        sample["error"] = {
            "message": run.failure_detail or run.failure or "",
            "traceback": "",
            "traceback_ansi": "",
        }
    return sample


def _otlp(found: Recorded) -> Mapping[str, Document]:
    spans = []
    for cell in found.cells:
        run = cell.run
        row = {
            name: value
            for name in (*_SPAN, "id", "output", "failure", "started_at", "latency_ms")
            if (value := getattr(run, name)) is not None
        }
        row |= {"prompt": found.prompt, "arm": cell.arm}
        spans.append(span_of("live", row))
        for name, value in _named(cell).items():
            at = {"id": f"{run.id}-{slug(name, 'score')}", "at": run.started_at}
            spans.append(span_of("feedback", {**at, "run": run.id, "kind": name, "value": value}))
    return {"": document_of(spans)}


_SPAN = (
    *("version_id", "model", "model_returned", "finish_reason", "tokens_in", "tokens_out"),
    *("tokens_cached", "system_fingerprint", "failure_detail", "tool_calls"),
)
WRITTEN: Mapping[str, Callable[[Recorded], Mapping[str, Document]]] = {
    "promptfoo": _promptfoo,
    "inspect": _inspect,
    "otlp": _otlp,
}
