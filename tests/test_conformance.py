"""Law: what a loader answers is pinned in language-neutral cases, which every reader passes (tests/conformance/README.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import promptops
from promptops import Loader, RegistryCorrupt, RenderError
from promptops.registry import chain
from promptops.registry.entry import to_version

CASES: dict[str, Any] = json.loads((Path(__file__).parent / "conformance" / "cases.json").read_text(encoding="utf-8"))


def named(kind: str) -> list[Any]:
    return [pytest.param(case, id=case["case"]) for case in CASES[kind]]


def test_no_kind_of_case_is_left_out() -> None:
    """Every kind in the file is run below; the counts are those of the file, so that none shrinks unseen."""
    counts = {kind: len(cases) for kind, cases in CASES.items()}
    assert counts == {
        "ids": 10,
        "refused_entries": 19,
        "render": 45,
        "request": 3,
        "canary": 69,
        "digests": 3,
        "registries": 16,
        "load": 34,
        "refused_files": 12,
    }


@pytest.mark.parametrize("case", named("ids"))
def test_ids(case: dict[str, Any]) -> None:
    """An entry's content gives its id."""
    assert case["entry"]["id"] == case["id"]
    assert to_version(case["entry"], case["case"]).id == case["id"]


@pytest.mark.parametrize("case", named("refused_entries"))
def test_refused_entries(case: dict[str, Any]) -> None:
    """An entry that is not what its id says, or holds a field that none may, is refused."""
    with pytest.raises(RegistryCorrupt):
        to_version(case["entry"], case["case"])


@pytest.mark.parametrize("case", named("render"))
def test_render(case: dict[str, Any]) -> None:
    """Values give exactly these messages, or are refused."""
    version = to_version(case["entry"], case["case"])
    if case.get("refused"):
        with pytest.raises(RenderError):
            version.render(case["values"])
    else:
        assert version.render(case["values"]) == case["messages"]


@pytest.mark.parametrize("case", named("request"))
def test_request(case: dict[str, Any]) -> None:
    """Values give exactly this request of chat completions."""
    assert to_version(case["entry"], case["case"]).request(**case["values"]) == case["request"]


def test_canary() -> None:
    """Each key falls on the same side everywhere; both sides occur."""
    for case in CASES["canary"]:
        assert chain.in_canary(case["prompt"], case["version"], case["percent"], case["key"]) is case["canary"], case
    assert {case["canary"] for case in CASES["canary"]} == {True, False}


def test_digests() -> None:
    """A deployment in its place gives its digest."""
    for case in CASES["digests"]:
        assert chain.seal(case["prompt"], case["environment"], case["previous"], case["deployment"]) == case["digest"]


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case['registry']}-{case['name']}-{case['env']}") for case in CASES["load"]])
def test_load(case: dict[str, Any], tmp_path: Path) -> None:
    """A registry and a question give this answer, or this refusal."""
    path = tmp_path / "promptops.json"
    path.write_text(json.dumps(CASES["registries"][case["registry"]]), encoding="utf-8")
    loader = Loader(path, saved_copy=False)
    if "refused" in case:
        with pytest.raises(getattr(promptops, case["refused"])):
            loader.get(case["name"], case["env"], case.get("key"))
        return
    served = loader.get(case["name"], case["env"], case.get("key"))
    assert {"number": served.number, "id": served.id, "arm": served.arm} == case["answer"]
    assert served.source == "file"


@pytest.mark.parametrize("case", named("refused_files"))
def test_refused_files(case: dict[str, Any], tmp_path: Path) -> None:
    """What is no registry is refused; a reader that has served already goes on with what it had."""
    path = tmp_path / "promptops.json"
    path.write_text(json.dumps(CASES["registries"]["good"]), encoding="utf-8")
    warm = Loader(path, saved_copy=False)
    before = warm.get("support-triage", "dev")
    path.write_text(case["text"], encoding="utf-8")
    with pytest.raises(RegistryCorrupt):
        Loader(path, saved_copy=False).get("support-triage", "dev")
    served = warm.get("support-triage", "dev")
    assert (served.id, served.source) == (before.id, "last_known_good")
