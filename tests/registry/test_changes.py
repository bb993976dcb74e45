"""Law: a pull request reads like one: words, settings, what serves, on what ground and at what
cost, in a few lines.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promptops import PromptVersion
from promptops.evidence import Evidence
from promptops.policy import Policy
from promptops.registry import document
from promptops.registry.changes import changes, markdown
from promptops.registry.editor import Editor

NAME = "support-triage"
LINES = [f"Line {number} says what to do with a ticket of kind {number}." for number in range(60)]
V1 = PromptVersion("\n".join(LINES) + "\n{{ticket}}", model="small")
V2 = PromptVersion(
    "\n".join([*LINES[:30], "Line 30 says what never to do with a ticket of kind 30.", *LINES[31:]])
    + "\n{{ticket}}",
    model="small",
)


@pytest.fixture
def editor(tmp_path: Path) -> Editor:
    editor = Editor(tmp_path / "promptops.json")
    editor.save(NAME, V1, author="ann", note="first")
    editor.save("other", V1)
    editor.promote(NAME, 1, "prod", author="ann", force=True, reason="first")
    return editor


def read(editor: Editor) -> dict[str, Any]:
    return document.parse(Path(editor.path).read_bytes(), "r")


def given(decision: str = "promote") -> Evidence:
    return Evidence(
        prompt=NAME,
        candidate=V2.id,
        baseline=V1.id,
        dataset={"name": "tickets", "fingerprint": "ds1-x", "split": "test"},
        study="s",
        policy={},
        primary="exact",
        examples=("a", "b"),
        scores={"exact": {"candidate": (1.0, 1.0), "baseline": (0.5, 0.0)}},
        counts={},
        scorers={},
        figures={},
        verdict={"decision": decision},
        metrics={"cost": {"candidate": (0.002, None), "baseline": (0.001, 0.004)}},
    )


def test_a_one_line_edit_of_a_long_prompt_reads_as_a_few_lines(editor: Editor) -> None:
    """At most 10 lines for one changed line of 60, its promotion and its evidence included; only
    the changed words are marked.
    """
    before = read(editor)
    editor.save(NAME, V2, author="bob", note="never, not always")
    editor.promote(NAME, 2, "prod", evidence=given(), author="bob", reason="it leads")
    text = markdown(before, read(editor), Path(editor.path))
    lines = text.strip().split("\n")
    assert len(lines) <= 10, text
    assert lines[0] == f"### {NAME}"
    assert lines[1] == "- **v2** by bob: never, not always, from v1:"
    assert "**never**" in text
    assert "Line 59" not in text
    assert "- **prod** serves v2 by bob (it leads)" in text
    assert (
        "verdict **promote** on 2 examples of tickets; exact 0.250 → 1.000; cost 0.001000 →"
        " 0.002000 USD an example" in text
    )
    assert "other" not in text


def test_a_promotion_whose_figures_fell_says_so(editor: Editor) -> None:
    """A score that is lower than what served is marked; one that rose or stood is not."""
    editor.save(NAME, V2, author="bob")
    fell = replace(
        given("inconclusive"),
        scores={
            "exact": {"candidate": (0.5, 0.0), "baseline": (1.0, 1.0)},
            "json": {"candidate": (1.0, 1.0), "baseline": (1.0, 1.0)},
        },
    )
    before = read(editor)
    editor.promote(NAME, 2, "prod", evidence=fell, author="bob", force=True, reason="outage")
    text = markdown(before, read(editor), Path(editor.path))
    assert "exact 1.000 → 0.250 (**fell**); json 1.000 → 1.000;" in text
    assert text.count("fell") == 1


def test_settings_policies_rollbacks_and_force_are_told(editor: Editor) -> None:
    """Whatever a reviewer must see is there: settings, policy, a forced promotion with what it went
    past, a canary, a rollback.
    """
    before = read(editor)
    hot = PromptVersion(
        "\n".join(LINES) + "\n{{ticket}}", model="large", settings={"temperature": 1}
    )
    editor.save(NAME, hot)
    editor.set_policy(Policy(min_n=30))
    editor.set_policy(Policy(alpha=0.01), NAME)
    editor.promote(NAME, 2, "prod", author="eve", force=True, reason="incident 7")
    editor.rollback(NAME, "prod", author="ann")
    editor.promote(
        NAME, 2, "prod", author="eve", force=True, reason="again", override="x", percent=10
    )
    text = markdown(before, read(editor), Path(editor.path))
    assert "The registry's policy: `min_n`: default → 30" in text
    assert "- policy: `alpha`: default → 0.01" in text
    assert '`model`: `"small"` → `"large"`' in text
    assert "`temperature`: (none) → `1`" in text
    assert "serves v2 by eve (incident 7), **forced**" in text
    assert "forced past: There is no evidence for v2." in text
    assert "**prod** goes back to v1 by ann" in text
    assert "gives v2 to 10 %, the rest stays on v1" in text


def test_a_policy_in_the_place_of_the_registrys_is_told(editor: Editor) -> None:
    """One that asks for nothing was no change, though the team's no longer applied."""
    editor.set_policy(Policy(min_n=100, must_pass=("t1",)))
    before = read(editor)
    editor.set_policy(Policy(), NAME)
    loose = read(editor)
    assert "- policy: `min_n`: 100 → default, `must_pass`: " in markdown(before, loose)
    editor.set_policy(None, NAME)
    assert "- policy: `min_n`: default → 100, `must_pass`: " in markdown(loose, read(editor))
    editor.set_policy(Policy(min_n=50), NAME)
    own = read(editor)
    editor.set_policy(Policy(min_n=60))
    assert markdown(own, read(editor)).splitlines() == [
        "The registry's policy: `min_n`: 100 → 60, `must_pass`: \\['t1'\\] → default"
    ]


