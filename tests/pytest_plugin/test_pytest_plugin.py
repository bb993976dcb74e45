"""The plugin in a pytest of its own: verdicts in the summary, examples as tests, recorded answers
used again, nothing asked offline.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptops.lab import Lab, Study
from promptops.models.scripted import ScriptedModel
from promptops.store import Store

CONFTEST = """
import pytest
from promptops.lab import Lab
from promptops.models.protocol import Reply
from promptops.models.scripted import ScriptedModel
from pathlib import Path

@pytest.fixture(scope="session")
def lab(request):
    def answer(request):
        with open(Path(__file__).parent / "calls", "a") as file:
            file.write("x")
        category = "billing" if "Second" in str(request) else "bug"
        return Reply('{"category": "%s"}' % category, tokens_in=10, tokens_out=1)
    model = ScriptedModel(answer, "m", remote=True)
    return Lab(request.config.rootpath, models={"m": model}, prices={"m": (1e6, 0.0)})
"""
TESTS = """
import pytest
from promptops.pytest_plugin import by_example
from promptops.scorers import json_equals

@pytest.mark.prompt("triage", data="rows.jsonl", scorers=[json_equals()])
def test_better(study):
    study.compare().require("better")

@by_example("rows.jsonl", prompt="triage")
def test_names_a_category(example, ask):
    assert ask(example).json()["category"] == "billing", ask(example).text
"""
ROWS = 20


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").touch()
    rows = [
        {"id": f"e{n}", "ticket": f"ticket {n}", "expected": {"category": "billing"}}
        for n in range(ROWS)
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    lab = Lab(tmp_path, models={"m": ScriptedModel(lambda request: "?")})
    triage = lab.prompt("triage")
    first = triage.save("First {{ticket}}", model="m")
    triage.save("Second {{ticket}}", model="m")
    lab.project.registry.promote(
        "triage", first.number, "prod", author="ann", force=True, reason="first"
    )
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_prompts.py").write_text(TESTS)
    return tmp_path


WORDS = ["-q", "-p", "no:cacheprovider", "-p", "promptops.pytest_plugin"]
Run = Callable[..., str]


@pytest.fixture
def run(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A pytest of its own inside this process, in the project's folder: what it prints."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # nbval alone takes seconds to import
    monkeypatch.chdir(project)

    def inside(*arguments: str) -> str:
        loaded = set(sys.modules)
        pytest.main([*WORDS, "--rootdir", str(project), *arguments, "test_prompts.py"])
        for name in {"conftest", "test_prompts"} - loaded:
            sys.modules.pop(name, None)
        return capsys.readouterr().out

    return inside


def run_with_workers(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A pytest with workers of xdist, which are processes."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    environment.pop("PYTEST_XDIST_WORKER", None)
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return subprocess.run(
        [sys.executable, "-m", "pytest", *WORDS, "-p", "xdist", *arguments],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )


def calls(project: Path) -> int:
    return len((project / "calls").read_text()) if (project / "calls").exists() else 0


def cases(project: Path) -> Study:
    """The one study of the cases."""
    [study] = [each for each in Lab(project).studies if each.name.startswith("test_")]
    return study


def test_a_prompt_is_tested_like_code(project: Path, run: Run) -> None:
    """Candidate against what prod serves; the sentence in the summary; each example a test; an
    equal question is asked once; offline then needs no call.
    """
    out = run("--strict-markers")
    assert f"{ROWS + 1} passed" in out
    assert f"v2 is right on {ROWS} more of {ROWS} examples than v1" in out
    assert calls(project) == 2 * ROWS
    assert f"{ROWS + 1} passed" in run("--promptops-offline")
    assert calls(project) == 2 * ROWS


def test_offline_without_recorded_answers_is_a_skip_with_its_reason(
    project: Path, run: Run
) -> None:
    """A fork has no key and no answers: nothing fails, nothing is asked."""
    out = run("--promptops-offline", "-rs")
    assert f"{ROWS + 1} skipped" in out
    assert f"{2 * ROWS} answers of triage are not recorded: offline" in out
    assert calls(project) == 0


def test_each_example_is_asked_as_often_as_wanted(project: Path, run: Run) -> None:
    """`--promptops-repeats` is of the study; what it asked is not asked again by a case."""
    assert f"{ROWS + 1} passed" in run("--promptops-repeats", "3")
    assert calls(project) == 2 * 3 * ROWS


def test_past_its_budget_nothing_is_asked(project: Path, run: Run) -> None:
    """A call costs 10 USD: three reach the budget, the other cases are skipped with the reason; a
    recorded answer costs nothing and is used past it too.
    """
    out = run("-k", "names_a_category", "--promptops-budget", "25", "-rs")
    assert calls(project) == 3
    assert f"3 passed, {ROWS - 3} skipped" in out
    assert "the budget of 25 USD is spent: --promptops-budget" in out
    again = run("-k", "names_a_category", "--promptops-budget", "25", "-rs")
    assert f"3 passed, {ROWS - 3} skipped" in again
    assert calls(project) == 3


def test_recorded_answers_are_read_together(
    project: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is opened a few times for all cases, and not once for each."""
    assert f"{ROWS} passed" in run("-k", "names_a_category")
    opened: list[str] = []
    rows = Store.rows

    def counted(self: Store, query: str, *rest: Any, **named: Any) -> Any:
        opened.append(query)
        return rows(self, query, *rest, **named)

    monkeypatch.setattr(Store, "rows", counted)
    assert f"{ROWS} passed" in run("-k", "names_a_category")
    assert len(opened) < ROWS / 2, opened
    assert calls(project) == ROWS


