"""A fall of live quality in simulated worlds: each has one cause, and it is named or unknown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from promptops.analysis.live_quality import mix_shift
from promptops.monitor.live_cause import cause_of_live
from promptops.registry.deployment import DeploymentEntry
from promptops.study.project import Project
from promptops.version import PromptVersion

from .test_drift_day import after, monitor

SINCE = "2026-12-06"


@pytest.fixture
def deployed(tmp_path: Path) -> Iterator[tuple[DeploymentEntry, ...]]:
    """v1, then v2 on the day of the fall."""
    project = Project.open(tmp_path / "p")
    for number in (1, 2):
        project.registry.save("triage", PromptVersion(f"v{number} {{{{x}}}}", model="m"))
        project.registry.promote("triage", number, "prod", author="Ada", force=True, reason="r")
    first, second = project.registry.history("triage", "prod")
    yield (replace(first, at="2026-11-01T00:00:00Z"), replace(second, at=f"{SINCE}T09:00:00Z"))
    project.close()


def test_a_new_version_and_a_probe_that_holds_is_our_deployment_with_its_rollback(
    deployed: tuple[DeploymentEntry, ...],
) -> None:
    found = cause_of_live(SINCE, after(monitor(), range(1, 11)), deployed, None)
    assert found.kind == "deployment"
    assert "prod serves v2 since 2026-12-06 (by Ada)" in found.sentence
    assert found.command == "promptops rollback triage --env prod --if-serving v2"


def test_the_same_version_and_a_probe_that_holds_is_the_inputs_and_what_grew(
    deployed: tuple[DeploymentEntry, ...],
) -> None:
    before = {"en": [1.0] * 90, "fr": [0.0] * 5 + [1.0] * 5}
    since = {"en": [1.0] * 50, "fr": [0.0] * 25 + [1.0] * 25}
    mix = mix_shift(before, since)
    found = cause_of_live(SINCE, after(monitor(), range(1, 11)), deployed[:1], mix)
    assert found.kind == "inputs"
    assert "Grew: fr from 10 to 50 %, quality 50 %." in found.sentence
    assert "20.0 points are other inputs and 0.0 worse answers within them" in found.sentence


def test_a_probe_that_fell_too_has_the_cause_already(deployed: tuple[DeploymentEntry, ...]) -> None:
    file = after(after(monitor(), range(1, 6)), range(6, 12), set(range(6)), who=("m-2", "fp_2"))
    found = cause_of_live(SINCE, file, deployed, None)
    assert found.kind == "provider_model"
    assert found.sentence.startswith(f"the probe fell too (alarm {file.alarms[0]['id']})")


def test_without_a_probe_the_cause_is_unknown_whatever_else_is_known(
    deployed: tuple[DeploymentEntry, ...],
) -> None:
    for probe in (None, monitor(), after(monitor(), range(1, 4))):
        found = cause_of_live(SINCE, probe, deployed, None)
        assert found.kind == "unknown"
        assert "v2 serves since 2026-12-06" in found.sentence


def test_a_deployment_of_another_week_is_not_the_cause(
    deployed: tuple[DeploymentEntry, ...],
) -> None:
    old = (deployed[0], replace(deployed[1], at="2026-11-20T00:00:00Z"))
    assert cause_of_live(SINCE, after(monitor(), range(1, 11)), old, None).kind == "inputs"


def test_mix_and_within_add_up_to_the_fall() -> None:
    before = {"a": [1.0, 1.0, 0.0], "b": [1.0] * 7}
    since = {"a": [0.0, 0.0, 1.0, 0.0], "b": [1.0, 0.0], "c": [0.0, 1.0]}
    mix = mix_shift(before, since)
    fall = 3 / 8 - 9 / 10
    assert mix.by_mix + mix.within == pytest.approx(fall)
