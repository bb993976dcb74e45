"""A monitor over simulated days: each counts once, an alarm has its cause, and what could not be
found out is never quiet.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from promptops.dataset import Dataset
from promptops.errors import StudyError
from promptops.monitor.drift_file import MonitorFile, every, path_of
from promptops.monitor.watch import accept, acknowledge, declare, run_day, thresholds
from promptops.run import utc
from promptops.scorers import equals
from promptops.study.project import Project
from promptops.study.queries import studies
from promptops.version import PromptVersion

from .conftest import N, World, open_project


def watch(project: Project, examples: Dataset, **options: Any) -> str:
    """The path of a new monitor."""
    return declare(project, "triage", examples, ["equals()"], env="prod", **options).path


def days(project: Project, path: str, first: int, last: int) -> int:
    """Run December's days; the exit code of the last."""
    code = 0
    for day in range(first, last + 1):
        code = run_day(project, path, f"2026-12-{day:02}").exit_code
    return code


def test_a_day_asks_again_and_a_second_run_of_it_asks_nothing(
    project: Project, world: World, examples: Dataset
) -> None:
    path = watch(project, examples)
    assert world.calls == 10 * N
    assert days(project, path, 1, 1) == 0
    assert world.calls == 11 * N, "yesterday's answers are not news"
    before = Path(path).read_bytes()
    assert days(project, path, 1, 1) == 0
    assert world.calls == 11 * N
    assert Path(path).read_bytes() == before


def test_declaring_again_asks_nothing_and_another_declaration_is_refused(
    project: Project, world: World, examples: Dataset
) -> None:
    path = watch(project, examples)
    before = Path(path).read_bytes()
    assert watch(project, examples) == path
    assert world.calls == 10 * N
    assert Path(path).read_bytes() == before
    with pytest.raises(StudyError, match="watched already"):
        declare(project, "triage", examples[:20], ["equals()"], env="prod")
    with pytest.raises(StudyError, match="watched already"):
        declare(project, "triage", examples, ["contains('yes')"], env="prod")


def test_an_acknowledged_alarm_is_exit_code_0_and_still_there(
    project: Project, world: World, examples: Dataset
) -> None:
    path = watch(project, examples)
    world.wrong = set(range(30))
    assert days(project, path, 1, 1) == 1
    [alarm] = MonitorFile.read(path).alarms
    with pytest.raises(StudyError, match="needs a reason"):
        acknowledge(project, alarm["id"], " ")
    with pytest.raises(StudyError, match="no open alarm"):
        acknowledge(project, "a-00000000", "seen")
    acknowledge(project, alarm["id"], "the provider is on it")
    found = run_day(project, path, "2026-12-02")
    assert found.exit_code == 0
    [known] = found.open_alarms
    assert known["acknowledged"]["reason"] == "the provider is on it"
    assert len(MonitorFile.read(path).alarms) == 1, "one alarm for one change"


def test_accepting_takes_a_new_anchor_and_records_who_and_why(
    project: Project, world: World, examples: Dataset
) -> None:
    path = watch(project, examples)
    world.wrong = set(range(30))
    assert days(project, path, 1, 1) == 1
    calls = world.calls
    file = accept(project, "triage", "prod", "the old answers were too long")
    assert world.calls == calls + 10 * N
    assert file.alarms[0]["closed"]["why"].endswith("the old answers were too long")
    [entry] = file.history
    assert (entry["event"], entry["days"], entry["by"]) == ("accepted", 1, project.author)
    assert sum(file.series[0].means) == N - 30
    assert days(project, path, 2, 3) == 0, "what was accepted is not drift"
    with pytest.raises(StudyError, match="needs a reason"):
        accept(project, "triage", "prod", "")


@pytest.mark.parametrize("broken", [1, 40])
def test_a_day_that_lacks_answers_does_not_count_and_says_so(
    project: Project, world: World, examples: Dataset, broken: int
) -> None:
    path = watch(project, examples)
    world.broken = set(range(broken))
    found = run_day(project, path, "2026-12-01")
    assert found.exit_code == 2
    assert f"{broken} of 40 answers are unscored" in found.unknown
    assert MonitorFile.read(path).days == ()
    calls, world.broken = world.calls, set()
    assert days(project, path, 1, 1) == 0
    assert world.calls == calls + broken, "an interrupted day is finished, not begun again"
    assert MonitorFile.read(path).days == ("2026-12-01",)


def test_an_anchor_that_lacks_answers_is_not_frozen(
    project: Project, world: World, examples: Dataset
) -> None:
    world.broken = {7}
    with pytest.raises(StudyError, match=r"lacks 10 of 400 scores .* never scored: e07"):
        watch(project, examples)
    assert every(project) == []
    world.broken = set()
    watch(project, examples)
    assert world.calls == 410


