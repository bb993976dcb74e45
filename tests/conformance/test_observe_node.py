"""Law: a live call is the same row in Python and in TypeScript: the hash of a user, what is
redacted and what an answer says, by shared cases.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptops.observe.answers import read_answer
from promptops.observe.row_writer import keyed_hash
from promptops.redact import Redactor
from promptops.registry import typescript
from tests.conformance import test_node

CASES_FILE = Path(__file__).with_name("observe_cases.json")
CASES: dict[str, Any] = json.loads(CASES_FILE.read_text(encoding="utf-8"))
pytestmark = pytest.mark.xdist_group("node")
packages, tools = test_node.packages, test_node.tools


@pytest.mark.parametrize("case", CASES["hashes"], ids=lambda case: case["text"])
def test_hashes(case: dict[str, str]) -> None:
    assert keyed_hash(case["secret"].encode(), case["text"]) == case["hash"]


@pytest.mark.parametrize("case", CASES["redacted"], ids=lambda case: case["shown"])
def test_redacted(case: dict[str, Any]) -> None:
    assert Redactor(case["environment"])(case["text"]) == case["shown"]


@pytest.mark.parametrize("case", CASES["answers"], ids=lambda case: case["case"])
def test_answers(case: dict[str, Any]) -> None:
    found = read_answer(case["answer"])
    row = {
        "response_id": found.response_id,
        "model_returned": found.model,
        "system_fingerprint": found.fingerprint,
        "finish_reason": found.finish_reason,
        "failure": found.failure,
        "tokens_in": found.tokens_in,
        "tokens_out": found.tokens_out,
        "tokens_cached": found.tokens_cached,
        "chars_out": None if found.text is None else len(found.text),
    }
    assert {name: value for name, value in row.items() if value is not None} == case["row"]


def test_typescript_passes_the_same_cases(tools: test_node.Tools, tmp_path: Path) -> None:
    reader = test_node.runnable(typescript.reader(typescript.OBSERVE), tmp_path / "reader", tools)
    file = test_node.SUITE.with_name("observe.test.mjs")
    passed, failed, output = test_node.suite(reader, tools, file, PROMPTOPS_CASES=str(CASES_FILE))
    assert failed == 0, output
    assert passed == sum(len(CASES[kind]) for kind in ("hashes", "redacted", "answers")) + 5
