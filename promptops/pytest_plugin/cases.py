"""The cases of `by_example` as a study: each example's answer with the outcome of its test as a
score, so that a pytest run is read, compared and reported like any other study.

A test function is one study per version, content of its file and each further parameter, and
another one where an answer that it has judged now comes to another outcome. Under xdist each worker
writes the rows of its own cases into the same study, which is one of that run.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ..dataset import Dataset, Example
    from ..lab import Lab
    from ..lab.answer import Answer
    from ..lab.prompt import SavedVersion

__all__ = ["TestedExample", "keep_cases"]


_LONGEST = 40  # characters of a parameter that names a study; a longer one is named by its place


@dataclass(slots=True)
class TestedExample:
    """One test of one example. test: its id without parameters; with_: its further parameters;
    answer: its last one; failed: the words of its assert, "" if it passed, None while unknown.
    """

    test: str
    with_: str
    file: str
    dataset: Dataset
    example: Example
    version: SavedVersion | None = None
    answer: Answer | None = None
    failed: str | None = None

    @classmethod
    def of(cls, item: pytest.Item) -> TestedExample | None:
        """The case of a test; None if it has no example of `by_example`."""
        mark = item.get_closest_marker("promptops_examples")
        spec: Any = getattr(item, "callspec", None)
        example = spec.params.get("example") if spec is not None else None
        if mark is None or example is None:
            return None
        test = item.nodeid.partition("[")[0]
        return cls(test, _parameters(spec), str(item.path), mark.args[0], example)

    def answered(self) -> str:
        """What was answered, with its difference from the golden answer, for a failing test."""
        if self.answer is None:
            return ""
        label = self.version.label if self.version is not None else "the version"
        lines = [f"{label} answered:", self.answer.text]
        expected = self.example.expected
        if expected is not None:
            import difflib

            golden, wording = (_lines(each) for each in (expected, self.answer.text))
            found = difflib.unified_diff(golden, wording, "expected", "answered", lineterm="", n=1)
            lines += ["", *found]
        return "\n".join(lines)


def keep_cases(lab: Lab, cases: Sequence[TestedExample]) -> None:
    """Record the cases that were answered and have an outcome: one study per test function."""
    found: dict[tuple[str, str, str, str], list[TestedExample]] = {}
    for case in cases:
        if case.answer is None or case.version is None or case.failed is None:
            continue
        key = (case.test, case.with_, case.version.id, case.answer.run.endpoint)
        found.setdefault(key, []).append(case)
    for (*_, endpoint), each in found.items():
        _keep(lab, endpoint, each)


def _keep(lab: Lab, endpoint: str, cases: Sequence[TestedExample]) -> None:
    from ..canonical import tagged
    from ..run import utc
    from ..study.records import keep_dataset, keep_study
    from ..study.study_record import ArmRecord, DatasetRef, ScorerRef, StudyRecord

    project, first = lab.project, cases[0]
    version, data = first.version, first.dataset
    assert version is not None
    name = ".".join(first.test.split("::")[1:]) + (f"({first.with_})" if first.with_ else "")
    content = _judgement(lab, name, cases)
    identity = tagged("s1", {"pytest": [name, content, version.id, endpoint, data.fingerprint]})
    arm = ArmRecord(
        version.id, version.label, version.model, endpoint, version.prompt, version.number
    )
    record = StudyRecord(
        identity,
        f"{name}-{version.label}-{identity[3:7]}",
        version.prompt,
        (arm,),
        DatasetRef(data.fingerprint, data.name, len(data)),
        (ScorerRef(name, content),),
        created=utc(),
    )
    keep_dataset(project.store, data, project.root)
    keep_study(project.store, record, project.author, project.provenance())
    links, scores = [], []
    for case in cases:
        assert case.answer is not None
        run, fingerprint = case.answer.run, case.example.fingerprint
        links.append(
            {
                "study_id": identity,
                "arm": version.label,
                "version_id": version.id,
                "example_id": case.example.id,
                "example_fingerprint": fingerprint,
                "repeat": 0,
                "run_id": run.id,
                "reused": case.answer.reused,
            }
        )
        scores.append(_score(case, name, content, run.id))
    project.store.append("study_runs", links)
    project.store.append("scores", scores)
    event = {"study_id": identity, "event_at": utc(), "event": "finished", "detail": ""}
    project.store.append("study_events", [event])


def _parameters(spec: Any) -> str:
    """The parameters of a test beside its example, as every worker of xdist names them."""
    named, whole = [], True
    for name, value in sorted(spec.params.items()):
        if name == "example":
            continue
        plain = isinstance(value, (str, int, float, type(None))) and len(str(value)) <= _LONGEST
        whole = whole and plain
        named += [f"{name}={' '.join(str(value).split())}" if plain else name]
    if whole:
        return ", ".join(named)
    # what pytest calls them; an index is of the parameters and the examples together
    return f"{', '.join(named)}: {_without(spec.id, spec.params['example'].id)}"


def _without(name: str, example: str) -> str:
    """A name of pytest's without the example's part, which may come first, last or between."""
    if example not in name:
        example = example.encode("unicode_escape").decode()  # as pytest writes what is not ASCII
    if name.startswith(f"{example}-"):
        return name[len(example) + 1 :]
    return name.removesuffix(f"-{example}").replace(f"-{example}-", "-", 1)


def _judgement(lab: Lab, name: str, cases: Sequence[TestedExample]) -> str:
    """The version of a test as a scorer: of its file, and a number after it once an answer has come
    to another outcome, since a helper or a fixture was edited. A worker of xdist knows only its own
    outcomes: there it is of the run.
    """
    from ..study.queries.scorer_rows import outcomes_of

    first = cases[0]
    with open(first.file, "rb") as file:
        digest = hashlib.sha256(file.read())
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", "")
    digest.update("\0".join(("", first.test, first.with_, run)).encode())
    content = digest.hexdigest()[:12]
    now = {
        (case.answer.run.id, case.example.fingerprint): not case.failed
        for case in cases
        if case.answer is not None
    }
    rows = outcomes_of(lab.store, name, content)
    last = max((int(version.partition("-")[2] or 1) for version, *_ in rows), default=1)
    newest = content if last == 1 else f"{content}-{last}"
    other = any(
        version == newest and now.get((run, example), passed) != passed
        for version, run, example, passed in rows
    )
    return f"{content}-{last + 1}" if other else newest


def _score(case: TestedExample, scorer: str, version: str, run_id: str) -> dict[str, object]:
    from ..run import utc

    return {
        "run_id": run_id,
        "example_fingerprint": case.example.fingerprint,
        "scorer": scorer,
        "scorer_version": version,
        "value": 0.0 if case.failed else 1.0,
        "passed": not case.failed,
        "reason": case.failed or None,
        "scored_at": utc(),
    }


def _lines(value: Any) -> list[str]:
    """A golden answer or an answer line by line; JSON is laid out, so that its fields compare."""
    import json

    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return str(value).splitlines()
    if isinstance(value, str):
        return value.splitlines()
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True, default=str).splitlines()
