"""Law: the gate cannot be skipped silently (G8): evidence counts for one content, incumbent, policy
and dataset, or not at all.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promptops import Conflict, PromptVersion, Refused
from promptops.evidence import Evidence
from promptops.policy import Guardrail, Policy
from promptops.registry.editor import Editor
from promptops.registry.needs import FOLDER, Need, write

V = [PromptVersion(f"Version {number}: {{{{ticket}}}}") for number in range(1, 5)]
NAME = "support-triage"
POLICY = Policy(min_n=10, must_pass=("e3",), dataset="ds1-abc", min_score=0.6)
VERDICT = {"decision": "promote", "reasons": ["it leads"], "next": []}


def evidence(
    candidate: PromptVersion,
    baseline: PromptVersion | None,
    policy: Policy = POLICY,
    **changed: Any,
) -> Evidence:
    n = 20
    scores = {
        "exact": {
            "candidate": (1.0,) * n,
            **({"baseline": (0.0,) * 15 + (1.0,) * 5} if baseline else {}),
        }
    }
    values: dict[str, Any] = {
        "prompt": NAME,
        "candidate": candidate.id,
        "baseline": baseline.id if baseline else None,
        "dataset": {"name": "tickets", "fingerprint": "ds1-abc", "split": "test"},
        "study": "study-1",
        "policy": policy.document(),
        "primary": "exact",
        "examples": tuple(f"e{index}" for index in range(n)),
        "scores": scores,
        "counts": {"candidate": {"attempted": n, "scored": n, "failed": 0}},
        "scorers": {"exact": {"version": "1", "kind": "assertion", "calibrated": False}},
        "figures": {},
        "verdict": VERDICT,
    }
    return Evidence(**{**values, **changed})


@pytest.fixture
def editor(tmp_path: Path) -> Editor:
    editor = Editor(tmp_path / "promptops.json")
    for version in V:
        editor.save(NAME, version)
    editor.set_policy(POLICY)
    editor.promote(NAME, 1, "prod", evidence=evidence(V[0], None), author="ann")
    return editor


def refused(editor: Editor, given: Evidence | None, number: int = 2) -> tuple[str, ...]:
    before = Path(editor.path).read_bytes()
    with pytest.raises(Refused) as caught:
        editor.promote(NAME, number, "prod", evidence=given, author="ann")
    assert Path(editor.path).read_bytes() == before
    assert all(point in str(caught.value) and "Next: " in point for point in caught.value.reasons)
    return caught.value.reasons


def test_evidence_that_carries_it_promotes_and_is_committed_beside(editor: Editor) -> None:
    """A good bundle promotes; its digest is in the deployment and it is read back from beside
    the registry.
    """
    given = evidence(V[1], V[0])
    done = editor.promote(NAME, 2, "prod", evidence=given, author="bob", reason="better")
    assert (done.number, done.evidence, done.forced) == (2, given.digest, False)
    assert Evidence.read(Path(editor.path), given.digest).digest == given.digest


def test_no_evidence(editor: Editor) -> None:
    """Nothing measured, nothing promoted; the message names the incumbent to beat."""
    assert "against v1, which serves prod" in refused(editor, None)[0]


def test_evidence_for_other_content(editor: Editor) -> None:
    """Evidence for v3 does not promote v2, even when only one character differs."""
    assert "for other content" in refused(editor, evidence(V[2], V[0]))[0]


def test_evidence_about_another_prompt(editor: Editor) -> None:
    """The same content under another name is another prompt."""
    assert "about the prompt 'other'" in refused(editor, evidence(V[1], V[0], prompt="other"))[0]


def test_evidence_against_a_former_incumbent(editor: Editor) -> None:
    """Once somebody else promoted, evidence against the version before does not count; who and when
    is reported.
    """
    stale = evidence(V[2], V[0])
    editor.promote(NAME, 2, "prod", evidence=evidence(V[1], V[0]), author="bob")
    reasons = refused(editor, stale, number=3)
    assert len(reasons) == 1
    assert "serves v2 since" in reasons[0]
    assert "by bob" in reasons[0]


def test_evidence_of_a_first_deployment_does_not_replace_an_incumbent(editor: Editor) -> None:
    """Alone is not better: with an incumbent the evidence must be against it; without one, against
    nothing.
    """
    assert "against nothing" in refused(editor, evidence(V[1], None))[0]
    with pytest.raises(Refused, match="serves nothing yet"):
        editor.promote(NAME, 2, "staging", evidence=evidence(V[1], V[0]), author="ann")


def test_stale_dataset(editor: Editor) -> None:
    """Another fingerprint than the policy's is another dataset."""
    given = evidence(
        V[1], V[0], dataset={"name": "tickets", "fingerprint": "ds1-old", "split": "test"}
    )
    assert "another dataset" in refused(editor, given)[0]


