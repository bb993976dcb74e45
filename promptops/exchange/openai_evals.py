"""OpenAI Evals: samples (`input`, `ideal`), registry entries, recorder logs; and the hosted
product's data source rows and output items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..canonical import canonical
from ..dataset.example import Example
from .bounded_file import beside, json_rows, text_of
from .chat_text import messages_of
from .foreign_numbers import utc_text, whole
from .imported import Imported, ImportedRun
from .scored import FileImport
from .yaml_lines import Lined

__all__ = [
    "is_item",
    "is_log",
    "is_output",
    "is_registry",
    "is_sample",
    "read_items",
    "read_log",
    "read_outputs",
    "read_registry",
    "read_samples",
]

Rows = Sequence[tuple[int, Mapping[str, Any]]]
GOLDEN = (
    *("correct_label", "expected", "expected_output", "expected_answer", "ideal", "reference"),
    *("reference_answer", "ground_truth", "golden", "label", "answer", "target"),
)


def is_sample(row: Mapping[str, object]) -> bool:
    """Whether a line is a sample: `input` and `ideal`."""
    return "input" in row and "ideal" in row


def is_log(row: Mapping[str, object]) -> bool:
    """Whether the first line is that of a recorder's log."""
    spec = row.get("spec")
    return isinstance(spec, Mapping) and "eval_name" in spec


def is_item(row: Mapping[str, object]) -> bool:
    """Whether a line is a row of a hosted data source."""
    return isinstance(row.get("item"), Mapping) and set(row) <= {"item", "sample"}


def is_output(row: Mapping[str, object]) -> bool:
    """Whether a line is an output item of a hosted run."""
    return row.get("object") == "eval.run.output_item"


def is_registry(value: object) -> bool:
    """Whether a YAML value is a registry entry."""
    return isinstance(value, dict) and any(
        isinstance(entry, dict) and str(entry.get("class", "")).startswith("evals.")
        for entry in value.values()
    )


def read_samples(rows: Rows, path: Path) -> Imported:
    """Conversations with their golden answers; a list of answers means any of them."""
    examples = []
    for number, row in rows:
        history, inputs = _asked(row["input"])
        examples.append(
            Example(f"{path.stem}.{number - 1}", inputs, expected=row["ideal"], history=history)
        )
    notes = []
    if any(example.history for example in examples):
        notes.append(
            'each sample is a conversation: a version with {"role": "history"} sends it, and its'
            " last user message is {{input}}."
        )
    return Imported("OpenAI Evals samples", path.stem, (), tuple(examples), notes=tuple(notes))


def _asked(found: Any) -> tuple[tuple[Mapping[str, object], ...], dict[str, object]]:
    messages = messages_of(found)
    if messages is None:
        return (), {"input": found}
    if messages[-1]["role"] == "user":
        return tuple(messages[:-1]), {"input": messages[-1]["content"]}
    return tuple(messages), {"input": ""}


def read_registry(source: Lined, path: Path) -> Imported:
    """The samples that a registry entry names, where they lie beside it."""
    gathered = FileImport(path.name)
    found: Imported | None = None
    for name, entry in source.value.items():
        if not isinstance(entry, Mapping) or "class" not in entry:
            continue
        line = source.line(name, "class")
        gathered.leave(
            f"class {entry['class']}",
            "a scorer is a class in Python there",
            _class_twin(str(entry["class"])),
            line,
        )
        named = (entry.get("args") or {}).get("samples_jsonl")
        target = beside(path.parent, str(named)) if named else None
        if target is None or not target.is_file():
            what = f"samples {named!r}"
            gathered.leave(what, "the file is not beside the entry", "", source.line(name, "args"))
            continue
        found = read_samples(list(json_rows(text_of(target), target.name)), target)
    if found is None:
        return Imported("OpenAI Evals registry", path.stem, left=tuple(gathered.left))
    return Imported(
        "OpenAI Evals registry",
        path.stem,
        (),
        found.examples,
        (),
        tuple(gathered.left),
        found.notes,
    )


def _class_twin(name: str) -> str:
    kind = name.rpartition(":")[2]
    twins = {
        "Match": "starts_with(column='expected')",
        "Includes": "contains(column='expected')",
        "FuzzyMatch": "exact()",
        "JsonMatch": "json_equals()",
        "ModelBasedClassify": "rubric(criteria, judge=...)",
    }
    return twins.get(kind, "a function scorer: @scorer")


