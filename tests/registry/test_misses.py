"""Law: what the file does not have costs an application nothing: bounded memory, a bounded search,
a green health.
"""

from __future__ import annotations

import difflib
import gc
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from promptops import Loader, NotDeployed, PromptVersion, RegistryCorrupt, UnknownPrompt
from promptops.registry.editor import Editor
from promptops.registry.view import LISTED, MISSES

FALLBACK = PromptVersion("x {{a}}")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    editor = Editor(tmp_path / "promptops.json")
    for name in ("support-triage", "summary", "welcome"):
        editor.save(name, PromptVersion(f"{name} {{{{ticket}}}}"))
        editor.promote(name, 1, "dev", author="ann")
    return tmp_path / "promptops.json"


def ask(loader: Loader, kind: str, index: int) -> None:
    name, env = {
        "prompt": (f"user-{index}", "dev"),
        "environment": ("summary", f"branch-{index}"),
        "both": (f"u{index}", f"b{index}"),
    }[kind]
    assert loader.get(name, env, default=FALLBACK).source == "default"


@pytest.mark.parametrize("spoil", ["", "missing", "torn", "malformed"])
@pytest.mark.parametrize("kind", ["prompt", "environment", "both"])
def test_any_number_of_misses_keeps_nothing(path: Path, kind: str, spoil: str) -> None:
    """1,500 names that do not exist, also while the file is bad: memory stays, and health says no
    more of them than a few.
    """
    if spoil == "missing":
        path.unlink()
    elif spoil:
        prompts = json.loads(path.read_text(encoding="utf-8"))["prompts"]
        path.write_text(
            "{"
            if spoil == "torn"
            else json.dumps({"promptops": 1, "prompts": {**prompts, "summary": 7}}),
            encoding="utf-8",
        )
    loader = Loader(path, saved_copy=False)
    for index in range(100):
        ask(loader, kind, index)
    gc.collect()
    tracemalloc.start()
    try:
        for index in range(1_500):
            ask(loader, kind, index)
        gc.collect()
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 100_000
    health = loader.health()
    assert len(json.dumps(health)) < 8_000
    assert health["ok"] is (spoil == "")
    assert len(health["missed"]) <= MISSES


