"""Langfuse: prompts, dataset items, and generations (observations) with their scores, as its API
and its table exports write them.

A generation's `output` is a model's answer, never a golden answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..canonical import canonical
from ..dataset.example import Example
from ..errors import DatasetError, RegistryError, TemplateError, VersionError
from ..registry.document import checked_name
from ..version import PromptVersion
from .chat_text import settings_of
from .foreign_numbers import number, utc_text, whole
from .foreign_template import from_jinja
from .imported import Imported, ImportedRun, ImportedVersion
from .scored import FileImport

__all__ = [
    "is_items",
    "is_observation",
    "is_prompt",
    "read_items",
    "read_observations",
    "read_prompt",
    "read_prompts",
]


def is_prompt(value: object) -> bool:
    """Whether a JSON value is a prompt of Langfuse."""
    return (
        isinstance(value, dict)
        and {"name", "version", "type", "prompt"} <= set(value)
        and value["type"] in ("chat", "text")
    )


def is_items(row: Mapping[str, object]) -> bool:
    """Whether a row is a dataset item."""
    return "expectedOutput" in row and "input" in row


def is_observation(row: Mapping[str, object]) -> bool:
    """Whether a row is an observation: of the API (v2), or of a table's export."""
    return "traceId" in row and ("promptName" in row or "usageDetails" in row or "type" in row)


def read_prompt(value: Mapping[str, Any], path: Path) -> Imported:
    """One version; its labels are the environments that it served there, marked as imported.

    A text that refers to another prompt, or that has logic, is not brought over.
    """
    gathered = FileImport(path.name)
    config = value.get("config")
    config = dict(config) if isinstance(config, Mapping) else {}
    model, form, tools = (config.pop(name, None) for name in ("model", "response_format", "tools"))
    settings, dropped = settings_of(config)
    for name in dropped:
        gathered.leave(f"config {name!r}", "it says how a provider is reached", "Lab(models=...)")
    notes: list[str] = []
    versions: tuple[ImportedVersion, ...] = ()
    try:
        messages = _messages(value["prompt"], notes)
        version = PromptVersion(
            messages,
            model=model if isinstance(model, str) else None,
            settings=settings,
            tools=tools,
            response_format=form if isinstance(form, Mapping) else None,
        )
    except (TemplateError, VersionError) as error:
        what = f"version {value['version']} of {value['name']!r}"
        gathered.leave(what, str(error).rstrip("."), "resolve it there, and import that")
    else:
        labels = tuple(str(label) for label in value.get("labels") or [] if label != "latest")
        note = str(value.get("commitMessage") or "")
        number_ = f"v{value['version']}"
        versions = (ImportedVersion(str(value["name"]), number_, version, labels, note),)
    name = str(value["name"])
    return Imported("Langfuse prompt", name, versions, (), (), tuple(gathered.left), tuple(notes))


def read_prompts(rows: Sequence[Mapping[str, Any]], path: Path) -> Imported:
    """A list of prompts, such as all of a project; the versions of one prompt in their order. One
    whose name cannot be a prompt's here is not brought over.
    """
    gathered = FileImport(path.name)
    found = []
    for row in sorted(rows, key=lambda row: (str(row["name"]), int(row["version"]))):
        try:
            checked_name(row["name"])
        except RegistryError as error:
            what = f"version {row['version']} of {row['name']!r}"
            gathered.leave(what, str(error).rstrip("."), "import it alone, with --prompt NAME")
        else:
            found.append(read_prompt(row, path))
    names = {each.name for each in found}
    return Imported(
        "Langfuse prompts",
        names.pop() if len(names) == 1 else path.stem,
        tuple(version for each in found for version in each.versions),
        (),
        (),
        (*gathered.left, *(left for each in found for left in each.left)),
        tuple(dict.fromkeys(note for each in found for note in each.notes)),
    )


def _messages(prompt: Any, notes: list[str]) -> Any:
    if isinstance(prompt, str):
        return from_jinja(prompt)
    out: list[dict[str, Any]] = []
    for message in prompt:
        if message.get("type") == "placeholder":
            out.append({"role": "history"})
            if message.get("name") != "history":
                notes.append(
                    f"the placeholder {message.get('name')!r} is the message history here: pass"
                    " history=[...]."
                )
        else:
            out.append({"role": message["role"], "content": from_jinja(message["content"])})
    return out


