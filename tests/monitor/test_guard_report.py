"""The guard over live calls of a running canary: it ends what is worse, decides nothing without
users' keys, and never widens.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from promptops.errors import RegistryError
from promptops.monitor.guard import GuardLimits, LiveOutcome, end_canary, guard
from promptops.study.project import Project
from promptops.version import PromptVersion

LATER = "2099-01-01T00:00:00"


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Project]:
    """v1 serves prod, v2 is its canary for a tenth of the keys."""
    project = Project.open(tmp_path / "p")
    for number in (1, 2):
        project.registry.save("triage", PromptVersion(f"v{number} {{{{x}}}}", model="m"))
    force = {"author": "Ada", "force": True, "reason": "first"}
    project.registry.promote("triage", 1, "prod", **force)
    project.registry.promote("triage", 2, "prod", percent=10, **force)
    yield project
    project.close()


def calls(
    project: Project,
    canary: tuple[float, float],
    stable: tuple[float, float],
    *,
    users: int = 1000,
    keyed: bool = True,
    before: int = 0,
) -> list[LiveOutcome]:
    """Calls of users, a tenth of them with the canary. canary, stable: (quality, share that does
    not fail); before: calls of the stable version in the year before.
    """
    one, two = (entry.id for entry in project.registry.versions("triage"))
    rng = np.random.default_rng(4)
    found = [
        LiveOutcome("early", one, "2001-01-01T00:00:00", False, 100.0 + i, 0.01)
        for i in range(before)
    ]
    for user in range(users):
        mine = user % 10 == 0
        quality, well = canary if mine else stable
        found += [
            LiveOutcome(
                f"u{user}" if keyed else None,
                two if mine else one,
                LATER,
                bool(rng.random() > well),
                500.0 if mine else 150.0,
                0.01,
                float(rng.random() < quality),
            )
            for _ in range(1 + user % 3)
        ]
    return found


def test_equal_arms_go_on_and_the_report_says_what_it_has_seen(serving: Project) -> None:
    found = guard(serving, "triage", "prod", calls(serving, (0.9, 1), (0.9, 1)), GuardLimits())
    assert (found.decision, found.exit_code) == ("keep", 0)
    head, seen, quality, failures = found.lines()
    assert "v2 goes on" in head
    assert "10.0 % of them by the canary (10 % of the keys are its own), 100 % with a user" in seen
    assert quality.startswith("  quality: ")
    assert "100.0 % over 100 canary users" in failures


def test_a_canary_of_worse_quality_is_ended_with_its_reason_in_the_history(
    serving: Project,
) -> None:
    found = guard(serving, "triage", "prod", calls(serving, (0.5, 1), (0.9, 1)), GuardLimits())
    assert (found.decision, found.exit_code) == ("abort", 1)
    assert "everyone in prod gets v1 again" in end_canary(serving, found)
    last = serving.registry.history("triage", "prod")[-1]
    assert (last.kind, last.number, last.canary) == ("rollback", 1, None)
    assert last.reason.startswith("guard: worse on quality (evidence ")
    again = guard(serving, "triage", "prod", calls(serving, (0.5, 1), (0.9, 1)), GuardLimits())
    assert (again.decision, again.exit_code) == ("nothing", 0)


def test_failures_alone_abort(serving: Project) -> None:
    found = guard(serving, "triage", "prod", calls(serving, (0.9, 0.5), (0.9, 1)), GuardLimits())
    assert [each.name for each in found.measures if each.aborts] == ["failures"]


def test_latency_is_judged_against_the_calls_before_or_a_limit_of_yours(
    serving: Project,
) -> None:
    few = guard(serving, "triage", "prod", calls(serving, (1, 1), (1, 1)), GuardLimits())
    assert "latency" not in {each.name for each in few.measures}
    before = calls(serving, (1, 1), (1, 1), before=200)
    found = guard(serving, "triage", "prod", before, GuardLimits())
    assert found.limits.latency_ms == 289
    assert [each.name for each in found.measures if each.aborts] == ["latency"]
    loose = guard(serving, "triage", "prod", before, GuardLimits(latency_ms=600))
    assert loose.decision == "keep"


def test_without_keys_nothing_is_decided_however_bad_it_looks(serving: Project) -> None:
    worse = calls(serving, (0.1, 0.1), (1, 1), keyed=False)
    found = guard(serving, "triage", "prod", worse, GuardLimits())
    assert (found.decision, found.exit_code) == ("report", 2)
    assert "only 0% of the calls carry a user's key" in found.lines()[0]
    assert found.measures == ()


def test_no_call_and_no_canary_are_said(serving: Project) -> None:
    found = guard(serving, "triage", "prod", [], GuardLimits())
    assert (found.decision, found.exit_code) == ("report", 2)
    assert "no live call" in found.note
    serving.registry.abort("triage", "prod", author="Ada")
    gone = guard(serving, "triage", "prod", [], GuardLimits())
    assert gone.lines() == ["nothing to guard: no canary of triage runs in prod."]


def test_an_arm_without_a_call_is_not_taken_for_well(serving: Project) -> None:
    """A canary whose users fail before the model is asked makes no call at all."""
    found = calls(serving, (0.9, 1), (0.9, 1))
    one, two = (entry.id for entry in serving.registry.versions("triage"))
    for version, silent in ((one, "v2"), (two, "v1")):
        alone = [each for each in found if each.version == version]
        report = guard(serving, "triage", "prod", alone, GuardLimits())
        assert (report.decision, report.exit_code) == ("report", 2)
        assert f"no live call of {silent} is recorded" in report.lines()[0]


def test_a_widened_canary_is_judged_since_it_began(serving: Project) -> None:
    began = serving.registry.history("triage", "prod")[-1].at
    serving.registry.widen("triage", "prod", 50, author="Ada")
    found = guard(serving, "triage", "prod", calls(serving, (0.9, 1), (0.9, 1)), GuardLimits())
    assert found.since == began.removesuffix("Z")
    assert found.percent == 50


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anything")
def test_where_the_file_cannot_be_written_the_command_is_said(serving: Project) -> None:
    found = guard(serving, "triage", "prod", calls(serving, (0.5, 1), (0.9, 1)), GuardLimits())
    folder = Path(serving.registry.path).parent
    folder.chmod(0o500)
    try:
        with pytest.raises(RegistryError, match="promptops canary abort triage --env prod"):
            end_canary(serving, found)
    finally:
        folder.chmod(0o700)


def test_a_canary_that_is_gone_meanwhile_is_said_with_the_command(serving: Project) -> None:
    found = guard(serving, "triage", "prod", calls(serving, (0.5, 1), (0.9, 1)), GuardLimits())
    serving.registry.abort("triage", "prod", author="Ada")
    with pytest.raises(RegistryError, match="was not ended"):
        end_canary(serving, found)
