"""promptfoo's results, as `promptfoo eval -o out.json` or `out.csv` writes them: runs with their
scores.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..canonical import canonical
from ..dataset.example import Example
from ..dataset.long_cells import long_cells
from ..errors import DatasetError, TemplateError, VersionError
from ..version import PromptVersion
from .chat_text import chat_of, model_of, slug
from .foreign_numbers import number, whole
from .foreign_template import from_jinja
from .imported import Imported, ImportedRun, ImportedVersion, Left, own_facts
from .promptfoo_checks import graded_by_model, translated
from .scored import FileImport

__all__ = ["is_results", "is_results_csv", "read_results", "read_results_csv"]

_CSV = ["Status", "Score", "Named Scores", "Grader Reason", "Comment"]


def is_results(value: object) -> bool:
    """Whether a JSON value is what `promptfoo eval -o out.json` writes."""
    results = value.get("results") if isinstance(value, dict) else None
    return isinstance(results, dict) and isinstance(results.get("results"), list)


def read_results(value: Mapping[str, Any], path: Path) -> Imported:
    """The runs of a results file, each with its score and named scores."""
    rows = value["results"]["results"]
    config = value.get("config")
    config = config if isinstance(config, dict) else {}
    name = slug(str(config.get("description") or ""), slug(path.stem, "promptfoo"))
    examples: dict[str, Example] = {}
    versions: dict[str, ImportedVersion] = {}
    gathered = FileImport(path.name)
    left = gathered.left
    runs: list[ImportedRun] = []
    repeats: dict[tuple[str, str], int] = {}
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise DatasetError(f"{path.name}: results[{index}] is not an object.")
    labels = _named_apart((_place(row.get("promptIdx")), _label(row)) for row in rows)
    for row in rows:
        example = _example(row, path, examples, left)
        label = labels[_place(row.get("promptIdx")), _label(row)]
        if label not in versions:
            _version(row, label, name, path, versions, left, value)
        repeat = repeats[example, label] = repeats.get((example, label), -1) + 1
        runs.append(_run(row, example, label, repeat, gathered))
    return Imported(
        "promptfoo results",
        name,
        tuple(versions[label] for label in versions if versions[label] is not None),
        tuple(examples.values()),
        tuple(runs),
        tuple(left),
        unscaled=frozenset(gathered.outside),
    )


def _example(
    row: Mapping[str, Any], path: Path, known: dict[str, Example], left: dict[Left, None]
) -> str:
    test = row.get("testCase")
    test = test if isinstance(test, dict) else {}
    values = {
        key: value for key, value in (row.get("vars") or {}).items() if not key.startswith("_")
    }
    key = canonical([values, row.get("testIdx")])
    if key in known:
        return known[key].id
    own = own_facts(test)
    if "inputs" in own:
        known[key] = Example.from_document(own)
        return known[key].id
    checks: dict[str, None] = {}
    transform = str((test.get("options") or {}).get("transform") or "")
    for assertion in test.get("assert") or []:
        done = translated(assertion, list(values), str(assertion.get("transform") or transform))
        checks.update(dict.fromkeys(done.checks))
        if not done.checks:
            what = f"assertion {assertion.get('type')} of test {row.get('testIdx')}"
            left[Left(path.name, None, what, done.reason, done.nearest)] = None
    name = f"test-{row['testIdx']}" if isinstance(row.get("testIdx"), int) else f"t-{len(known)}"
    if any(example.id == name for example in known.values()):
        name = f"{name}-{len(known)}"
    known[key] = Example(name, values or {"input": ""}, checks=tuple(checks))
    return name


def _label(row: Mapping[str, Any]) -> str:
    own = own_facts(row)
    if "arm" in own:
        return str(own["arm"])
    prompt = row.get("prompt") or {}
    provider = row.get("provider") or {}
    text = str(prompt.get("label") or prompt.get("raw") or row.get("promptIdx", 0))
    who = str(provider.get("label") or provider.get("id") or "")
    return f"{' '.join(text.split())[:80]} [{who}]" if who else text


def _named_apart(columns: Iterable[tuple[int, str]]) -> dict[tuple[int, str], str]:
    """(column, its label) -> a label of its own: columns of the results (a prompt with a provider)
    have one label where two prompts begin alike, and are not repeats of one prompt.
    """
    found: dict[tuple[int, str], str] = {}
    taken: set[str] = set()
    for column, label in sorted(set(columns)):
        own = label if label not in taken else f"{label} #{column + 1}"
        found[column, label] = own
        taken.add(own)
    return found


def _place(column: object) -> int:
    return column if isinstance(column, int) else -1


def _version(
    row: Mapping[str, Any],
    label: str,
    name: str,
    path: Path,
    versions: dict[str, ImportedVersion],
    left: dict[Left, None],
    value: Mapping[str, Any],
) -> None:
    listed = value["results"].get("prompts") or []
    place = row.get("promptIdx")
    raw = None
    if isinstance(place, int) and 0 <= place < len(listed) and isinstance(listed[place], dict):
        own = own_facts(listed[place], "config")
        if own:
            _own_version(own, label, name, versions)
            return
        raw = listed[place].get("raw")
    if not isinstance(raw, str):
        return
    provider = str((row.get("provider") or {}).get("id") or "")
    try:
        made = PromptVersion(_messages(raw), model=model_of(provider) or None)
    except (TemplateError, VersionError) as error:
        left[Left(path.name, None, f"prompt {label!r}", str(error).rstrip("."), "")] = None
        return
    versions[label] = ImportedVersion(name, label, made)


def _own_version(
    own: Mapping[str, Any], label: str, name: str, versions: dict[str, ImportedVersion]
) -> None:
    """The version that this product wrote; none if only its answers were known."""
    if isinstance(own.get("version"), dict):
        made = PromptVersion.from_content(own["version"])
        versions[label] = ImportedVersion(str(own.get("prompt") or name), label, made)


def _messages(raw: str) -> Any:
    chat = chat_of(raw)
    if chat is None:
        return from_jinja(raw)
    return [
        {**message, "content": from_jinja(message["content"])}
        if isinstance(message["content"], str)
        else message
        for message in chat
    ]


def _run(
    row: Mapping[str, Any], example: str, label: str, repeat: int, gathered: FileImport
) -> ImportedRun:
    answer = row.get("response")
    answer = answer if isinstance(answer, dict) else {}
    output = answer.get("output")
    failed = row.get("failureReason") == 2 or output is None
    own = own_facts(row)
    scores: dict[str, float | None] = {}
    if not own:
        scores["pass"] = None if failed else float(bool(row.get("success")))
        scores["score"] = None if failed else gathered.score("score", row.get("score"))
    for name, score in (row.get("namedScores") or {}).items():
        scores[str(name)] = number(score) if own else gathered.score(str(name), score, passes=True)
    judged = own.get("judged") or () if own else _judged(row)
    usage = answer.get("tokenUsage") or row.get("tokenUsage") or {}
    counted = bool(usage.get("total"))
    # promptfoo writes 0 where it knows no price or time; the time of a cached answer is the cache's
    cost = number(row.get("cost"), unit=False)
    latency = None if answer.get("cached") else number(row.get("latencyMs"), unit=False)
    return ImportedRun(
        example,
        label,
        None if output is None else output if isinstance(output, str) else canonical(output),
        scores,
        int(own.get("repeat", repeat)),
        str(own.get("model") or model_of(str((row.get("provider") or {}).get("id") or ""))),
        whole(usage.get("prompt")) if counted else None,
        whole(usage.get("completion")) if counted else None,
        cost if own else cost or None,
        latency if own else latency or None,
        str(own.get("started_at") or ""),
        finish_reason=answer.get("finishReason"),
        failure=own.get("failure") or ("internal" if failed else None),
        judged=frozenset(map(str, judged)) & scores.keys(),
    )


def _judged(row: Mapping[str, Any]) -> set[str]:
    """The scores of a row that rest on a model's word: all of them if one of its assertions has a
    model grade, except those that other assertions name.
    """
    by_model = dict[object, bool]()
    for one in _assertions([row.get("testCase"), row.get("gradingResult")]):
        metric = one.get("metric") if isinstance(one.get("metric"), str) else None
        by_model[metric] = by_model.get(metric, False) or graded_by_model(one)
    if not any(by_model.values()):
        return set()
    named = {str(name) for name in row.get("namedScores") or {}}
    return {"pass", "score"} | {name for name in named if by_model.get(name, True)}


def _assertions(found: object) -> Iterator[Mapping[str, Any]]:
    """The assertions of a test or of a grade, those of its sets included."""
    for each in found if isinstance(found, list) else [found]:
        if isinstance(each, dict):
            if isinstance(each.get("type"), str):
                yield each
            for under in ("assert", "assertion", "componentResults"):
                yield from _assertions(each.get(under))


def is_results_csv(header: list[str]) -> bool:
    """Whether a CSV header is that of `promptfoo eval -o out.csv`: each prompt's column is followed
    by the same five.
    """
    return header.count("Status") >= 1 and header[-5:] == _CSV


def read_results_csv(text: str, path: Path) -> Imported:
    """The runs of a results table; its columns repeat for each prompt."""
    with long_cells():
        rows = list(csv.reader(io.StringIO(text)))
    header = rows[0]
    places = [index - 1 for index, name in enumerate(header) if name == "Status"]
    inputs = header[: places[0]]
    own = _named_apart((at, header[place]) for at, place in enumerate(places))
    labels = {place: own[at, header[place]] for at, place in enumerate(places)}
    gathered = FileImport(path.name)
    examples, runs = [], []
    for number_, cells in enumerate(rows[1:]):
        if not any(cells):
            continue
        if len(cells) < places[-1] + 3:
            raise DatasetError(f"{path.name}:{number_ + 2} has fewer cells than the header.")
        name = f"test-{number_}"
        examples.append(Example(name, dict(zip(inputs, cells, strict=False)) or {"input": ""}))
        for place in places:
            failed = cells[place + 1] == "ERROR"
            value = None if failed else gathered.score("score", cells[place + 2] or None)
            passed = None if failed else float(cells[place + 1] == "PASS")
            scores = {"pass": passed, "score": value}
            failure = "internal" if failed else None
            output = None if failed else cells[place]
            runs.append(ImportedRun(name, labels[place], output, scores, failure=failure))
    name = slug(path.stem, "promptfoo")
    return Imported(
        "promptfoo results",
        name,
        (),
        tuple(examples),
        tuple(runs),
        tuple(gathered.left),
        unscaled=frozenset(gathered.outside),
    )
