"""Results of a batch that are truncated, duplicated, reordered, of another batch or of another form
give each question its own answer or none, and what may have been paid for is not asked again.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from promptops.lab import Lab
from tests.faults.batch_server import BatchServer

from .test_batches import MODELS, ROWS, ask, lab, provider, runs, server  # noqa: F401

pytest.importorskip("anthropic")
pytest.importorskip("google.genai")
JSONL = [kind for kind in MODELS if kind != "gemini"]


def own(request: Any) -> str:
    """An answer that tells its question apart."""
    text = json.dumps(request)
    return next(row["q"] for row in ROWS if row["q"] in text)


def of_each(opened: Lab) -> dict[str, Any]:
    """Output by the question's text in the request."""
    found = opened.store.rows("select request, output from runs")
    opened.project.close()
    assert len(found) == len({request for request, _ in found})
    return {own(request): output for request, output in found}


def failed(kind: str, line: dict[str, Any]) -> dict[str, Any]:
    """The same request, failed."""
    bad = copy.deepcopy(line)
    if kind == "anthropic":
        inner = {"type": "api_error", "message": "no"}
        bad["result"] = {"type": "errored", "error": {"type": "error", "error": inner}}
    elif kind == "gemini":
        bad.pop("response")
        bad["error"] = {"code": 13, "message": "no"}
    else:
        bad["response"] = {"status_code": 500, "body": {"error": {"message": "no"}}}
    return bad


def foreign(kind: str, line: dict[str, Any]) -> dict[str, Any]:
    """A result of another batch."""
    other = copy.deepcopy(line)
    if kind == "gemini":
        other["metadata"]["key"] = "o"
    else:
        other["custom_id"] = "o"
    return other


ORDERS: dict[str, Callable[[str, list[Any]], list[Any]]] = {
    "reordered": lambda kind, found: found[::-1],
    "duplicated": lambda kind, found: [found[0], *found, found[2]],
    "a failure beside an answer": lambda kind, found: [*found, failed(kind, found[1])],
    "a failure before an answer": lambda kind, found: [failed(kind, found[1]), *found],
    "of another batch": lambda kind, found: [foreign(kind, found[0]), *found],
}


@pytest.mark.parametrize("order", list(ORDERS))
@pytest.mark.parametrize("kind", list(MODELS))
def test_each_question_has_its_own_answer(
    lab: Callable[[], Lab],  # noqa: F811
    kind: str,
    server: BatchServer,  # noqa: F811
    order: str,
) -> None:
    """An answer belongs to the id beside it, in any order; a failure never takes the place of an
    answer that was paid for.
    """
    server.say = own
    server.bend = lambda found: ORDERS[order](kind, found)
    assert ask(lab(), kind).status == "finished"
    assert of_each(lab()) == {row["q"]: row["q"] for row in ROWS}
    assert set(server.paid.values()) == {1}


@pytest.mark.parametrize(
    ("kind", "bend"),
    [
        *((kind, lambda found: found[:4]) for kind in MODELS),
        *((kind, lambda found: [*found[:4], json.dumps(found[4])[:30]]) for kind in JSONL),
        *((kind, lambda found: []) for kind in MODELS),
        ("gemini", lambda found: [{"response": each["response"]} for each in found[1:]]),
    ],
)
def test_truncated_results_are_read_again_and_not_paid_for_again(
    lab: Callable[[], Lab],  # noqa: F811
    kind: str,
    server: BatchServer,  # noqa: F811
    bend: Callable[[list[Any]], list[Any]],
) -> None:
    """What the provider has answered and its results lack stays open, and is collected once they
    are whole; the rest is kept at once.
    """
    server.say, server.bend = own, bend
    part = ask(lab(), kind)
    assert part.status == "handed_in"
    assert "cannot be read" in part.progress.calls.stopped or kind == "anthropic"
    assert all(q == output for q, output in of_each(lab()).items())
    server.bend = lambda found: found
    assert ask(lab(), kind).status == "finished"
    assert of_each(lab()) == {row["q"]: row["q"] for row in ROWS}
    assert len(server.made) == 1
    assert set(server.paid.values()) == {1}


ODD: list[Any] = [None, "", 7, [], {}, "status", {"status_code": "abc"}, {"status_code": []}]


@pytest.mark.parametrize("odd", ODD, ids=str)
@pytest.mark.parametrize("kind", JSONL)
def test_a_result_of_another_form_is_a_failure_of_its_question_alone(
    lab: Callable[[], Lab],  # noqa: F811
    kind: str,
    server: BatchServer,  # noqa: F811
    odd: object,
) -> None:
    """An odd result fails one question, and the others keep their answers."""
    server.say = own
    server.bend = lambda found: [
        *found[:5],
        {**found[5], ("result" if kind == "anthropic" else "response"): odd},
    ]
    ask(lab(), kind)
    found = of_each(lab())
    assert sum(output is None for output in found.values()) == 1
    assert all(output == q for q, output in found.items() if output is not None)
    assert len(found) == len(ROWS)