def test_another_policy(editor: Editor) -> None:
    """What was decided under a softer policy is not what the registry asks for."""
    for softer in (
        Policy(alpha=0.2),
        replace(POLICY, goal="not_worse"),
        replace(POLICY, guardrails=(Guardrail("cost"),)),
    ):
        assert any(
            "another policy" in reason for reason in refused(editor, evidence(V[1], V[0], softer))
        )
    assert any(
        "another policy" in reason
        for reason in refused(editor, replace(evidence(V[1], V[0]), policy={"no": "policy"}))
    )
    named = evidence(
        V[1], V[0], replace(POLICY, primary="exact")
    )  # the study's own choice, where the registry leaves it open
    assert editor.promote(NAME, 2, "prod", evidence=named, author="ann").changed


def test_a_named_primary_is_held(editor: Editor) -> None:
    """Where the policy names its primary, evidence decided on another scorer does not count."""
    editor.set_policy(replace(POLICY, primary="cites_sources"))
    given = evidence(V[1], V[0], replace(POLICY, primary="exact"))
    assert any("another policy" in reason for reason in refused(editor, given))


def test_a_failing_verdict_is_told_check_by_check(editor: Editor) -> None:
    """Every check that did not pass, with its next honest step."""
    verdict = {
        "decision": "inconclusive",
        "checks": [
            {
                "name": "exact",
                "status": "unproven",
                "text": "Not settled.",
                "next": "37 more examples would settle it.",
            },
            {"name": "cost", "status": "fail", "text": "Cost is worse.", "next": ""},
            {"name": "n", "status": "pass", "text": "fine", "next": ""},
        ],
    }
    assert refused(editor, evidence(V[1], V[0], verdict=verdict)) == (
        "Not settled. Next: 37 more examples would settle it.",
        "Cost is worse. Next: improve v2, or add examples.",
    )
    plain = {
        "decision": "reject",
        "reasons": ["It is worse."],
        "next": ["Look at the lost examples first."],
    }
    assert refused(editor, evidence(V[1], V[0], verdict=plain)) == (
        "It is worse. Next: look at the lost examples first.",
    )


def test_numbers_are_counted_again_from_the_scores(editor: Editor) -> None:
    """A verdict that says promote does not help where the bundle's own scores fall short."""
    few = evidence(
        V[1],
        V[0],
        scores={"exact": {"candidate": (1.0,) * 8 + (None,) * 12, "baseline": (0.0,) * 20}},
    )
    assert "add 2 more examples" in refused(editor, few)[0]
    fails = evidence(
        V[1],
        V[0],
        scores={"exact": {"candidate": (1.0,) * 3 + (0.0,) + (1.0,) * 16, "baseline": (1.0,) * 20}},
    )
    assert "fails the must-pass example 'e3'" in refused(editor, fails)[0]
    absent = evidence(V[1], V[0], examples=tuple(f"x{index}" for index in range(20)))
    assert "'e3' has no score" in refused(editor, absent)[0]
    cut = evidence(V[1], V[0], scores={"exact": {"candidate": (1.0,), "baseline": (0.0,)}})
    assert "no score of its primary" in refused(editor, cut)[0]
    alone = evidence(V[1], V[0], scores={"exact": {"candidate": (1.0,) * 20}})
    assert "no scores of its baseline" in refused(editor, alone)[0]


def test_a_first_deployment_has_a_least_score(editor: Editor) -> None:
    """min_score holds for the mean of a first deployment, counted here."""
    low = evidence(V[1], None, scores={"exact": {"candidate": (1.0,) * 10 + (0.0,) * 10}})
    with pytest.raises(Refused, match=r"scores 0.500 on exact, a first deployment needs 0.6"):
        editor.promote(NAME, 2, "staging", evidence=low, author="ann")


def test_a_judge_alone_does_not_decide(editor: Editor) -> None:
    """S12: an uncalibrated judge as the primary needs the policy's leave."""
    judged = {"scorers": {"exact": {"version": "1", "kind": "judge", "calibrated": False}}}
    assert "is a judge" in refused(editor, evidence(V[1], V[0], **judged))[0]
    calibrated = {"scorers": {"exact": {"version": "1", "kind": "judge", "calibrated": True}}}
    assert editor.promote(
        NAME, 2, "prod", evidence=evidence(V[1], V[0], **calibrated), author="ann"
    ).changed


def test_every_unmet_point_is_in_one_message(editor: Editor) -> None:
    """Nobody is sent away twice for what could be said at once."""
    editor.set_policy(replace(POLICY, stages=("staging",)))
    given = evidence(
        V[2],
        None,
        dataset={"fingerprint": "ds1-old"},
        verdict={"decision": "reject", "reasons": ["Worse."], "next": []},
    )
    reasons = refused(editor, given)
    for said in (
        "has not served staging",
        "other content",
        "against nothing",
        "another policy",
        "another dataset",
        "Worse.",
    ):
        assert any(said in reason for reason in reasons), said