def read_items(rows: Sequence[Mapping[str, object]], path: Path) -> Imported:
    """Dataset items: `input` and `expectedOutput`; archived ones are left out."""
    gathered = FileImport(path.name)
    examples = []
    for index, row in enumerate(rows):
        if row.get("status") == "ARCHIVED":
            gathered.leave(f"item {row.get('id')}", "it is archived there")
            continue
        found = _value(row["input"])
        inputs = dict(found) if isinstance(found, Mapping) and found else {"input": found}
        golden = _value(row.get("expectedOutput"))
        if isinstance(golden, Mapping) and len(golden) == 1:
            (golden,) = golden.values()
        examples.append(Example(str(row.get("id") or f"item-{index}"), inputs, expected=golden))
    name = str(rows[0].get("datasetName") or path.stem)
    left = tuple(gathered.left)
    return Imported("Langfuse dataset", name, (), tuple(examples), (), left)


def read_observations(rows: Sequence[Mapping[str, object]], path: Path) -> Imported:
    """Generations as live runs of the prompt versions that made them."""
    gathered = FileImport(path.name)
    examples: dict[str, Example] = {}
    runs = []
    repeats: dict[tuple[str, str], int] = {}
    for index, row in enumerate(rows):
        kind = str(row.get("type") or "GENERATION")
        if kind != "GENERATION":
            gathered.leave(f"the {kind.lower()} observations", "they are not calls of a model")
            continue
        asked = _value(row.get("input"))
        key = canonical(asked)
        if key not in examples:
            name = f"call-{len(examples)}"
            inputs = {"messages": asked} if isinstance(asked, list) else {"input": asked}
            examples[key] = Example(name, inputs)
        label = _label(row)
        name = examples[key].id
        repeat = repeats[name, label] = repeats.get((name, label), -1) + 1
        runs.append(_run(row, name, label, repeat, gathered, index))
    if not runs:
        raise DatasetError(
            f"{path.name} has no generation among its observations; export those of the type"
            " GENERATION."
        )
    return Imported(
        "Langfuse observations",
        path.stem,
        (),
        tuple(examples.values()),
        tuple(runs),
        tuple(gathered.left),
        ("these are calls of an application: live rows, without golden answers.",),
        unscaled=frozenset(gathered.outside),
    )


def _label(row: Mapping[str, object]) -> str:
    name, version = row.get("promptName"), row.get("promptVersion")
    if name and version not in (None, ""):
        return f"{name} v{version}"
    return str(row.get("model") or row.get("name") or "generation")


def _run(
    row: Mapping[str, object], name: str, label: str, repeat: int, gathered: FileImport, index: int
) -> ImportedRun:
    # the second of each is what releases before 3 write; 0 is what is not known
    usage = _value(row.get("usageDetails")) or _value(row.get("usage")) or {}
    cost = _value(row.get("costDetails")) or {"total": row.get("calculatedTotalCost")}
    latency = number(row.get("latency"), unit=False)
    scores: dict[str, float | None] = {}
    found = _value(row.get("scores"))
    for key, value in found.items() if isinstance(found, Mapping) else []:
        first = value[0] if isinstance(value, list) and value else value
        if isinstance(value, list) and len(value) > 1:
            gathered.leave(f"values of {key!r} after the first", "a run has one of each name")
        scores[str(key)] = gathered.score(str(key), first)
    output = _said(_value(row.get("output")))
    failed = row.get("level") == "ERROR"
    return ImportedRun(
        name,
        label,
        output,
        scores,
        repeat,
        str(row.get("model") or ""),
        whole(usage.get("input")) or None,
        whole(usage.get("output")) or None,
        number(cost.get("total"), unit=False) or None,
        None if latency is None else latency * 1000,
        utc_text(row.get("startTime")),
        failure="internal" if failed else None if output else "empty_output",
        live=True,
    )


def _said(output: object) -> str | None:
    if isinstance(output, Mapping) and isinstance(output.get("content"), str):
        return str(output["content"])
    if output is None or isinstance(output, str):
        return output
    return canonical(output)


def _value(cell: object) -> Any:
    """A cell's JSON as its value; other texts as they are."""
    if isinstance(cell, str) and cell[:1] in ('"', "{", "["):
        try:
            return json.loads(cell)
        except (ValueError, RecursionError):
            return cell
    return cell
