"""`promptops evaluate study.toml`: exit codes, what a CI server reads, and files that are wrong in
one sentence.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest

from promptops.cli.__main__ import main
from promptops.errors import ScorerError, StudyError
from promptops.lab import Lab
from tests.faults.batch_server import BatchServer
from tests.faults.server import FaultServer, Say, Seen, completion

STUDY = """
prompt = "triage"
candidate = "{candidate}"
baseline = "{baseline}"
dataset = "rows.jsonl"
scorers = ["equals", {{name = "length", at_most = 100}}]
{more}
"""

ONE_OF = """Classify the ticket. Answer with one label and nothing else: one of refund, shipping, bug.

Labels:
- refund: money, charged
- shipping: parcel, courier
- bug: crash, error

Ticket: {{ticket}}"""


@pytest.fixture
def project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A folder with a registry of two versions that the embedded model answers: v1 names no label,
    v2 does.
    """
    lab = Lab(tmp_path)
    prompt = lab.prompt("triage")
    prompt.save("Say something about: {{ticket}}", model="embedded")
    prompt.save(ONE_OF, model="embedded")
    words = {
        "refund": "I was charged twice, money back",
        "shipping": "where is my parcel, courier lost it",
        "bug": "crash with an error",
    }
    with (tmp_path / "rows.jsonl").open("w", encoding="utf-8") as file:
        for index in range(60):
            label = list(words)[index % 3]
            file.write(
                f'{{"id": "r{index}", "ticket": "{words[label]} ({index})", "expected":'
                f' "{label}"}}\n'
            )
    lab.store.close()
    return tmp_path


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


def written(folder: Path, candidate: str = "v2", baseline: str = "v1", more: str = "") -> str:
    path = folder / "study.toml"
    path.write_text(
        STUDY.format(candidate=candidate, baseline=baseline, more=more), encoding="utf-8"
    )
    return str(path)


