"""What served when: an axis that is to scale, so that a minute and a year do not look alike."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from promptops.registry.deployment import DeploymentEntry
from promptops.views.time_axis import time_axis

NOW = datetime(2026, 12, 31, tzinfo=UTC)


def widths(*starts: str) -> list[float]:
    """Widths of the segments of deployments that began then."""
    entries = [
        DeploymentEntry("triage", "prod", place, "promote", place, f"v{place}", at, "Ada", "d")
        for place, at in enumerate(starts, 1)
    ]
    shown = time_axis(entries, "what served", NOW)
    return [float(width) for width in re.findall(r"<rect [^>]*?width='([\d.]+)'", shown)]


def test_a_segment_is_as_long_as_its_version_served() -> None:
    """Half a year beside a quarter is twice as wide, apart from the least width of each."""
    first, second, third = widths(
        "2026-01-01T00:00:00Z", "2026-07-01T00:00:00Z", "2026-09-30T00:00:00Z"
    )
    assert first / second == pytest.approx(181 / 91, rel=0.03)
    assert second / third == pytest.approx(91 / 92, rel=0.03)


def test_a_minute_is_seen_beside_a_year() -> None:
    """It keeps a width that can be seen, and no more."""
    _, minute, _ = widths("2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z", "2026-06-01T00:01:00Z")
    assert 3 <= minute < 6


def test_one_deployment_has_no_axis() -> None:
    """There is nothing to put in order."""
    assert widths("2026-01-01T00:00:00Z") == []