def test_a_failing_example_is_one_failing_test(project: Path, run: Run) -> None:
    """By its id, with the answer."""
    text = (project / "rows.jsonl").read_text().replace('"ticket 7"', '"Second ticket 7"')
    lines = text.splitlines()
    lines[7] = lines[7].replace('"billing"', '"bug"')
    (project / "rows.jsonl").write_text("\n".join(lines))
    tests = TESTS.replace('== "billing"', '== ("bug" if example.id == "e7" else "billing")')
    (project / "test_prompts.py").write_text(tests)
    out = run("-k", "names_a_category")
    assert f"1 failed, {ROWS - 1} passed" in out
    assert "test_names_a_category[e7]" in out
    assert '{"category": "billing"}' in out
    assert "v2 answered:" in out
    assert '- "category": "bug"\n+ "category": "billing"' in out
    study = cases(project)
    assert study.record.scorer_names == ("test_names_a_category",)
    rows = study.recorded.project.store.rows(
        "select m.example_id, s.passed, s.reason from study_runs m join scores s using (run_id)"
        " where m.study_id = ? order by s.passed, m.example_id",
        [study.id],
    )
    assert len(rows) == ROWS
    assert rows[0][:2] == ("e7", False)
    assert "AssertionError" in rows[0][2]
    assert all(row[1:] == (True, None) for row in rows[1:])
    study.recorded.project.close()


WRONG_MARKS = {
    "": "without naming a prompt",
    '@pytest.mark.prompt("triage", date="x")': "does not take 'date'; it takes data, split",
    '@pytest.mark.prompt("triage")': "has no examples: add data=",
    '@pytest.mark.prompt("other", data="rows.jsonl")': "other has no saved version",
}


def test_a_wrong_mark_names_what_is_accepted(project: Path, run: Run) -> None:
    """Before anything is asked, each in its own test's error."""
    tests = [f"{mark}\ndef test_mark_{n}(study): pass\n" for n, mark in enumerate(WRONG_MARKS)]
    (project / "test_prompts.py").write_text("import pytest\n" + "\n".join(tests))
    out = run()
    parts = out.split("ERROR at setup of test_mark_")[1:]
    assert [part[0] for part in parts] == ["0", "1", "2", "3"], out
    for said, part in zip(WRONG_MARKS.values(), parts, strict=True):
        assert said in part, out
    assert calls(project) == 0


def test_workers_share_what_is_asked(project: Path) -> None:
    """Under xdist each answer is recorded once, whatever worker asked it."""
    done = run_with_workers(project, "-n", "2", "-k", "names_a_category")
    assert f"{ROWS} passed" in done.stdout, done.stdout
    lab = Lab(project)
    rows = lab.store.rows("select count(*), count(distinct key) from runs")
    assert rows == [(ROWS, ROWS)]
    lab.store.close()
    study = cases(project)
    assert study.recorded.project.store.rows(
        "select count(*), count(distinct example_id) from study_runs where study_id = ?", [study.id]
    ) == [(ROWS, ROWS)]
    assert "100" in str(study.leaderboard())
    study.recorded.project.close()


