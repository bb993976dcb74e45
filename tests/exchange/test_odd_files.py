"""An export with a field that is missing or of another kind is one sentence, never a traceback."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import PromptOpsError
from promptops.exchange import read_export

FILES = Path(__file__).parent / "files"
NAMES = sorted(path.name for path in FILES.iterdir() if path.suffix in (".json", ".jsonl"))
ODD: list[Any] = [None, [], {}, "", "text", 7, -1.5, True, [None], {"a": None}, 10**30]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [found for key, item in items for found in [(*path, key), *places(item, (*path, key))]]


def changed(value: Any, rng: random.Random) -> Any:
    """A copy in which one place is gone, or holds something else."""
    value = json.loads(json.dumps(value))
    *way, last = rng.choice(places(value))
    inner = value
    for key in way:
        inner = inner[key]
    if rng.random() < 0.3:
        del inner[last]
    else:
        inner[last] = rng.choice(ODD)
    return value


@pytest.mark.parametrize("name", NAMES)
def test_an_odd_field_is_one_sentence(name: str, tmp_path: Path) -> None:
    text = (FILES / name).read_text()
    lines = [json.loads(line) for line in text.splitlines()] if name.endswith("l") else None
    path = tmp_path / name
    rng = random.Random(name)
    for _ in range(60):
        if lines is None:
            path.write_text(json.dumps(changed(json.loads(text), rng)))
        else:
            path.write_text("\n".join(json.dumps(row) for row in changed(lines, rng)))
        try:
            found = read_export(path)
            assert found.dataset is None or len(found.dataset) == len(found.examples)
        except PromptOpsError as error:
            assert "\n" not in str(error)