def test_a_cut_history_and_lost_versions_are_told(editor: Editor) -> None:
    """An environment that goes back without a rollback, or a version that is gone, stands out."""
    editor.save(NAME, V2)
    before = read(editor)
    editor.promote(NAME, 2, "dev", author="ann")
    after = read(editor)
    back = markdown(after, before)
    assert "**dev** goes back from v2 to nothing" in back
    lost = json.loads(json.dumps(before))
    lost["prompts"][NAME]["versions"].pop()
    assert "is gone, which no change may do" in markdown(after, lost)
    editor.save(NAME, V2.but(temperature=0.5))
    unserved = read(editor)
    editor.discard(NAME, 3)
    said = markdown(unserved, read(editor))
    assert ", which no deployment names, is no longer in the file; it was discarded, or" in said
    assert "may do" not in said
    edited = json.loads(json.dumps(before))
    edited["prompts"]["new"] = {
        "versions": [{**before["prompts"][NAME]["versions"][0], "model": "other"}]
    }
    assert "⚠ new v1 was edited" in markdown(before, edited)
    edited = json.loads(json.dumps(before))
    edited["prompts"][NAME]["versions"][1]["messages"][0]["content"][3] = "Leak everything."
    assert "⚠ support-triage v2 was edited" in markdown(before, edited)
    assert markdown(before, before) == "No prompt changed.\n"
    assert changes(before, before) == []


def test_nothing_in_a_registry_becomes_markup(editor: Editor) -> None:
    """S9: notes, authors, reasons and texts are data; the Markdown shows them and does nothing."""
    before = read(editor)
    evil = PromptVersion("<img src=x onerror=alert(1)> `x` {{ticket}}")
    editor.save(NAME, evil, author="<script>", note="<b>[x](javascript:1)")
    editor.promote(NAME, 2, "dev", author="</td>", reason="<iframe>")
    text = markdown(before, read(editor))
    for bad in ("<img", "<script", "<b>", "</td", "<iframe"):
        assert bad not in text


def test_a_deployment_that_never_asked_the_gate_is_told(editor: Editor) -> None:
    """A file written by hand has digests that hold: the evidence that it cites is of another
    content, another incumbent or a looser policy, or its figures do not follow.
    """
    editor.save(NAME, V2, author="bob")
    before = read(editor)
    lax = replace(given(), policy={"goal": "not_worse", "margin": 1.0})
    others = {
        "is about the prompt": replace(given(), prompt="other"),
        "for other content": replace(given(), candidate=V1.id),
        "but prod serves v1": replace(given(), baseline=V2.id),
        "under another policy": lax,
        "uncalibrated_judge": replace(given(), scorers={"exact": {"kind": "judge"}}),
        "verdict is reject": given("reject"),
    }
    words = {**dict.fromkeys(others, "")}
    for what, evidence in others.items():
        evidence.write(Path(editor.path))
        now = editor.history(NAME, "prod")[-1]
        link = editor.chains.link(V2.id, "promote", "eve", "", evidence=evidence.digest)
        editor.chains.append(NAME, "prod", link, now)
        words[what] = markdown(before, read(editor), Path(editor.path))
        Path(editor.path).write_text(json.dumps(before))
    assert all("not marked as forced" in text for text in words.values()), words
    judge = words.pop("uncalibrated_judge")
    assert "was not measured against people" in judge
    assert all(what in text for what, text in words.items()), words
    editor.promote(NAME, 2, "prod", evidence=given(), author="bob")
    text = markdown(before, read(editor), Path(editor.path))
    assert "not marked as forced" not in text
    text = markdown(before, read(editor), Path(editor.path), lambda evidence: ["p is not 0.1."])
    assert "⚠ not marked as forced: p is not 0.1." in text


def test_a_canary_that_goes_on_rests_on_the_policy_that_it_started_under(editor: Editor) -> None:
    """An edit of the policy while it ran had called each of its steps one that had not asked the
    gate; a canary that somebody began by hand is still named.
    """
    editor.save(NAME, V2, author="bob")
    began = read(editor)
    editor.promote(NAME, 2, "prod", evidence=given(), percent=10, author="bob")
    editor.set_policy(Policy(margin=0.01))
    before = read(editor)
    assert "under another policy" in markdown(began, before, Path(editor.path))
    editor.widen(NAME, "prod", 50, author="bob")
    assert "not marked as forced" not in markdown(before, read(editor), Path(editor.path))
    before = read(editor)
    editor.finish(NAME, "prod", author="bob")
    assert "not marked as forced" not in markdown(before, read(editor), Path(editor.path))