def test_exit_0_where_it_holds_with_junit_and_markdown(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A better candidate: 0, one test case a demand of the policy, Markdown for the pull request; a
    second run asks nothing.
    """
    study = written(
        project,
        more='[policy]\ngoal = "better"\nguardrails = [{measure = "length(..100)", margin = 0.1}]',
    )
    names = [scorer.name for scorer in _scorers()]
    Path(study).write_text(
        Path(study).read_text().replace("length(..100)", names[1]), encoding="utf-8"
    )
    assert (
        run(
            "evaluate",
            study,
            "--junit",
            str(project / "out" / "j.xml"),
            "--markdown",
            str(project / "out" / "m.md"),
        )
        == 0
    )
    assert "better holds" in capsys.readouterr().out
    suite = Xml.parse(project / "out" / "j.xml").getroot()[0]
    assert suite.get("failures") == "0"
    assert {
        case.get("name") for case in suite.iter("testcase") if case.get("classname") == "policy"
    } == set(names)
    assert "promote" in (project / "out" / "m.md").read_text(encoding="utf-8")
    lab = Lab(project)
    before = lab.store.rows("select count(*) from runs")
    assert run("evaluate", study) == 0
    assert lab.store.rows("select count(*) from runs") == before


def _scorers() -> list[Any]:
    from promptops.scorers import equals, length

    return [equals(), length(at_most=100)]


def test_exit_1_where_it_does_not_hold(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A worse candidate: 1, the failed demand in the JUnit file, and the examples that got worse by
    name.
    """
    study = written(project, candidate="1", baseline="2", more='[policy]\ngoal = "not_worse"')
    assert run("evaluate", study, "--junit", str(project / "j.xml")) == 1
    out = capsys.readouterr().out
    assert "not worse does not hold" in out
    assert "Got worse: r" in out
    suite = Xml.parse(project / "j.xml").getroot()[0]
    assert suite.get("failures") == "1"
    assert suite.find("testcase/failure") is not None
    assert int(suite.get("skipped", "0")) > 5


def test_an_environment_is_a_version(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`env:prod` stands for what serves there; an environment that serves nothing is misuse."""
    lab = Lab(project)
    lab.promote(lab.prompt("triage")[1], env="dev")
    lab.store.close()
    assert run("evaluate", written(project, baseline="env:dev")) == 0
    assert run("evaluate", written(project, baseline="env:prod")) == 2
    assert "serves nothing in 'prod'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ('serves = "x"', "has the key 'serves'"),
        ('split = "tset"', "no split 'tset'"),
        ('[policy]\ngoal = "bettr"', "goal"),
        ('[policy]\nprimary = "nope"', "primary 'nope'"),
        ("[options]\nthreads = 3", "[options] has 'threads'"),
        ("[columns]\ngold = 3", "[columns] has 'gold'"),
        ("repeats = 0", "repeats is 0"),
    ],
)
def test_exit_2_for_a_wrong_file(
    project: Path, capsys: pytest.CaptureFixture[str], more: str, says: str
) -> None:
    """One sentence on standard error that names the fault; nothing was asked."""
    assert run("evaluate", written(project, more=more)) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1
    assert not Lab(project).store.rows("select 1 from runs")


def test_nothing_in_a_study_file_is_executed(tmp_path: Path) -> None:
    """Scorers are names of the catalogue with constants; anything else is refused before it could
    run.
    """
    from promptops.scorers.grammar import scorer_from, scorer_of

    made = scorer_of("not_(contains('sorry'))")
    assert "sorry" in made.name
    assert (
        scorer_from({"name": "similar_to", "args": ["expected"], "at_least": 0.9}, form=1).name
        == "similar_to(expected)>=0.9"
    )
    target = tmp_path / "made"
    wrong: list[Callable[[], Any]] = [
        lambda: scorer_of(f"contains(open({str(target)!r}, 'w').name)"),
        lambda: scorer_of(f"__import__('os').mkdir({str(target)!r})"),
        lambda: scorer_of("contains(*['a'])"),
        lambda: scorer_of("scorer"),
        lambda: scorer_of("as_scorer(1)"),
        lambda: scorer_of("contains('a'"),
        lambda: scorer_of("contians('a')"),
        lambda: scorer_of("length(nothing=1)"),
        lambda: scorer_from({"args": ["x"]}),
    ]
    for action in wrong:
        with pytest.raises(ScorerError):
            action()
    assert not target.exists()


def test_a_missing_file_and_no_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both are misuse, in a sentence."""
    from promptops.testing.study_file import Declared

    assert run("evaluate", str(tmp_path / "nothing.toml")) == 2
    assert "cannot be read" in capsys.readouterr().err
    written(tmp_path)
    with pytest.raises(StudyError, match=r"no promptops\.json"):
        Declared.read(tmp_path / "study.toml").lab(tmp_path, named=True)


def test_a_dry_run_asks_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The calls that it would make are said."""
    assert run("evaluate", written(project), "--dry-run") == 0
    assert "120 calls" in capsys.readouterr().out
    assert not Lab(project).store.rows("select 1 from runs")


def test_junit_survives_what_xml_cannot_hold() -> None:
    """Control characters in an example's id do not break the file."""
    from promptops.lab import compare
    from promptops.testing.study_file import junit_document, junit_suite

    rows = [{"id": f"a\x01\ufffe{i}<&", "a": 1.0, "b": 0.0} for i in range(9)]
    suite = junit_suite(compare(rows, baseline="a", candidate="b"), "x\x1b")
    root = Xml.fromstring(junit_document([suite]).encode())
    assert root[0].get("skipped") == "9"


INTERRUPTIBLE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job begins with it ignored
from promptops.cli.__main__ import main
main(["evaluate", sys.argv[1]])
"""


def test_an_interrupt_is_exit_130_and_one_line(project: Path) -> None:
    """Ctrl-C says how many calls are kept and how to go on, without a traceback, and the same
    command asks only the rest.
    """
    lab = Lab(project)
    for text in ("First: {{ticket}}", "Second: {{ticket}}"):
        lab.prompt("triage").save(text, model="m")
    lab.store.close()
    slow = 0.2

    def answer(seen: Seen) -> Say:
        return Say(body=completion(), wait_s=slow)

    with FaultServer(answer) as server:
        command = [sys.executable, "-c", INTERRUPTIBLE, written(project, "v4", "v3")]
        where = {**os.environ, "OPENAI_BASE_URL": server.url}
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=where
        )
        while child.poll() is None and len(server.seen) < 30:
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=60)
        assert child.returncode == 130, err
        said = re.search(
            r"^interrupted: (\d+) of 120 calls of triage-\w+ are answered and kept; run the same"
            r" again to go on\.$",
            err,
            re.M,
        )
        assert said is not None, err
        assert "Traceback" not in err
        kept, slow, before = int(said[1]), 0.0, len(server.seen)
        done = subprocess.run(
            command, capture_output=True, text=True, env=where, timeout=120, check=False
        )
        assert done.returncode == 1, done.stderr  # asked to the end: not shown to be better
        assert len(server.seen) - before == 120 - kept


def test_a_study_file_has_a_format(tmp_path: Path) -> None:
    """Without one it is of 0.1, where a first text was a column; 2 is today's; a later one is
    refused with the remedy.
    """
    from promptops.testing.study_file import Declared

    path = tmp_path / "study.toml"
    body = 'prompt = "p"\ncandidate = "v2"\nbaseline = "v1"\ndataset = "d"\nscorers = ["equals"]\n'
    for head, form in (("", 1), ("format = 1\n", 1), ("format = 2\n", 2)):
        path.write_text(head + body, encoding="utf-8")
        assert Declared.read(path).format == form
    for head in ("format = 3\n", "format = 0\n", 'format = "2"\n', "format = true\n"):
        path.write_text(head + body, encoding="utf-8")
        with pytest.raises(StudyError, match="write format = 2"):
            Declared.read(path)


def test_exit_3_where_batches_are_handed_in_and_the_same_command_collects_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--batch` hands in and says how far it is; run again it collects. A batch that a person let
    go of is asked again.
    """
    lab = Lab(tmp_path)
    prompt = lab.prompt("triage")
    prompt.save("One word: {{ticket}}", model="gpt-x")
    prompt.save("One label: {{ticket}}", model="gpt-x")
    lab.project.close()
    rows = [f'{{"id": "r{n}", "ticket": "t{n}", "expected": "yes"}}\n' for n in range(8)]
    (tmp_path / "rows.jsonl").write_text("".join(rows), encoding="utf-8")
    command = ("evaluate", written(tmp_path), "--batch")
    with BatchServer(lambda request: "yes" if "label" in str(request) else "no") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "k" * 20)
        server.looks = 1_000_000
        assert run(*command) == 3
        assert "handed in, 0 of 16 back; run the same command again." in capsys.readouterr().out
        assert run("batches", "--root", str(tmp_path)) == 0
        listed = capsys.readouterr().out
        assert "16 of 16 open  gpt-x" in listed
        batch = listed.split()[0]
        assert run("batches", "forget", batch[:12], "--root", str(tmp_path)) == 0
        assert run(*command) == 3
        assert run("batches", "adopt", batch, "batch_9", "--root", str(tmp_path)) == 2
        assert [len(made.items) for made in server.made] == [16, 16]
        server.end("completed", 16)
        assert run(*command) == 0
    assert run("evaluate", written(tmp_path), "--wait", "2h") == 2
    assert "add --batch" in capsys.readouterr().err


def test_a_study_over_several_datasets(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A map of datasets is a task each: the table per task comes first, then the verdict over
    tasks.
    """
    lines = (project / "rows.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    for task in range(3):
        text = "".join(lines[20 * task : 20 * task + 20])
        (project / f"part{task}.jsonl").write_text(text, encoding="utf-8")
    study = written(project, more='[policy]\nestimand = "tasks"')
    text = Path(study).read_text(encoding="utf-8")
    tasks = '{one = "part0.jsonl", two = "part1.jsonl", three = "part2.jsonl"}'
    Path(study).write_text(text.replace('"rows.jsonl"', tasks), encoding="utf-8")
    assert run("evaluate", study) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].split("\t")[:2] == ["task", "n"]
    assert sorted(line.split("\t")[0] for line in out[1:4]) == ["one", "three", "two"]
    assert out[4].startswith("better holds: ")
    assert "Over 3 tasks: " in "".join(out[5:])
