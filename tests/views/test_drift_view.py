"""A monitor in a cell: evidence against its threshold, the alarm's row, and no markup of a name."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptops.lab import Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def watched(make_lab: Callable[..., Any]) -> Any:
    """A monitor that has alarmed on its third day."""
    wrong: set[str] = set()

    def answer(request: dict[str, Any]) -> str:
        said = request["messages"][-1]["content"]
        return HOSTILE if said in wrong else said

    lab = make_lab(models={"m": ScriptedModel(answer)})
    version = lab.prompt("triage").save("{{number}}", model="m")
    lab.promote(version, env="prod", force=True, reason="first")
    rows = [{"id": f"e{i}{HOSTILE}", "number": str(i), "expected": str(i)} for i in range(20)]
    monitor = lab.watch("triage", env="prod", probe=rows, scorers=["equals()"])
    for day in (1, 2):
        monitor.run(f"2099-12-{day:02}")
    wrong.update(str(i) for i in range(15))
    return monitor.run("2099-12-03")


def test_a_cell_shows_the_evidence_its_bar_the_alarm_and_its_state(watched: Any) -> None:
    html = watched._repr_html_()
    assert "threshold 365" in html
    assert "since 2099-12-03" in html
    assert "changed the behaviour under the same name" in html
    assert "triage.prod: alarm" in html
    assert "<script" not in html.replace("<style", "")
    watched.acknowledge(watched.alarms["alarm"][0], reason=f"known {HOSTILE}")
    html = watched._repr_html_()
    assert "triage.prod: quiet" in html
    assert "acknowledged by" in html
    assert "<script" not in html


def test_the_report_and_the_dashboard_show_it(watched: Any) -> None:
    """Of the report's own prompt alone, with what was deployed and the alarm."""
    from promptops.views.drift_view import monitors_html
    from promptops.views.report import report_html

    project = watched.project
    lab = Lab(project.root, models={"m": ScriptedModel(lambda request: "1")})
    for name in ("triage", "other"):
        version = lab.prompt(name).save("Say {{number}}", model="m")
        rows = [{"id": "e", "number": "1", "expected": "1"}]
        study = lab.evaluate([version], rows, [equals()], name=f"of {name}").wait()
        page = report_html(study)
        shown = name == "triage"
        assert ("<h2>Drift monitors</h2>" in page) is shown
        assert ("since 2099-12-03" in page) is shown
        assert ("threshold 365" in page) is shown
        assert "<script>alert" not in page
    assert "since 2099-12-03" in monitors_html(project)
    lab.project.close()


def test_rows_repr_and_the_plotly_figure_say_the_same(watched: Any) -> None:
    assert watched.status == "alarm"
    assert repr(watched).startswith("ALARM: triage in prod")
    assert list(watched.frame["mean"]) == [1.0, 1.0, 0.25]
    [row] = watched.alarms.to_dict("records")
    assert (row["before"], row["now"], row["state"]) == (1.0, 0.25, "open")
    figure = watched.figure()
    assert list(figure.data[0].y) == [max(e, 0.1) for e in watched.frame["evidence"]]
    assert figure.layout.title.text == "triage.prod: 100 to 25 % since 2099-12-03"
    assert [note.text for note in figure.layout.annotations] == ["since 2099-12-03"]


def test_numbers_of_the_scale_are_read_as_people_write_them(watched: Any) -> None:
    """No exponent, and at most eight numbers, however strong the evidence."""
    from dataclasses import replace

    from promptops.views.drift_view import evidence_picture

    file = watched.file
    last = replace(file.series[0].days[-1], evidence=1e12)
    strong = replace(file.series[0], days=(*file.series[0].days[:-1], last))
    picture = evidence_picture(watched.project, file, strong, 365)
    numbers = re.findall(r"text-anchor='end'[^>]*>([0-9][^<]*)<", picture)
    assert numbers[-1] == "2099-12-03", "the last day, below the plot"
    assert numbers[:-1] == [
        "0.1",
        "10",
        "1,000",
        "100k",
        "10M",
        "1B",
        "100B",
    ]