def test_importing_the_plugin_costs_no_lab(project: Path) -> None:
    """pytest starts as fast as before."""
    code = (
        "import sys, promptops.pytest_plugin; "
        "print(sorted({'pandas', 'duckdb', 'numpy', 'openai', 'scipy'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_what_other_plugins_leave_in_a_report_is_their_own(project: Path, run: Run) -> None:
    """A project that does not use promptops keeps its exit code, whatever its reports hold."""
    (project / "test_prompts.py").write_text(
        "def test_odd(request):\n"
        "    odd = [('a', 'b', 'c'), 'xyz', 3, ('promptops', 'told')]\n"
        "    request.node.user_properties.extend(odd)\n"
    )
    out = run()
    assert "1 passed" in out
    assert "told" in out


def test_workers_do_not_pay_twice_for_what_they_ask_at_once(project: Path) -> None:
    """Each worker begins with the same study, or with a case of its version: the others wait and
    find the answers.
    """
    conftest = CONFTEST.replace("def answer(request):", "def answer(request):\n        sleep(0.02)")
    (project / "conftest.py").write_text("from time import sleep\n" + conftest)
    same = "".join(
        "@pytest.mark.prompt('triage', data='rows.jsonl', scorers=[json_equals()])\n"
        f"def test_{name}(study): study.compare().require('better')\n"
        for name in ("one", "two", "three")
    )
    (project / "test_prompts.py").write_text(TESTS + same)
    done = run_with_workers(project, "-n", "3")
    assert f"{ROWS + 4} passed" in done.stdout, done.stdout
    assert calls(project) == 2 * ROWS


@pytest.mark.parametrize(
    "wrong",
    ["--promptops-budget=nan", "--promptops-budget=-1", "--promptops-budget=x",
     "--promptops-repeats=0", "--promptops-repeats=-1", "--promptops-repeats=x"],
)  # fmt: skip
def test_an_option_out_of_range_asks_nothing(project: Path, run: Run, wrong: str) -> None:
    """A budget of NaN had been no budget."""
    assert "passed" not in run(wrong)
    assert calls(project) == 0


SIBLINGS = """
import pytest
from helper import holds
from promptops.pytest_plugin import by_example

class TestRight:
    @by_example("rows.jsonl", prompt="triage")
    def test_it(self, example, ask):
        assert ask(example).json()["category"] == "billing"

class TestWrong:
    @by_example("rows.jsonl", prompt="triage")
    def test_it(self, example, ask):
        assert ask(example).json()["category"] == "bug"

@pytest.mark.parametrize("field", ["category", "urgency"])
@by_example("rows.jsonl", prompt="triage")
def test_has(example, ask, field):
    assert field in ask(example).json()

@by_example("rows.jsonl", prompt="triage")
def test_helped(example, ask):
    assert holds(ask(example))
"""


def passed(project: Path) -> dict[str, float]:
    """The share of passed examples of each study of cases, the newest of a name."""
    store, found = Lab(project).store, dict[str, float]()
    rows = store.rows(
        "select s.scorer, avg(s.passed::int) from studies d join study_runs m on m.study_id = d.id"
        " join scores s on s.run_id = m.run_id and s.scorer_version ="
        " d.design->>'$.scorers[0].version' and s.scorer = d.design->>'$.scorers[0].name'"
        " group by d.id, s.scorer, d.created_at order by d.created_at desc"
    )
    for name, share in rows:
        found.setdefault(name, share)
    store.close()
    return found


@pytest.mark.parametrize("workers", [False, True])
def test_tests_of_one_name_keep_their_own_outcomes(project: Path, run: Run, workers: bool) -> None:
    """Two classes, two parameters: what was judged first had been the outcome of each. A helper
    that is edited comes to another outcome of the same answers.
    """
    (project / "test_prompts.py").write_text(SIBLINGS)
    once = (lambda: run_with_workers(project, "-n", "2").stdout) if workers else run
    expected = {"TestRight.test_it": 1.0, "TestWrong.test_it": 0.0}
    expected |= {"test_has(field=category)": 1.0, "test_has(field=urgency)": 0.0}
    for holds in (True, False, True):
        (project / "helper.py").write_text(f"def holds(answer): return {holds}")
        sys.modules.pop("helper", None)
        assert f"{(2 + (not holds)) * ROWS} failed, {(2 + holds) * ROWS} passed" in once()
        assert passed(project) == expected | {"test_helped": float(holds)}
    assert calls(project) == ROWS


OBJECTS = """
import pytest
from promptops.pytest_plugin import by_example

@pytest.mark.parametrize("conf", [{"field": "category"}, {"field": "urgency"}])
@by_example("rows.jsonl", prompt="triage")
def test_first(example, ask, conf):
    assert conf["field"] in ask(example).json()

@by_example("rows.jsonl", prompt="triage")
@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("conf", [{"field": "category"}])
def test_last(example, ask, conf, n):
    assert ask(example).json()["category"] == example.expected["category"]
"""


def test_a_parameter_that_is_an_object_parts_no_study(project: Path, run: Run) -> None:
    """Each example had been a study of its own; and where equal rows have other golden answers,
    each run had been another study.
    """
    rows = [json.loads(line) for line in (project / "rows.jsonl").read_text().splitlines()]
    rows[1] |= {"id": "é1", "ticket": rows[0]["ticket"], "expected": {"category": "bug"}}
    (project / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (project / "test_prompts.py").write_text(OBJECTS)
    for _ in range(2):
        assert "passed" in run()
        lab = Lab(project)
        found = lab.store.rows("select study_id, count(*) from study_runs group by 1")
        assert [count for _, count in found] == [ROWS] * 4
        lab.store.close()


def test_scorers_may_be_named_as_in_a_study_file(project: Path, run: Run) -> None:
    tests = TESTS.replace(
        "[json_equals()]", """["json_equals", {"name": "json_has", "args": ["category"]}]"""
    )
    (project / "test_prompts.py").write_text(tests)
    assert "1 passed" in run("-k", "better")


def test_an_endpoint_that_is_not_there_is_tried_by_one_test(project: Path, run: Run) -> None:
    """Each call retries for a minute: twenty cases had taken twenty. What is recorded is read."""
    conftest = (project / "conftest.py").read_text()
    gone = """
        if "ticket 3" not in str(request):
            raise CallError("nobody listens", failure="connection")
"""
    (project / "conftest.py").write_text(
        "from promptops.errors import CallError\n"
        + conftest.replace("        category =", f"{gone}        category =").replace(
            ", remote=True", ""
        )
    )
    assert "1 passed" in run("-k", "names_a_category and e3")
    shown = run("-k", "names_a_category")
    assert f"{ROWS - 1} failed, 1 passed" in shown
    assert calls(project) == 2
    assert "could not be reached by an earlier test" in shown


def test_after_a_promotion_there_is_nothing_to_compare(project: Path, run: Run) -> None:
    """The newest version serves: no test fails for that. An environment that serves nothing, whose
    name may be misspelt, fails with what to do.
    """
    registry = Lab(project).project.registry
    registry.promote("triage", 2, "prod", author="ann", force=True, reason="better")
    out = run("-rs", "-k", "test_better")
    assert "1 skipped" in out
    assert "prod already serves v2, the newest version of triage; save another version to" in out
    tests = project / "test_prompts.py"
    fixture = "@pytest.fixture\ndef better(study):\n    return study.compare()\n\n@pytest.mark"
    tests.write_text(
        TESTS.replace("@pytest.mark", fixture)
        .replace("test_better(study)", "test_better(better)")
        .replace("study.compare().require", "better.require")
    )
    assert "1 skipped" in run("-rs", "-k", "test_better")
    tests.write_text(TESTS.replace("scorers=", 'env="prd", scorers='))
    out = run("-k", "test_better")
    assert "1 failed" in out
    assert "triage serves nothing in prd, so that v2 is compared with nothing; promote" in out
    tests.write_text(TESTS.replace("scorers=", 'candidate="v2", scorers='))
    out = run("-k", "test_better")
    assert "1 failed" in out
    assert "has one version, v2, so that nothing is compared; evaluate two versions" in out
