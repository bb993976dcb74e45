"""The cases of `by_example` as a study: each example's answer with the outcome of its test as a
score, so that a pytest run is read, compared and reported like any other study.

A test function is one study per version and content of its file. Under xdist each worker writes
the rows of its own cases into the same study.
"""

from __future__ import annotations

import hashlib
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


@dataclass(slots=True)
class TestedExample:
    """One test of one example. answer: its last one; failed: the words of its assert, "" if it
    passed, None while it is not known.
    """

    test: str
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
        return cls(item.nodeid.partition("[")[0], str(item.path), mark.args[0], example)

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
    found: dict[tuple[str, str, str], list[TestedExample]] = {}
    for case in cases:
        if case.answer is None or case.version is None or case.failed is None:
            continue
        key = (case.test, case.version.id, case.answer.run.endpoint)
        found.setdefault(key, []).append(case)
    for (test, _, endpoint), each in found.items():
        _keep(lab, test, endpoint, each)


def _keep(lab: Lab, test: str, endpoint: str, cases: Sequence[TestedExample]) -> None:
    from ..canonical import tagged
    from ..run import utc
    from ..study.records import keep_dataset, keep_study
    from ..study.study_record import ArmRecord, DatasetRef, ScorerRef, StudyRecord

    project, first = lab.project, cases[0]
    version, data = first.version, first.dataset
    assert version is not None
    with open(first.file, "rb") as file:
        content = hashlib.sha256(file.read()).hexdigest()[:12]
    name = test.rpartition("::")[2]
    identity = tagged("s1", {"pytest": [test, content, version.id, endpoint, data.fingerprint]})
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