def test_a_point_that_the_verdict_makes_is_not_made_again_from_the_scores(editor: Editor) -> None:
    """One fault is one point, in the verdict's words; under another policy both are told."""
    says = "v2 fails the must-pass example 'e3', which v1 passes."
    check = {"name": "must_pass", "status": "fail", "text": says, "next": "Fix 'e3' first."}
    fewer = {"name": "n", "status": "unproven", "text": "8 pairs, 10 asked.", "next": "Add 2."}
    given = evidence(
        V[1],
        V[0],
        scores={
            "exact": {
                "candidate": (1.0,) * 3 + (0.0,) + (1.0,) * 4 + (None,) * 12,
                "baseline": (1.0,) * 20,
            }
        },
        verdict={"decision": "reject", "reasons": [says], "next": [], "checks": [check, fewer]},
    )
    assert refused(editor, given) == (
        f"{says} Next: fix 'e3' first.",
        "8 pairs, 10 asked. Next: add 2.",
    )
    editor.set_policy(replace(POLICY, margin=0.1))
    assert any("scored examples, the policy asks for 10" in one for one in refused(editor, given))


def test_a_declared_path_is_walked_in_order(editor: Editor) -> None:
    """staging before prod: the version itself must have served there, and not have been rolled
    back.
    """
    policy = replace(POLICY, stages=("staging", "prod"))
    editor.set_policy(policy)
    assert "has not served staging" in refused(editor, evidence(V[1], V[0], policy))[0]
    editor.promote(NAME, 1, "staging", evidence=evidence(V[0], None, policy), author="ann")
    editor.promote(NAME, 2, "staging", evidence=evidence(V[1], V[0], policy), author="ann")
    editor.rollback(NAME, "staging", author="ann")
    assert "has not served staging" in refused(editor, evidence(V[1], V[0], policy))[0]
    editor.promote(
        NAME, 2, "staging", evidence=evidence(V[1], V[0], policy), author="ann", override="fixed"
    )
    assert editor.promote(
        NAME, 2, "prod", evidence=evidence(V[1], V[0], policy), author="ann"
    ).changed


def test_forcing_needs_a_reason_and_is_marked_for_ever(editor: Editor) -> None:
    """Without a reason it is refused; with one, the history keeps the mark, the reason and what the
    gate had said.
    """
    with pytest.raises(Refused, match="needs a reason"):
        editor.promote(NAME, 2, "prod", author="ann", force=True, reason="  ")
    done = editor.promote(NAME, 2, "prod", author="ann", force=True, reason="incident 7")
    assert done.forced
    assert "no evidence" in done.unmet[0]
    editor.promote(NAME, 3, "prod", evidence=evidence(V[2], V[1]), author="ann")
    kept = editor.history(NAME, "prod")[1]
    assert (kept.forced, kept.reason, kept.unmet) == (True, "incident 7", done.unmet)
    unneeded = editor.promote(
        NAME,
        4,
        "prod",
        evidence=evidence(V[3], V[2]),
        author="ann",
        force=True,
        reason="to be safe",
    )
    assert not unneeded.forced  # the gate had nothing against it


def test_dev_asks_for_nothing_and_only_what_the_policy_names(editor: Editor) -> None:
    """`ungated` names the environments without a gate; dev by default, none if the policy says
    so.
    """
    assert editor.promote(NAME, 2, "dev", author="ann").changed
    editor.set_policy(Policy(ungated_environments=()))
    with pytest.raises(Refused, match="no evidence"):
        editor.promote(NAME, 3, "dev", author="ann")


def test_the_same_data_do_not_promote_twice_what_was_rolled_back(editor: Editor) -> None:
    """Decision 12: the same outcomes, whatever the bundle's date or baseline, are not new evidence;
    new outcomes are.
    """
    editor.promote(NAME, 2, "prod", evidence=evidence(V[1], V[0]), author="ann")
    editor.rollback(NAME, "prod", author="eve")
    before = Path(editor.path).read_bytes()
    for again in (
        evidence(V[1], V[0]),
        evidence(V[1], V[0], made_at="2099-01-01T00:00:00+00:00"),
        None,
    ):
        with pytest.warns(UserWarning, match="rolled back by eve"):
            assert not editor.promote(NAME, 2, "prod", evidence=again, author="ann").changed
    assert Path(editor.path).read_bytes() == before
    other = {"exact": {"candidate": (1.0,) * 19 + (0.5,), "baseline": (0.0,) * 20}}
    with pytest.warns(
        UserWarning, match="rolled back by eve"
    ):  # measured before it was rolled back
        editor.promote(
            NAME,
            2,
            "prod",
            evidence=evidence(V[1], V[0], scores=other, made_at="2020-01-01T00:00:00+00:00"),
            author="ann",
        )
    new = evidence(V[1], V[0], scores=other, made_at="2099-01-01T00:00:00+00:00")
    assert editor.promote(NAME, 2, "prod", evidence=new, author="ann").changed


