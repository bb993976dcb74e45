"""One example in detail: each attempt with its time and cost, and nothing whole that is too long to
look at.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

from promptops.errors import CallError
from promptops.lab import Lab
from promptops.models.protocol import Reply
from promptops.models.scripted import ScriptedModel
from promptops.views.detail import detail_html


def test_every_attempt_is_shown_with_its_cost(make_lab: Callable[..., Lab]) -> None:
    """A limit cost nothing, a broken connection nobody knows what, the answer its price: three
    attempts, three costs.
    """
    tries: list[Any] = [
        CallError("wait.", failure="rate_limit", code="429", retry_after_s=0.0),
        CallError("gone.", failure="connection", retry_after_s=0.0),
        Reply("yes", tokens_in=100_000, tokens_out=10_000),
    ]
    lab = make_lab(
        models={"m": ScriptedModel(tries, label="m", remote=True)}, prices={"m": (10.0, 20.0)}
    )
    version = lab.prompt("p").save("Say yes to {{what}}", model="m")
    study = lab.evaluate([version], [{"id": "e1", "what": "all"}], [])
    html = detail_html(study.review.examples().detail("e1"), study)
    rows = re.findall(r"<tr>(.*?)</tr>", html[html.index("3 attempts</summary>") :])
    cells = [
        [unescape(re.sub("<[^>]+>", "", cell)) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)]
        for row in rows
    ]
    assert [(row[0], row[1], row[3]) for row in cells if row] == [
        ("1", "rate_limit", "$0.00"),
        ("2", "connection", "unknown"),
        ("3", "answered", "$1.20"),
    ]


def test_the_baseline_is_left_and_what_the_golden_answer_holds_is_marked_right(
    make_lab: Callable[..., Lab],
) -> None:
    """On either side: the baseline's "low" is right, the candidate's "high" is not, and nothing is
    struck through. Without a golden answer the candidate's words are new and the baseline's gone.
    """

    def answer(request: dict[str, Any]) -> str:
        text = request["messages"][-1]["content"]
        return "billing, high" if text.startswith("Well") else "billing, low"

    lab = make_lab(models={"m": ScriptedModel(answer, label="m")})
    prompt = lab.prompt("p")
    versions = [prompt.save("{{what}}", model="m"), prompt.save("Well: {{what}}", model="m")]
    golden = [{"id": "e1", "what": "all", "expected": "shipping, low"}]
    study = lab.evaluate(versions, golden, [])
    html = detail_html(study.review.examples().detail("e1"), study)
    assert html.index(">v1</span>") < html.index(">v2</span>")
    assert "billing, <ins>low</ins>" in html
    assert "billing, <del class='po-wrong'>high</del>" in html
    bare = lab.evaluate(versions, [{"id": "e2", "what": "all"}], [])
    html = detail_html(bare.review.examples().detail("e2"), bare)
    assert "billing, <del>low</del>" in html
    assert "billing, <ins>high</ins>" in html


def test_one_wrong_word_of_an_answer_is_marked_alone(make_lab: Callable[..., Lab]) -> None:
    """Also where the two answers have nothing in common, so that all of each is a change."""

    def answer(request: dict[str, Any]) -> str:
        text = request["messages"][-1]["content"]
        right = '{"user": "u-5", "category": "bug", "priority": "high"}'
        return right if text.startswith("Well") else "It seems to be about billing."

    lab = make_lab(models={"m": ScriptedModel(answer, label="m")})
    prompt = lab.prompt("p")
    versions = [prompt.save("{{what}}", model="m"), prompt.save("Well: {{what}}", model="m")]
    golden = {"user": "u-5", "category": "billing", "priority": "high"}
    study = lab.evaluate(versions, [{"id": "e1", "what": "all", "expected": golden}], [])
    html = unescape(detail_html(study.review.examples().detail("e1"), study))
    assert "<del class='po-wrong'>bug\", \"</del>" in html
    assert html.count("po-wrong'>") == 2  # the other is what v1 says before "billing"
    assert "<ins>billing.</ins>" in html