def test_a_search_for_similar_names_is_made_a_few_times(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search looks at every name, so it is not made for every request; the same miss says the
    same sentence.
    """
    searched: list[object] = []
    search = difflib.get_close_matches
    monkeypatch.setattr(
        difflib,
        "get_close_matches",
        lambda *words, **settings: searched.append(words) or search(*words, **settings),
    )
    loader = Loader(path, saved_copy=False)
    said = set()
    for _ in range(50):
        with pytest.raises(UnknownPrompt, match="it holds summary") as caught:
            loader.get("sumary", "dev")
        said.add(str(caught.value))
    assert len(searched) == len(said) == 1
    for index in range(1_000):
        with pytest.raises(UnknownPrompt, match="it holds "):
            loader.get(f"user-{index}", "dev")
    assert len(searched) == MISSES


def test_a_miss_is_said_but_not_red(path: Path) -> None:
    """A fallback that serves forever because of a typing error can be found, without failing
    anybody's health check.
    """
    loader = Loader(path, saved_copy=False)
    assert loader.get("sumary", "dev", default=FALLBACK).source == "default"
    with pytest.raises(NotDeployed):
        loader.get("summary", "prod")
    health: dict[str, Any] = loader.health()
    assert health["ok"]
    assert health["refused"] == {}
    assert set(health["missed"]) == {"sumary in dev", "summary in prod"}
    assert "it holds summary" in health["missed"]["sumary in dev"]
    Editor(path).promote("summary", 1, "prod", author="a", force=True, reason="r")
    assert loader.get("summary", "prod").source == "file"
    assert loader.health()["missed"] == {}


def test_what_served_once_and_is_gone_is_red(path: Path) -> None:
    """That is not a miss: the application goes on with the last known good, and somebody should
    know.
    """
    loader = Loader(path, saved_copy=False)
    loader.get("summary", "dev")
    raw = json.loads(path.read_text(encoding="utf-8"))
    del raw["prompts"]["summary"]
    path.write_text(json.dumps(raw), encoding="utf-8")
    assert loader.get("summary", "dev").source == "last_known_good"
    health = loader.health()
    assert not health["ok"]
    assert set(health["refused"]) == {"summary in dev"}


def test_names_of_any_length_are_remembered_short(path: Path) -> None:
    """Names and environments of a megabyte cost what short ones cost."""
    loader = Loader(path, saved_copy=False)
    for index in range(MISSES):
        for name, env in (
            (f"{index}" + "n" * 1_000_000, "dev"),
            ("summary", f"{index}" + "e" * 1_000_000),
        ):
            assert len(loader.get(name, env, default=FALLBACK).reason) < 500
    assert len(json.dumps(loader.health())) < 20_000


def twice(text: str, line: str, copy: str) -> str:
    """The file after a clean merge in which both sides added `line`'s block: the block is there
    twice, once changed to `copy`.
    """
    start = text.index(line)
    indent = len(line) - len(line.lstrip())
    end = text.index("\n" + " " * indent + "}", start) + indent + 2
    block = text[start:end]
    return text[:start] + block.replace(line, copy) + ",\n" + text[start:]


@pytest.mark.parametrize(
    ("line", "copy", "key"),
    [
        ('    "summary": {', '    "summary": {', "summary"),
        ('        "dev": {', '        "dev": {', "dev"),
        ('    "welcome": {', '    "wel\\u0063ome": {', "welcome"),
    ],
)
def test_a_key_twice_is_corrupt_and_named(path: Path, line: str, copy: str, key: str) -> None:
    """Two branches that add the same prompt or environment may merge cleanly: neither wins in
    silence, the last good file serves.
    """
    good = path.read_text(encoding="utf-8")
    loader = Loader(path, saved_copy=False)
    assert loader.get("summary", "dev").source == "file"
    path.write_text(twice(good, line, copy), encoding="utf-8")
    assert len(json.loads(path.read_text(encoding="utf-8"))["prompts"]) == 3
    with pytest.raises(RegistryCorrupt, match=rf"'{key}' twice in one object"):
        Loader(path, saved_copy=False).get("summary", "dev")
    served = loader.get("summary", "dev")
    assert (served.number, served.source) == (1, "last_known_good")
    assert f"'{key}' twice" in loader.health()["fault"]
    path.write_text(good, encoding="utf-8")
    assert loader.get("summary", "dev").source == "file"


def test_a_field_twice_inside_a_version_is_left_to_its_id(path: Path) -> None:
    """Readers take the later one, and its id says whether that is the content; anyone who writes or
    checks the file refuses it.
    """
    good = path.read_text(encoding="utf-8")
    line = '"created": '
    at = good.index(line)
    path.write_text(f'{good[:at]}"created": "2001-01-01T00:00:00Z", {good[at:]}', encoding="utf-8")
    assert Loader(path, saved_copy=False).get("support-triage", "dev").source == "file"
    with pytest.raises(RegistryCorrupt, match="'created' twice"):
        Editor(path).promote("summary", 1, "prod", author="a", force=True, reason="r")
    path.write_text(
        good.replace('"content": [', '"content": ["x"], "content": [', 1).replace(
            "summary {{ticket}}", "other {{ticket}}", 1
        ),
        encoding="utf-8",
    )
    with pytest.raises(RegistryCorrupt, match="was edited"):
        Loader(path, saved_copy=False).get("summary", "dev")


def test_health_is_short_however_much_is_refused(path: Path) -> None:
    """A check that something asks for every few seconds lists a hundred and counts the others."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    one = raw["prompts"]["summary"]
    raw["prompts"] = {f"p{number:04}": one for number in range(1_000)} | {"summary": one}
    raw["prompts"] |= {f"bad{number:04}": 7 for number in range(1_000)}
    path.write_text(json.dumps(raw), encoding="utf-8")
    loader = Loader(path, saved_copy=False)
    loader.get("summary", "dev")
    health: dict[str, Any] = loader.health()
    assert not health["ok"]
    assert len(health["refused"]) == LISTED + 1
    assert next(iter(health["refused"])) == "bad0000"
    assert list(health["refused"])[-1] == "and 900 more"
    assert len(json.dumps(health)) < 40_000
