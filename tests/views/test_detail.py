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
