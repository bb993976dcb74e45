"""Every noun shows itself in a cell, and what a user writes by mistake names the way on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptops import PromptVersion
from promptops.analysis.check import Check
from promptops.analysis.verdict import Verdict
from promptops.dataset.correcting import Correction
from promptops.errors import RegistryError, VersionError
from promptops.lab.imports import Import
from promptops.markup import paragraph
from promptops.monitor.live_score import LiveScoring
from promptops.policy import Policy
from promptops.registry.deployment import DeploymentEntry
from promptops.registry.served_version import Served
from promptops.store import Store
from promptops.study.estimate import Estimate
from promptops.study.plan import Needs, Plan

NOUNS = [
    Correction,
    DeploymentEntry,
    Estimate,
    Import,
    LiveScoring,
    Needs,
    Plan,
    PromptVersion,
    Served,
    Store,
    Verdict,
]


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.__name__)
def test_every_noun_shows_itself_in_a_cell(noun: Any) -> None:
    """As HTML of its own, with everything that is not ours escaped."""
    assert callable(getattr(noun, "_repr_html_", None))


def test_a_paragraph_is_the_repr_without_its_brackets() -> None:
    """Escaped; a repr without brackets is shown whole."""
    checks = (Check("a", "fail", "Worse by <b>2</b>.", "Look."),)
    shown = Verdict("reject", "v2", "v1", checks, Policy())._repr_html_()
    assert shown == _untypeset(
        "<p>Verdict reject: v2 over v1. Worse by &lt;b&gt;2&lt;/b&gt;. Next: Look.</p>"
    )
    assert paragraph(1) == _untypeset("<p>1</p>")
    needs = Needs(0.1, 0.2, 0.8, 90, 60, 2, 180, None)
    assert "<p>Needs: a true gain of" in needs._repr_html_()
    assert "PromptVersion(" in PromptVersion("Hello {{name}}")._repr_html_()


def _untypeset(body: str) -> str:
    return f"<div class='mathjax_ignore tex2jax_ignore'>{body}</div>"


def test_two_prices_in_a_paragraph_are_not_mathematics() -> None:
    """A notebook would typeset "$0.10 to $0.20" of an estimate, were the element not exempt."""
    needs = Needs(0.1, 0.2, 0.8, 90, 60, 2, 180, (0.1, 0.2))
    html = needs._repr_html_()
    assert html.count("&#36;") == 2
    assert html.startswith("<div class='mathjax_ignore tex2jax_ignore'>")


def test_a_prompt_discards_what_never_served(make_lab: Callable[..., Any], tmp_path: Path) -> None:
    """By number, label or version; what serves is refused; saved again it has the next number."""
    lab = make_lab()
    triage = lab.prompt("triage")
    first, second = triage.save("One {{ticket}}"), triage.save("Two {{ticket}}")
    lab.promote(first, env="dev")
    assert triage.discard(second) == second
    assert [version.label for version in triage] == ["v1"]
    assert triage.save("Two {{ticket}}").label == "v3"
    triage.discard("v3")
    with pytest.raises(RegistryError, match="history of dev"):
        triage.discard(1)


def test_a_dict_is_not_messages(make_lab: Callable[..., Any]) -> None:
    """A call's keyword arguments become a version by from_request."""
    request = {"model": "m", "messages": [{"role": "user", "content": "Hello Ada"}]}
    prompt = make_lab().prompt("hello")
    with pytest.raises(VersionError, match="from_request"):
        prompt.save(request)
    saved = prompt.save(PromptVersion.from_request(request, variables={"name": "Ada"}))
    assert saved.label == "v1"