def test_the_head_of_the_dashboard_tells_known_alarms_from_new_ones(watched: Any) -> None:
    from promptops.views.dashboard_head import head_html

    assert "1 monitor is alarmed: see Watch" in head_html(watched.project, writes=True)
    watched.acknowledge(watched.alarms["alarm"][0], reason="known")
    head = head_html(watched.project, writes=True)
    assert "alarmed" not in head
    assert "1 monitor with an acknowledged alarm: see Watch" in head


def test_a_canary_is_marked_with_its_own_version(watched: Any) -> None:
    from dataclasses import replace

    from promptops.registry.deployment import Canary
    from promptops.views.drift_view import _step

    [first] = watched.project.registry.history("triage", "prod")
    begun = replace(first, kind="canary", canary=Canary(3, "p1-3", 20))
    assert (_step(first), _step(begun)) == ("promote v1", "canary v3 at 20 %")


def test_deployments_within_the_days_are_marked(watched: Any) -> None:
    from promptops.views.drift_view import evidence_picture

    file = watched.file
    today = watched.project.registry.history("triage", "prod")[0].at[:10]
    from dataclasses import replace

    days = tuple(
        replace(day, day=moved)
        for day, moved in zip(file.series[0].days, ("2026-01-01", today, "2099-01-01"), strict=True)
    )
    moved = replace(file, series=(replace(file.series[0], days=days),))
    picture = evidence_picture(watched.project, moved, moved.series[0], 365)
    assert "promote v1" in picture
    assert "promote v1" not in evidence_picture(watched.project, file, file.series[0], 365)


def test_watching_the_same_again_asks_nothing_and_reads_what_a_job_counted(
    watched: Any, tmp_path: Path
) -> None:
    before = Path(watched.path).read_bytes()
    rows = [{"id": f"e{i}{HOSTILE}", "number": str(i), "expected": str(i)} for i in range(20)]
    from promptops.lab import Lab

    other = Lab(watched.project.root, models={"m": ScriptedModel([])})
    again = other.watch(other.prompt("triage"), env="prod", probe=rows, scorers=["equals()"])
    other.project.close()
    assert again.status == "alarm"
    assert Path(watched.path).read_bytes() == before


def test_the_dashboard_shows_every_monitor_and_one_that_cannot_be_read(watched: Any) -> None:
    from promptops.lab import Lab
    from promptops.views.drift_view import monitors_html

    broken = Path(watched.path).with_name("other.prod.json")
    broken.write_text("{", encoding="utf-8")
    html = monitors_html(watched.project)
    assert "triage.prod: 100 to 25 % since 2099-12-03" in html
    assert "other.prod.json is not a monitor" in html
    lab = Lab(watched.project.root)
    board = lab.dashboard()
    assert board.open("Watch").static() == html
    assert "triage.prod: 100 to 25 % since 2099-12-03" in board.static()
    lab.project.close()
    assert "threshold 730" in html, "the one that cannot be read counts as a monitor"
    for path in (broken, Path(watched.path)):
        path.unlink()
    assert "Nothing is watched yet" in monitors_html(watched.project)


def test_the_evidence_is_drawn_in_two_widths_of_which_a_page_shows_one(watched: Any) -> None:
    """A broad page is used, and letters keep their size."""
    from promptops.views.theme import STYLE

    html = watched._repr_html_()
    slim, broad = (
        re.findall(rf"<div class='po-{name}'><svg[^>]* viewBox='0 0 (\d+) 240'", html)
        for name in ("slim", "broad")
    )
    assert len(slim) == len(broad) == 1
    assert int(slim[0]) < 720 < 1000 < int(broad[0]) <= 1280
    wide = STYLE.partition("@container (min-width:1000px){")[2].partition("}}")[0]
    assert ".po .po-broad{display:block}.po .po-slim{display:none" in wide
    assert ".po .po-broad{display:none}.po .po-broad svg{max-width:none}" in STYLE
