"""Inspect's logs: `.eval` (a zip of zstd members) and `.json`. One run per sample and epoch, one
score for each scorer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..canonical import canonical
from ..dataset.example import Example
from ..errors import DatasetError
from ..version import PromptVersion
from .bounded_file import json_value, members
from .chat_text import slug
from .foreign_numbers import number, utc_text, whole
from .imported import Imported, ImportedRun, ImportedVersion, own_facts
from .scored import FileImport

__all__ = ["is_log", "read_eval", "read_log"]

_UNKNOWN = "the wording of the prompt is inside a solver's code: the runs' version is the task."
_STOPS = {"stop": "stop", "max_tokens": "length", "tool_calls": "tool_calls"}


def is_log(value: object) -> bool:
    """Whether a JSON value is a whole log of Inspect."""
    return isinstance(value, dict) and isinstance(value.get("eval"), dict) and "samples" in value


def read_eval(path: Path) -> Imported:
    """The runs of a `.eval` file. Raises DatasetError for an archive that is not one of Inspect."""
    header: object = None
    samples = []
    for member in members(path, ""):
        if member.name in ("header.json", "_journal/start.json"):
            if header is None or member.name == "header.json":
                header = _read(member.body, member.name)
        elif member.name.startswith("samples/"):
            samples.append(_read(member.body, member.name))
    if not isinstance(header, dict) or not isinstance(header.get("eval"), dict):
        raise DatasetError(f"{path.name} is a zip file, but not an Inspect log; name a .eval file.")
    return _read_all(header, samples, path)


def read_log(value: Mapping[str, Any], path: Path) -> Imported:
    """The runs of a `.json` log."""
    return _read_all(value, value.get("samples") or [], path)


def _read(body: bytes, name: str) -> object:
    return json_value(body.decode("utf-8", "replace"), name)


def _read_all(header: Mapping[str, Any], samples: Iterable[object], path: Path) -> Imported:
    gathered = FileImport(path.name)
    facts = header["eval"]
    model = str(facts.get("model") or "")
    label = f"{facts.get('task', 'task')} [{model}]" if model else str(facts.get("task", "task"))
    own = own_facts(facts)
    label = str(own.get("arm", label))
    examples: dict[str, Example] = {}
    runs = []
    calls = 0
    for sample in samples:
        if not isinstance(sample, Mapping):
            continue
        name = str(sample.get("id"))
        if name not in examples:
            examples[name] = _example(name, sample)
        runs.append(_run(sample, name, label, model, gathered))
        calls += any(
            isinstance(message, Mapping) and message.get("role") == "tool"
            for message in sample.get("messages") or []
        )
    if calls:
        gathered.leave(
            f"the tool calls of {calls} samples",
            "a run keeps the last answer, not the turns before it",
            "history",
        )
    if header.get("status") not in (None, "success"):
        gathered.leave("the samples that were not asked", f"the log ended as {header['status']!r}")
    places = {name: place for place, name in enumerate(examples)}
    order = sorted(runs, key=lambda run: (places[run.example], run.repeat))
    name = slug(str(facts.get("task") or ""), "inspect")
    versions: tuple[ImportedVersion, ...] = ()
    if isinstance(own.get("version"), Mapping):
        made = PromptVersion.from_content(own["version"])
        versions = (ImportedVersion(str(own.get("prompt") or name), label, made),)
    return Imported(
        "Inspect log",
        name,
        versions,
        tuple(examples.values()),
        tuple(order),
        tuple(gathered.left),
        () if versions else (_UNKNOWN,),
        unscaled=frozenset(gathered.outside),
    )


def _example(name: str, sample: Mapping[str, Any]) -> Example:
    own = own_facts(sample).get("example")
    if isinstance(own, Mapping):
        return Example.from_document(own)
    asked = sample.get("input")
    history: tuple[Mapping[str, Any], ...] = ()
    if isinstance(asked, list):
        turns = [
            {"role": str(turn.get("role")), "content": _text(turn.get("content"))}
            for turn in asked
            if isinstance(turn, Mapping)
        ]
        asked = turns[-1]["content"] if turns else ""
        history = tuple(turns[:-1])
    target = sample.get("target")
    if isinstance(target, list) and len(target) == 1:
        target = target[0]
    inputs: dict[str, Any] = {"input": asked}
    for index, choice in enumerate(sample.get("choices") or []):
        inputs[f"choice_{chr(97 + index)}"] = choice
    return Example(name, inputs, expected=target if target != "" else None, history=history)


def _run(
    sample: Mapping[str, Any], name: str, label: str, model: str, gathered: FileImport
) -> ImportedRun:
    output = sample.get("output") or {}
    choices = output.get("choices") or []
    stop = choices[0].get("stop_reason") if choices else None
    usage = output.get("usage") or {}
    scores: dict[str, float | None] = {}
    for scorer, score in (sample.get("scores") or {}).items():
        value = score.get("value") if isinstance(score, Mapping) else score
        if isinstance(value, Mapping):
            for part, found in value.items():
                key = f"{scorer}/{part}"
                scores[key] = gathered.score(key, found, letters=True)
        else:
            scores[str(scorer)] = gathered.score(str(scorer), value, letters=True)
    text = output.get("completion")
    seconds = number(output.get("time"), unit=False)
    failed = sample.get("error") is not None
    own = own_facts(sample)
    empty = not isinstance(text, str) or not text.strip()
    return ImportedRun(
        name,
        label,
        text if isinstance(text, str) and not (failed and empty) else None,
        scores,
        max(0, int(sample.get("epoch") or 1) - 1),
        str(own.get("model") or output.get("model") or model),
        whole(usage.get("input_tokens")),
        whole(usage.get("output_tokens")),
        number(own.get("cost_usd", usage.get("total_cost")), unit=False),
        None if seconds is None else seconds * 1000,
        str(own.get("started_at") or utc_text(sample.get("started_at"))),
        _STOPS.get(str(stop), None if stop is None else str(stop)),
        own.get("failure") or ("internal" if failed else "empty_output" if empty else None),
        judged=frozenset(name for name in scores if "model_graded" in name)
        | frozenset(map(str, own.get("judged") or ())),
    )


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part.get("text", "") for part in content if isinstance(part, Mapping)]
        return "\n".join(map(str, parts))
    return canonical(content)