def test_two_processes_at_once_count_the_day_once(
    project: Project, world: World, examples: Dataset, tmp_path: Path
) -> None:
    path = watch(project, examples)
    other = open_project(tmp_path / "p", world)
    found: list[Any] = []
    workers = [
        threading.Thread(target=lambda p=p: found.append(run_day(p, path, "2026-12-01")))
        for p in (project, other)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    other.close()
    assert MonitorFile.read(path).days == ("2026-12-01",)
    assert {each.exit_code for each in found} <= {0, 2}
    assert all("another process" in each.unknown for each in found if each.unknown)


def test_another_machine_goes_on_from_the_committed_file(
    project: Project, world: World, examples: Dataset, tmp_path: Path
) -> None:
    """It has the registry, the monitor's file and the examples, and no store."""
    where = Path(project.root) / "forty.jsonl"
    examples.write(where)
    path = watch(project, Dataset.read(where))
    days(project, path, 1, 1)
    clone = tmp_path / "clone"
    (clone / "promptops.monitors").mkdir(parents=True)
    for name in ("promptops.json", "forty.jsonl", "promptops.monitors/triage.prod.json"):
        (clone / name).write_bytes((Path(project.root) / name).read_bytes())
    other = open_project(clone, world)
    [there] = every(other)
    assert days(other, there, 1, 1) == 0
    assert days(other, there, 2, 2) == 0
    other.close()
    assert MonitorFile.read(there).days[-1] == "2026-12-02"
    here = run_day(project, path, "2026-12-02").file
    assert here is not None
    there_now = MonitorFile.read(there).series[0].days[-1].evidence
    assert here.series[0].days[-1].evidence == pytest.approx(there_now, rel=1e-6)


def test_a_day_before_the_last_one_is_refused(
    project: Project, world: World, examples: Dataset
) -> None:
    path = watch(project, examples)
    days(project, path, 2, 2)
    found = run_day(project, path, "2026-12-01")
    assert found.exit_code == 2
    assert "is before it" in found.unknown


def test_a_day_that_a_clock_counted_too_early_has_a_next_step(
    project: Project, world: World, examples: Dataset
) -> None:
    """Accepting a new anchor, which it names, makes today count again."""
    path = watch(project, examples)
    run_day(project, path, "2099-01-01")
    found = run_day(project, path)
    assert found.exit_code == 2
    assert "2099-01-01 has not come yet, so a clock was ahead" in found.unknown
    assert "`promptops watch accept triage --env prod --reason TEXT`" in found.unknown
    accept(project, "triage", "prod", "a clock was ahead")
    found = run_day(project, path)
    assert found.exit_code == 0
    assert found.file is not None
    assert found.file.days == (utc()[:10],)


def test_another_version_in_the_environment_could_not_be_found_out(
    project: Project, world: World, examples: Dataset
) -> None:
    path = watch(project, examples)
    version = PromptVersion([{"role": "user", "content": "Please say {{number}}"}], model="m")
    number = project.registry.save("triage", version, author="Ada")
    project.registry.promote("triage", number, "prod", author="Ada", force=True, reason="new")
    found = run_day(project, path, "2026-12-01")
    assert found.exit_code == 2
    assert "promptops watch accept triage --env prod" in found.unknown
    accept(project, "triage", "prod", "v2 serves")
    assert days(project, path, 2, 2) == 0
    assert MonitorFile.read(path).declaration["number"] == 2


def test_the_bar_is_the_number_of_the_projects_monitors(
    project: Project, world: World, examples: Dataset
) -> None:
    path = watch(project, examples)
    assert thresholds(project) == 365
    entry = project.registry.versions("triage")[0]
    project.registry.promote(
        "triage", entry.number, "staging", author="Ada", force=True, reason="r"
    )
    declare(project, "triage", examples, ["equals()", "contains('yes')"], env="staging")
    assert thresholds(project) == 3 * 365
    world.wrong = set(range(30))
    days(project, path, 1, 1)
    assert MonitorFile.read(path).alarms[0]["threshold"] == 3 * 365


def test_probes_are_not_listed_among_the_studies(
    project: Project, world: World, examples: Dataset
) -> None:
    path = watch(project, examples)
    days(project, path, 1, 2)
    assert studies.names(project.store) == []
    assert studies.all_heads(project.store) == []
    anchor = MonitorFile.read(path).anchored["study"]
    assert studies.head_of(project.store, anchor) is not None


def test_a_year_of_days_is_a_small_file_with_a_line_per_day(
    project: Project, world: World, examples: Dataset
) -> None:
    path = watch(project, examples)
    days(project, path, 1, 2)
    text = Path(path).read_text(encoding="utf-8")
    added = [line for line in text.splitlines() if "2026-12-" in line and line.lstrip()[0] == "["]
    assert len(added) == 2
    assert max(map(len, added)) * 365 < 25_000
    assert MonitorFile.read(path).document() == json.loads(text)


def test_the_figures_of_the_file_are_those_of_the_reference_code(
    project: Project, world: World, examples: Dataset
) -> None:
    """Day by day through the file, or at once in memory: the same evidence."""
    import numpy as np

    from promptops.analysis.drift import Anchor, Detector, tie_break

    path = watch(project, examples, two_sided=False)
    detector = Detector.start(anchor := Anchor.of(np.ones((10, N))))
    for day, wrong in enumerate(({1}, {1, 2, 3}), 1):
        world.wrong = set(wrong)
        days(project, path, day, day)
        scores = [0.0 if i in wrong else 1.0 for i in range(N)]
        theta = tie_break("triage.prod/equals(expected)", f"2026-12-{day:02}")
        detector = detector.after(anchor, scores, theta)
        last = MonitorFile.read(path).series[0].days[-1]
        assert last.evidence == pytest.approx(float(detector.e), rel=1e-6)


def test_a_scorer_that_only_python_has_is_named_where_it_is_missing(
    project: Project, world: World, examples: Dataset
) -> None:
    def short(output: str) -> bool:
        return len(output) < 20

    path = declare(project, "triage", examples, [short, equals()], env="prod").path
    found = run_day(project, path, "2026-12-01")
    assert found.exit_code == 2
    assert "exists in Python only" in found.unknown
    assert run_day(project, path, "2026-12-01", scorers=[short, equals()]).exit_code == 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not a monitor's file"),
        ('{"promptops_monitor": 2}', "reads 1"),
        ('{"promptops_monitor": 1}', "not a monitor's file"),
        ("[]", "not a monitor's file"),
    ],
)
def test_a_damaged_file_could_not_be_found_out(
    project: Project, examples: Dataset, text: str, why: str
) -> None:
    folder = Path(project.root) / "promptops.monitors"
    folder.mkdir()
    (folder / "triage.prod.json").write_text(text, encoding="utf-8")
    found = run_day(project, str(folder / "triage.prod.json"))
    assert found.exit_code == 2
    assert why in found.unknown


