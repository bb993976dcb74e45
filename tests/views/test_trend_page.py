"""The page of scores over time: one column per study, and names that do not cover each other."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest

from promptops.study.project import Project
from promptops.views import trend_page

# a study a month ago, then a busy afternoon
STUDIES = ["2026-10-29 09:00", *(f"2026-11-29 14:0{minute}" for minute in range(8))]


def page(
    monkeypatch: pytest.MonkeyPatch, studies: list[str], deployed: list[tuple[str, str]]
) -> str:
    """The page of a prompt whose v1 and v2 were in each of these studies."""
    rows = [
        {
            "created_at": at,
            "study": f"s{number}",
            "version": version,
            "scorer": "equals",
            "mean": mean,
            "low": mean - 0.1,
            "high": mean + 0.1,
            "n": 40,
        }
        for number, at in enumerate(studies)
        for version, mean in (("v1", 0.5), ("v2", 0.6))
    ]
    monkeypatch.setattr(trend_page, "over_time", lambda project, labels: pd.DataFrame(rows))
    links = [SimpleNamespace(at=at, label=label) for at, label in deployed]
    registry = SimpleNamespace(
        names=lambda: ["triage"], versions=lambda name: [], history=lambda name, env: links
    )
    return trend_page.trend_page(cast(Project, cast(Any, SimpleNamespace(registry=registry))))


def points(text: str) -> list[float]:
    return [float(x) for x in re.findall(r"<circle cx='([\d.]+)' cy='(?!12\.)", text)]


def test_studies_of_one_afternoon_stand_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """One step per study, however little time was between them; two versions beside each other."""
    found = points(page(monkeypatch, STUDIES, []))
    assert len(found) == 2 * len(STUDIES)
    assert len(set(found)) == len(found)
    steps = [after - before for before, after in zip(found[::2], found[2::2], strict=False)]
    assert steps == pytest.approx([steps[0]] * len(steps), abs=0.2)
    assert steps[0] > 40


def test_days_or_times_stand_below(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most seven; of one day the times, and the day once."""
    text = page(monkeypatch, STUDIES, [])
    assert ">2026-10-29<" in text
    assert text.count(">2026-11-29<") == 1
    many = [f"2026-11-29 {hour:02}:{minute:02}" for hour in range(24) for minute in (0, 30)]
    text = page(monkeypatch, many, [])
    assert text.count("2026-11-29 UTC") == 1
    assert len(re.findall(r"text-anchor='middle'[^>]*>\d\d:\d\d<", text)) == 7


def test_what_was_deployed_stands_between_the_studies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that would touch are one below the other; what was before the first study is left
    out.
    """
    deployed = [
        ("2026-01-01T00:00:00Z", "v0"),
        ("2026-11-29T14:03:10Z", "v1"),
        ("2026-11-29T14:03:20Z", "v2"),
        ("2026-11-29T14:03:30Z", "v3"),
    ]
    text = page(monkeypatch, STUDIES, deployed)
    names = re.findall(r"<text x='([\d.]+)' y='(\d+)'[^>]*>(v\d) in prod<", text)
    assert [name for _, _, name in names] == ["v1", "v2", "v3"]
    assert len({y for _, y, _ in names}) == 3
    found = points(text)
    assert found[8] < float(names[0][0]) < found[11]
