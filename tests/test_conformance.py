"""Law: what a loader answers is pinned in language-neutral cases, which every reader passes
(tests/conformance/README.md).
"""

from __future__ import annotations

import decimal
import enum
import json
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import promptops
from promptops import Loader, RegistryCorrupt, RenderError
from promptops.registry import chain
from promptops.registry.canary_share import in_canary
from promptops.registry.entry import to_version

CASES: dict[str, Any] = json.loads(
    (Path(__file__).parent / "conformance" / "cases.json").read_text(encoding="utf-8")
)


def named(kind: str) -> list[Any]:
    return [pytest.param(case, id=case["case"]) for case in CASES[kind]]


def test_no_kind_of_case_is_left_out() -> None:
    """Every kind in the file is run below; the counts are those of the file, so that none shrinks
    unseen.
    """
    counts = {kind: len(cases) for kind, cases in CASES.items()}
    assert counts == {
        "ids": 10,
        "refused_entries": 29,
        "render": 45,
        "request": 15,
        "canary": 104,
        "digests": 3,
        "registries": 16,
        "load": 34,
        "refused_files": 18,
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
        assert (
            in_canary(case["prompt"], case["version"], case["percent"], case["key"])
            is case["canary"]
        ), case
        if "text" in case:  # a key that is not text is hashed as its JSON
            assert (
                in_canary(case["prompt"], case["version"], case["percent"], case["text"])
                is case["canary"]
            ), case
    assert {case["canary"] for case in CASES["canary"]} == {True, False}


def test_keys_that_no_file_of_cases_can_hold() -> None:
    """64-bit ids are their digits, numpy's scalars the values that they are, an enum its value; NaN
    is a missing id.
    """

    class Plan(enum.Enum):
        FREE = uuid.UUID(int=7)

    class Tier(enum.IntEnum):
        GOLD = 3

    class Kind(str, enum.Enum):  # noqa: UP042 - the form whose text is not its value
        A = "a"

    def arms(key: object) -> list[bool]:
        return [in_canary("p", f"v{index}", 50, key) for index in range(64)]

    same: list[tuple[object, str]] = [
        (2**63 + 1, "9223372036854775809"),
        (-(2**64), "-18446744073709551616"),
        (Tier.GOLD, "3"),
        (Kind.A, "a"),
    ]
    same += [
        (np.float64(7.0), "7"),
        (np.float32(0.5), "0.5"),
        (np.bool_(True), "true"),
        (np.int64(2**53 + 1), "9007199254740993"),
    ]
    same += [
        (Plan.FREE.value, "00000000-0000-0000-0000-000000000007"),
        (np.str_("u"), "u"),
        (decimal.Decimal("1.50"), "1.50"),
    ]
    for key, text in same:
        assert arms(key) == arms(text), key
    for none in (
        None,
        float("nan"),
        float("inf"),
        -float("inf"),
        np.float64("nan"),
        np.float32("inf"),
    ):
        assert not any(in_canary("p", f"v{index}", 99.99, none) for index in range(64)), none


def test_digests() -> None:
    """A deployment in its place gives its digest."""
    for case in CASES["digests"]:
        assert (
            chain.seal(case["prompt"], case["environment"], case["previous"], case["deployment"])
            == case["digest"]
        )


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=f"{case['registry']}-{case['name']}-{case['env']}")
        for case in CASES["load"]
    ],
)
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
    """What is not a registry is refused; a reader that has served already goes on with what it
    had.
    """
    path = tmp_path / "promptops.json"
    path.write_text(json.dumps(CASES["registries"]["good"]), encoding="utf-8")
    warm = Loader(path, saved_copy=False)
    before = warm.get("support-triage", "dev")
    path.write_text(case["text"], encoding="utf-8")
    with pytest.raises(RegistryCorrupt) as caught:
        Loader(path, saved_copy=False).get("support-triage", "dev")
    assert "names" not in case or f"'{case['names']}' twice" in str(caught.value)
    served = warm.get("support-triage", "dev")
    assert (served.id, served.source) == (before.id, "last_known_good")