def test_monitors_whose_names_are_written_alike_have_files_of_their_own(
    project: Project, world: World, examples: Dataset
) -> None:
    """`a.b` in `c` and `a` in `b.c` had one file: the second was told that it is watched already,
    and accepting it judged the first.
    """
    pairs, paths = [("a.b", "c"), ("a", "b.c")], []
    for prompt, env in pairs:
        version = PromptVersion(
            [{"role": "user", "content": f"{prompt} {{{{number}}}}"}], model="m"
        )
        number = project.registry.save(prompt, version, author="Ada")
        project.registry.promote(prompt, number, env, author="Ada", force=True, reason="first")
        paths.append(declare(project, prompt, examples, ["equals()"], env=env).path)
    assert [Path(path).name for path in paths] == ["a.b.c.json", "a in b.c.json"]
    for (prompt, env), path in zip(pairs, paths, strict=True):
        declared = MonitorFile.read(path).declaration
        assert (declared["prompt"], declared["env"]) == (prompt, env)
        assert accept(project, prompt, env, "as it is now").declaration["prompt"] == prompt
    assert sorted(every(project)) == sorted(paths)
    Path(paths[0]).unlink()  # the other one keeps its file
    assert path_of(project, "a", "b.c") == paths[1]
    assert path_of(project, "a.b", "c") == paths[0]


def test_a_secret_in_a_reason_is_not_committed(
    project: Project, world: World, examples: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of a monitor lies beside the registry, whose reasons are cleaned as well."""
    key, known = "sk-proj-Zq7Xw9Lm4Tn2Vb8Rc5Yd1Ka3", "u7-x9-plain-value"
    monkeypatch.setenv("TEAM_DB_PASS", known)
    path = watch(project, examples)
    world.wrong = set(range(30))
    assert days(project, path, 1, 1) == 1
    [alarm] = MonitorFile.read(path).alarms
    with pytest.warns(UserWarning, match="a secret in the reason was replaced"):
        acknowledge(project, alarm["id"], f"the provider has {key} and {known}")
    with pytest.warns(UserWarning, match="a secret in the reason was replaced"):
        accept(project, "triage", "prod", f"asked with {key} and {known}")
    written = Path(path).read_text(encoding="utf-8")
    assert key not in written
    assert known not in written
    assert written.count("[redacted]") == 6  # of the acknowledgement, the end and the history