def test_all_cells_run_again_leave_the_file_as_it_is(editor: Editor) -> None:
    """Decision 12: promote v1, promote v2, run both again: v1's data served already, so nothing
    changes and a warning says so.
    """
    editor.promote(NAME, 2, "prod", evidence=evidence(V[1], V[0]), author="ann")
    before = Path(editor.path).read_bytes()
    with pytest.warns(
        UserWarning, match=r"v1 served here on the same data until .* v2 serves since"
    ):
        assert not editor.promote(
            NAME,
            1,
            "prod",
            evidence=evidence(V[0], V[1], verdict={"decision": "reject"}),
            author="ann",
        ).changed
    assert not editor.promote(NAME, 2, "prod", evidence=evidence(V[1], V[1]), author="ann").changed
    assert Path(editor.path).read_bytes() == before


def test_a_canary_passes_the_same_gate(editor: Editor) -> None:
    """A share of production is production."""
    with pytest.raises(Refused, match="no evidence"):
        editor.promote(NAME, 2, "prod", author="ann", percent=10)
    given = evidence(V[1], V[0])
    editor.promote(NAME, 2, "prod", evidence=given, author="ann", percent=10)
    assert editor.finish(NAME, "prod", author="ann").evidence == given.digest


def test_promoting_a_running_canary_finishes_it(editor: Editor) -> None:
    """The same evidence carries it on to everyone: that is not a repetition."""
    given = evidence(V[1], V[0])
    editor.promote(NAME, 2, "prod", evidence=given, author="ann", percent=10)
    done = editor.promote(NAME, 2, "prod", evidence=given, author="ann")
    assert (done.number, done.kind, done.canary, done.changed) == (2, "promote", None, True)


def test_a_conflict_leaves_no_bundle_behind(
    editor: Editor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Evidence is committed with the deployment that cites it, not by an attempt that came
    second.
    """
    append = editor.chains.append

    def late(*args: Any) -> Any:
        Editor(editor.path).promote(NAME, 3, "prod", author="bob", force=True, reason="first")
        return append(*args)

    monkeypatch.setattr(editor.chains, "append", late)
    given = evidence(V[1], V[0])
    with pytest.raises(Conflict, match="bob"):
        editor.promote(NAME, 2, "prod", evidence=given, author="ann")
    assert not list(Path(editor.path).parent.glob(f"promptops.evidence/{given.digest[:32]}*"))


def test_a_registered_consumer_is_not_broken(editor: Editor) -> None:
    """A version that needs what an application does not supply, or answers in another shape, is
    refused by name.
    """
    folder = Path(editor.path).parent / FOLDER
    schema = {
        "type": "object",
        "required": ["user_id"],
        "properties": {"user_id": {"type": "string"}},
    }
    assert write(
        str(folder / "checkout.json"),
        "checkout-service",
        [Need.of(NAME, {"ticket": "string"}, schema)],
    )
    assert not write(
        str(folder / "checkout.json"),
        "checkout-service",
        [Need.of(NAME, {"ticket": "string"}, schema)],
    )
    asks = PromptVersion("{{ticket}} {{tone}}")
    lacks = PromptVersion("nothing to fill")
    form = {
        "type": "json_schema",
        "json_schema": {
            "name": "a",
            "schema": {"type": "object", "properties": {"user_id": {"type": "integer"}}},
        },
    }
    shape = PromptVersion("{{ticket}}", response_format=form)
    for version, said in (
        (asks, "needs {{tone}}"),
        (lacks, "does not know 'ticket'"),
        (shape, "may leave out user_id"),
    ):
        number = editor.save(NAME, version)
        reasons = refused(editor, evidence(version, V[0]), number)
        assert any(said in reason and "checkout-service" in reason for reason in reasons), reasons
    fine = PromptVersion(
        "{{ticket}} {{tone}}", variables={"tone": {"type": "string", "default": "calm"}}
    )
    number = editor.save(NAME, fine)
    assert editor.promote(NAME, number, "prod", evidence=evidence(fine, V[0]), author="ann").changed


def test_a_bundle_stays_small() -> None:
    """500 examples x 3 scorers: at most 100 kB."""
    n = 500
    side = tuple(round(index / n, 3) for index in range(n))
    big = evidence(
        V[1],
        V[0],
        examples=tuple(f"ticket-{index:05d}" for index in range(n)),
        scores={
            name: {"candidate": side, "baseline": side} for name in ("exact", "json_has", "similar")
        },
    )
    assert len(json.dumps(big.document())) <= 100_000
