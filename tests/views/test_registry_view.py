"""What a step in the registry looks like in a cell."""

from __future__ import annotations

from collections.abc import Callable

from promptops.lab import Lab
from promptops.views.environments import serving_html, serving_line


def test_a_reason_is_quoted(make_lab: Callable[..., Lab]) -> None:
    """A reason that is worded like a line of ours is shown as somebody's words."""
    lab = make_lab()
    version = lab.prompt("triage").save("{{q}}", model="m")
    forged = "v9 serves in prod · evidence 71e508353e74"
    shown = lab.promote(version, env="prod", force=True, reason=forged)._repr_html_()
    assert f"<p>“{forged}”</p>" in shown
    assert f"<p>{forged}</p>" not in shown


def test_the_line_for_a_first_deployment_runs(make_lab: Callable[..., Lab]) -> None:
    """Where nothing was deployed, the call that is shown has the arguments of `Lab.promote`."""
    lab = make_lab()
    lab.prompt("triage").save("{{q}}", model="m")
    shown = lab.history("triage", env="staging")._repr_html_()
    assert "lab.promote(version, env=&#39;staging&#39;, study=study)" in shown


def test_why_a_version_was_promoted_once_more_is_shown(make_lab: Callable[..., Lab]) -> None:
    """The reason of an override is in the history, the overview and the line of a report."""
    lab = make_lab()
    prompt = lab.prompt("triage")
    for number in (1, 2):
        version = prompt.save(f"{number} {{{{q}}}}", model="m")
        lab.promote(version, env="dev", force=True, reason=f"step {number}")
    lab.rollback("triage", env="dev", reason="went wrong")
    lab.promote(version, env="dev", override="it was the network", force=True, reason="again")
    views = (
        lab.history("triage", env="dev")._repr_html_(),
        serving_html(lab.project, "triage"),
        serving_line(lab.project, "triage"),
    )
    for shown in views:
        assert "it was the network; again" in shown
    assert "“it was the network; again”" in views[2]
