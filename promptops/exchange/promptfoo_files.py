"""The files that a promptfoo configuration names: prompts, tables of tests, values.

Only texts, JSON, YAML and CSV within the configuration's own folder are opened; code is not.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..dataset.long_cells import long_cells
from ..errors import DatasetError
from .bounded_file import beside, json_rows, json_value, text_of
from .chat_text import chat_of, messages_of
from .foreign_template import from_jinja
from .promptfoo_checks import cell_assertion
from .yaml_lines import read_yaml

__all__ = [
    *(
        "PromptfooPrompt",
        "csv_tests",
        "file_value",
        "over",
        "prompts_in",
        "provider_of",
        "test_rows",
    ),
]

_TEXT = (".txt", ".md", ".j2", ".jinja", ".njk", "")
_DATA = (".json", ".yaml", ".yml")
_CODE = (".js", ".cjs", ".mjs", ".ts", ".py", ".rb", ".sh")


@dataclass(frozen=True, slots=True)
class PromptfooPrompt:
    """label: as results name it; messages: a text, or chat messages, in our template language."""

    label: str
    messages: str | list[dict[str, Any]]


def prompts_in(entry: object, folder: Path) -> list[PromptfooPrompt]:
    """The prompts of one entry of `prompts:`.

    Raises TemplateError for logic in a text, DatasetError for code, or a file that is not there.
    """
    label = ""
    if isinstance(entry, dict):
        label = str(entry.get("label") or "")
        entry = entry.get("raw") or entry.get("id") or ""
    if not isinstance(entry, str):
        raise DatasetError(
            f"the prompt {str(entry)[:60]!r} is not a text; write the prompt, or file:// and a"
            " path."
        )
    if not entry.startswith("file://"):
        return [_prompt(entry, label)]
    named = entry.removeprefix("file://")
    paths = _matching(named, folder)
    if not paths:
        raise DatasetError(
            f"{named} is not there, or is outside the configuration's folder; put it there and"
            " name it relative to the configuration."
        )
    out = []
    for path in paths:
        found = list(_of_file(path))
        single = len(found) == 1 and len(paths) == 1
        out += [_prompt(text, label if single else "") for text in found]
    return out


def _prompt(text: str, label: str) -> PromptfooPrompt:
    chat = chat_of(text)
    if chat is None:
        return PromptfooPrompt(label or " ".join(text.split())[:60], from_jinja(text))
    for message in chat:
        if isinstance(message["content"], str):
            message["content"] = from_jinja(message["content"])
    return PromptfooPrompt(label or str(chat[-1]["content"])[:60], chat)


def _matching(named: str, folder: Path) -> list[Path]:
    if any(mark in named for mark in "*?["):
        if ".." in Path(named).parts or Path(named).is_absolute():
            return []
        return sorted(path for path in folder.glob(named) if path.is_file())[:1000]
    path = beside(folder, named)
    return [path] if path is not None and path.is_file() else []


def _of_file(path: Path) -> Iterator[str]:
    ending = path.suffix.lower()
    if ending in _CODE:
        raise DatasetError(
            f"{path.name} is code, which an import never executes; write what it returns into a"
            " text or JSON file."
        )
    text = text_of(path)
    if ending in (".yaml", ".yml"):
        value = read_yaml(text, path.name).value
        yield json.dumps(value, ensure_ascii=False) if messages_of(value) else text
    elif ending == ".csv":
        with long_cells():
            rows = list(csv.DictReader(io.StringIO(text)))
        yield from (row["prompt"] for row in rows if row.get("prompt"))
    elif ending == ".txt":
        yield from (part.strip() for part in _parted(text) if part.strip())
    else:
        yield text.strip("\n") if ending in _TEXT else text


def _parted(text: str) -> list[str]:
    """The prompts of a text file: a line `---` separates two of them."""
    parts: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.strip() == "---":
            parts.append([])
        else:
            parts[-1].append(line)
    return ["\n".join(part) for part in parts]


def file_value(named: str, folder: Path) -> object:
    """What a `file://` value holds: a text, or the value of a JSON or YAML file; None for code, and
    for a file that is not there or is outside the folder.
    """
    path = beside(folder, named)
    if path is None or not path.is_file() or path.suffix.lower() not in (*_TEXT, *_DATA):
        return None
    text = text_of(path)
    if path.suffix.lower() == ".json":
        return json_value(text, path.name)
    return read_yaml(text, path.name).value if path.suffix.lower() in _DATA else text


def test_rows(named: object, folder: Path) -> Iterator[dict[str, object]]:
    """The tests of a file: CSV with `__expected` columns, JSON, JSON Lines, YAML.

    Raises DatasetError for anything else.
    """
    if isinstance(named, dict) and isinstance(named.get("path"), str):
        named = named["path"]
    if not isinstance(named, str):
        raise DatasetError(
            f"the test {str(named)[:60]!r} has neither vars nor assert; give it one of them, or the"
            " path of a file of tests."
        )
    path = beside(folder, named)
    if path is None or not path.is_file():
        raise DatasetError(
            f"{named} is not there, or is outside the configuration's folder; put it there and"
            " name it relative to the configuration."
        )
    ending = path.suffix.lower()
    if ending == ".csv":
        yield from csv_tests(text_of(path), path.name)
    elif ending == ".jsonl":
        yield from (row for _, row in json_rows(text_of(path), path.name))
    elif ending in _DATA:
        text = text_of(path)
        value = (
            json_value(text, path.name) if ending == ".json" else read_yaml(text, path.name).value
        )
        for row in value if isinstance(value, list) else [value]:
            if isinstance(row, dict):
                yield row if "vars" in row or "assert" in row else {"vars": row}
    else:
        raise DatasetError(
            f"{path.name} is not a table that an import reads; save it as CSV, JSON, JSON"
            " Lines or YAML."
        )


def csv_tests(text: str, name: str) -> Iterator[dict[str, object]]:
    """The rows of a promptfoo test table. `__expected` is an assertion, never a golden answer."""
    try:
        with long_cells():
            rows = list(csv.DictReader(io.StringIO(text)))
        for row in rows:
            cells = {key: value for key, value in row.items() if key and value is not None}
            test: dict[str, object] = {
                "vars": {key: value for key, value in cells.items() if not key.startswith("__")}
            }
            wanted = [
                cell_assertion(value)
                for key, value in cells.items()
                if key.startswith("__expected") and value.strip()
            ]
            metric = cells.get("__metric", "").strip()
            test["assert"] = [{**item, "metric": metric} if metric else item for item in wanted]
            if cells.get("__description"):
                test["description"] = cells["__description"]
            if cells.get("__threshold"):
                test["threshold"] = cells["__threshold"]
            yield test
    except csv.Error as error:
        raise DatasetError(f"{name} is not CSV ({error}).") from None


def provider_of(entry: object) -> tuple[object, dict[str, object]]:
    """(id, configuration) of a provider: a text, {"id", "config"}, or {id: {"config"}}."""
    identity: object = entry
    config: object = {}
    if isinstance(entry, dict) and "id" not in entry and len(entry) == 1:
        identity, config = next(iter(entry.items()))
        config = config.get("config", config) if isinstance(config, dict) else {}
    elif isinstance(entry, dict):
        identity, config = entry.get("id"), entry.get("config")
    return identity, config if isinstance(config, dict) else {}


def over(default: Mapping[str, object], test: Mapping[str, object]) -> dict[str, object]:
    """A test with what `defaultTest` or a scenario adds to it; the test's own values win."""
    out = {**default, **test}
    for name in ("vars", "options", "metadata"):
        below: object = default.get(name)
        above: object = test.get(name)
        if isinstance(below, dict):
            out[name] = {**below, **(above if isinstance(above, dict) else {})}
    own = test.get("assert") or []
    shared = default.get("assert") or []
    out["assert"] = [*shared, *own] if isinstance(shared, list) and isinstance(own, list) else own
    return out