def read_log(rows: Rows, path: Path) -> Imported:
    """One run per sample of a recorder's log, with what its matches came to."""
    gathered = FileImport(path.name)
    spec = rows[0][1]["spec"]
    model = ", ".join(map(str, spec.get("completion_fns") or [])) or "model"
    label = f"{spec.get('eval_name', path.stem)} [{model}]"
    asked: dict[str, Any] = {}
    text: dict[str, str] = {}
    golden: dict[str, object] = {}
    scores: dict[str, dict[str, float | None]] = {}
    began: dict[str, str] = {}
    for _, row in rows:
        name, data = str(row.get("sample_id") or ""), row.get("data")
        if not name or not isinstance(data, Mapping):
            continue
        began.setdefault(name, utc_text(row.get("created_at")))
        if row.get("type") == "sampling":
            asked.setdefault(name, data.get("prompt"))
            text[name] = _first(data.get("sampled"))
        elif row.get("type") == "match":
            scores.setdefault(name, {})["match"] = gathered.score("match", data.get("correct"))
            golden[name] = data.get("options") or data.get("expected")
            text.setdefault(name, _first(data.get("sampled")))
        elif row.get("type") == "metrics":
            for metric, value in data.items():
                found = gathered.score(str(metric), value)
                scores.setdefault(name, {})[str(metric)] = found
    names = list(dict.fromkeys([*asked, *text, *scores]))
    examples, runs = [], []
    for name in names:
        prompt = asked.get(name)
        history, inputs = _asked(prompt) if prompt is not None else ((), {"sample": name})
        options = golden.get(name)
        one = options[0] if isinstance(options, list) and len(options) == 1 else options
        examples.append(Example(name, inputs, expected=one, history=history))
        output = text.get(name)
        failure = None if output is not None else "internal"
        score = scores.get(name, {})
        runs.append(
            ImportedRun(
                name, label, output, score, model=model, started_at=began[name], failure=failure
            )
        )
    form = "OpenAI Evals log"
    name = str(spec.get("base_eval") or path.stem)
    left, outside = tuple(gathered.left), frozenset(gathered.outside)
    return Imported(form, name, (), tuple(examples), tuple(runs), left, unscaled=outside)


def _first(sampled: object) -> str:
    found = sampled[0] if isinstance(sampled, list) and sampled else sampled
    return found if isinstance(found, str) else canonical(found)


def golden_of(item: Mapping[str, object]) -> tuple[dict[str, object], object, str | None]:
    """(inputs, golden answer, its column) of a row whose columns are mixed."""
    column = next((name for name in GOLDEN if name in item), None)
    return {k: v for k, v in item.items() if k != column}, item.get(column or ""), column


def read_items(rows: Rows, path: Path) -> Imported:
    """The rows of a hosted data source: the fields of each `item`."""
    examples, columns = [], set()
    for number, row in rows:
        inputs, golden, column = golden_of(row["item"])
        columns.add(column)
        examples.append(Example(f"item-{number - 1}", inputs or {"input": ""}, expected=golden))
    named = ", ".join(sorted(repr(column) for column in columns if column))
    notes = (f"the golden answer was taken from {named}.",) if named else ()
    return Imported("OpenAI hosted items", path.stem, (), tuple(examples), notes=notes)


def _graded(
    row: Mapping[str, Any], gathered: FileImport
) -> tuple[dict[str, float | None], frozenset[str]]:
    """The scores of an item, and which of them are a model's judgement."""
    scores: dict[str, float | None] = {}
    judged = set()
    for result in row.get("results") or []:
        name = str(result.get("name"))
        scores[name] = gathered.score(name, result.get("score"))
        if result.get("sample") or "model" in str(result.get("type")):
            judged |= {name, "pass"}
    scores["pass"] = {"pass": 1.0, "fail": 0.0}.get(str(row.get("status")))
    return scores, frozenset(judged)


def read_outputs(rows: Rows, path: Path) -> Imported:
    """The output items of a hosted run: answers with tokens and the graders' scores."""
    gathered = FileImport(path.name)
    examples: dict[str, Example] = {}
    runs = []
    repeats: dict[tuple[str, str], int] = {}
    for number, row in rows:
        place = row.get("datasource_item_id")
        name = f"item-{number - 1 if place is None else place}"
        item = row.get("datasource_item")
        inputs, golden, _ = golden_of(item if isinstance(item, Mapping) else {})
        examples.setdefault(name, Example(name, inputs or {"input": ""}, expected=golden))
        sample = row.get("sample") or {}
        text = [m for m in sample.get("output") or [] if isinstance(m, Mapping)]
        output = text[-1].get("content") if text else None
        usage = sample.get("usage") or {}
        scores, judged = _graded(row, gathered)
        model = str(sample.get("model") or "")
        label = model or path.stem
        repeat = repeats[name, label] = repeats.get((name, label), -1) + 1
        runs.append(
            ImportedRun(
                name,
                label,
                output if isinstance(output, str) else None,
                scores,
                repeat,
                model,
                whole(usage.get("prompt_tokens")),
                whole(usage.get("completion_tokens")),
                started_at=utc_text(row.get("created_at")) if row.get("created_at") else "",
                finish_reason=sample.get("finish_reason"),
                failure=None if isinstance(output, str) else "internal",
                judged=judged,
            )
        )
    return Imported(
        "OpenAI hosted outputs",
        path.stem,
        (),
        tuple(examples.values()),
        tuple(runs),
        tuple(gathered.left),
        unscaled=frozenset(gathered.outside),
    )
