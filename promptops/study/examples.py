"""The answers of two arms side by side, example by example: found, filtered and paged without
reading what is not shown.

Opening reads one row of figures per example; texts stay in the store until their page is asked for.
What is asked of the store is in `queries.example_answers`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..dataset import Example
from ..errors import StudyError
from ..markup import without_data
from .example_rows import (
    KINDS,
    LONG,
    SHORT,
    ExampleRow,
    Filter,
    Page,
    RecordedScore,
    Side,
    SideBySide,
)
from .queries import example_answers as answers
from .queries.example_grid import golden_answers, grid_of, in_order
from .queries.recorded_runs import attempts_of

if TYPE_CHECKING:
    from pandas import DataFrame

    from .recorded_study import RecordedStudy
    from .study_record import ArmRecord

__all__ = [
    "KINDS",
    "StudyExamples",
    "Filter",
    "RecordedScore",
    "Page",
    "ExampleRow",
    "Side",
    "SideBySide",
]


@dataclass(slots=True)
class _Memo:
    index: dict[str, DataFrame] = field(default_factory=dict)
    found: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)


class StudyExamples:
    """candidate, baseline: arms of the study (versions or labels), default those that
    `study.compare()` would take; None of a study with one arm.
    """

    def __init__(
        self, study: RecordedStudy, candidate: object = None, baseline: object = None
    ) -> None:
        self._study, self._store = study, study.project.store
        arms = list(study.record.arms)
        self.candidate: ArmRecord = (
            study.record.arm(candidate) if candidate is not None else arms[-1]
        )
        others = [arm for arm in arms if arm.version != self.candidate.version]
        self.baseline: ArmRecord | None = (
            study.record.arm(baseline) if baseline is not None else _incumbent(study, others)
        )
        self._memo = _Memo()

    # -- pages

    @property
    def everything(self) -> Filter:
        """The filter that lets all through: where a view begins."""
        return Filter()

    def page(self, wanted: Filter | None = None, *, first: int = 0, size: int = 20) -> Page:
        """The rows from place `first` on, biggest loss first.

        Raises StudyError for a kind that is not one of KINDS.
        """
        asked = wanted or Filter()
        chosen = self._chosen(asked)
        part = chosen.iloc[first : first + size]
        names = [str(name) for name in part["example_id"]]
        asked_of, golden = self._asked(names), golden_answers(self._study, names)
        arms = in_order(self._study, self.candidate, self.baseline)
        cells = grid_of(self._study, arms, names, asked.scorer)
        columns: list[list[Any]] = [
            part[name].tolist() for name in ("new", "old", "new_failure", "old_failure")
        ]
        rows = tuple(
            ExampleRow(
                name,
                _known(new),
                _known(old),
                new_failure,
                old_failure,
                cells[name][-1].output,
                cells[name][0].output if self.baseline else "",
                asked_of.get(name, ""),
                golden.get(name, ""),
                cells[name],
            )
            for name, new, old, new_failure, old_failure in zip(names, *columns, strict=True)
        )
        return Page(rows, first, len(chosen), len(self._index(asked.scorer)))

    def ids(self, wanted: Filter | None = None) -> list[str]:
        """The ids that a filter lets through, in the order of the pages."""
        return [str(name) for name in self._chosen(wanted or Filter())["example_id"]]

    @cached_property
    def tags(self) -> tuple[str, ...]:
        """The tags of the dataset, the most frequent first; at most 200."""
        return answers.tags_of(self._store, self._dataset)

    @property
    def failures(self) -> tuple[str, ...]:
        """The failure classes that occur in either arm."""
        frame = self._index("")
        return tuple(
            sorted({*frame["new_failure"].unique(), *frame["old_failure"].unique()} - {""})
        )

    # -- one example

    def detail(self, example_id: str) -> SideBySide:
        """Both answers to an example, with their scores, cost and attempts.

        Raises StudyError for an example that is not in the study.
        """
        rows = answers.answers_to(self._store, self._arms(), example_id)
        if not rows:
            raise StudyError(
                f"{self._study.name} has no example {example_id!r}; choose one of its pages."
            )
        found = {row[0]: row for row in rows}
        scores = self._scores(
            [row[1] for row in found.values()], {row[11] for row in found.values()}
        )
        return SideBySide(
            example_id,
            self.example(example_id),
            self._side(self.candidate, found, scores),
            self._side(self.baseline, found, scores),
        )

    def example(self, example_id: str) -> Example | None:
        """The dataset's row, as the study saw it."""
        found = answers.documents_of(self._store, self._dataset, [example_id])
        return Example.from_document(json.loads(found[example_id])) if found else None

    def outputs(
        self, ids: Sequence[str]
    ) -> dict[
        str, tuple[Example | None, tuple[str, str | None] | None, tuple[str, str | None] | None]
    ]:
        """id -> (the example, the candidate's and the baseline's run id with its output, cut at
        LONG): several in one question.
        """
        arms = self._arms()
        found = answers.first_outputs(self._store, arms, ids)
        documents = answers.documents_of(self._store, self._dataset, ids).items()
        known = {name: Example.from_document(json.loads(document)) for name, document in documents}
        return {
            name: (known.get(name), found.get((name, arms["new"])), found.get((name, arms["old"])))
            for name in ids
        }

    # -- how

    @property
    def _dataset(self) -> str:
        return str(self._study.record.dataset.fingerprint)

    def _arms(self) -> dict[str, Any]:
        old = self.baseline.version if self.baseline else ""
        return {"study": self._study.id, "new": self.candidate.version, "old": old}

    def _index(self, scorer: str) -> DataFrame:
        """One row per example, biggest loss first; read once per scorer."""
        name = scorer or (self._study.record.primary)
        if name not in self._memo.index:
            scorer_versions = {own.name: own.version for own in self._study.record.scorers}
            if name and name not in scorer_versions:
                raise StudyError(
                    f"{self._study.name} has no scorer {name!r}; it has"
                    f" {', '.join(scorer_versions)}."
                )
            frame = answers.figures_by_example(
                self._store, self._arms(), name, scorer_versions.get(name, "")
            )
            gain = frame["new"] - frame["old"] if self.baseline else frame["new"]
            frame = frame.assign(gain=gain)
            for column in ("new_failure", "old_failure"):
                frame[column] = frame[column].astype("category")
            self._memo.index[name] = frame.sort_values(
                ["gain", "example_id"], kind="stable", na_position="last"
            ).reset_index(drop=True)
        return self._memo.index[name]

    def _chosen(self, wanted: Filter) -> DataFrame:
        if wanted.kind not in KINDS:
            raise StudyError(
                f"examples cannot be filtered by {wanted.kind!r}; choose one of {', '.join(KINDS)}."
            )
        frame = self._index(wanted.scorer)
        gain = frame["gain"] if self.baseline else frame["new"] * 0
        masks = {
            "changed": gain.abs() > 1e-12,
            "lost": gain < -1e-12,
            "won": gain > 1e-12,
            "failing": frame["new"] < 1,
            "unscored": frame["new"].isna() | (frame["old"].isna() if self.baseline else False),
        }
        if wanted.kind != "all":
            frame = frame[masks[wanted.kind]]
        if wanted.failure:
            frame = frame[
                (frame["new_failure"] == wanted.failure) | (frame["old_failure"] == wanted.failure)
            ]
        for what, value in (("tag", wanted.tag), ("text", wanted.text.strip())):
            if value:
                frame = frame[frame["example_id"].isin(self._found(what, value))]
        return frame

    def _found(self, what: str, value: str) -> frozenset[str]:
        if (what, value) not in self._memo.found:
            found = (
                answers.tagged(self._store, self._dataset, value)
                if what == "tag"
                else answers.containing(self._store, self._arms(), self._dataset, value)
            )
            self._memo.found = {
                (what, value): found,
                **dict(list(self._memo.found.items())[:7]),
            }
        return self._memo.found[what, value]

    def _asked(self, ids: Sequence[str]) -> dict[str, str]:
        """The first text that each example puts into the prompt, cut."""
        found = answers.documents_of(self._store, self._dataset, ids)
        return {
            name: _first_text(json.loads(document).get("inputs") or {})
            for name, document in found.items()
        }

    def _scores(self, runs: Sequence[str], prints: set[str]) -> dict[str, list[RecordedScore]]:
        own = {str(scorer.version) for scorer in self._study.record.scorers}
        out: dict[str, list[RecordedScore]] = {}
        for run, name, value, passed, reason, unscored in answers.judgements_of(
            self._store, runs, prints, own
        ):
            out.setdefault(run, []).append(
                RecordedScore(name, value, passed, unscored or reason or "")
            )
        return out

    def _side(
        self,
        arm: ArmRecord | None,
        found: Mapping[str, Any],
        scores: Mapping[str, list[RecordedScore]],
    ) -> Side | None:
        if arm is None or arm.version not in found:
            return None
        (
            _,
            run,
            output,
            failure,
            detail,
            cost,
            latency,
            tokens_in,
            tokens_out,
            attempts,
            request,
            _print,
        ) = found[arm.version]
        return Side(
            arm.label, run, output, failure, detail or "", cost, latency, tokens_in, tokens_out,
            attempts, _messages(request),
            tuple(scores.get(run, ())), tuple(attempts_of(self._store, run)),
        )  # fmt: skip


def _incumbent(study: RecordedStudy, others: Sequence[ArmRecord]) -> ArmRecord | None:
    """The arm that serves prod, else the first of the others."""
    registry = study.project.registry
    known = study.prompt in registry.names()  # a study of imported answers may name another
    serving = registry.serving(study.prompt, "prod") if known else None
    return next(
        (arm for arm in others if serving is not None and arm.version == serving.id),
        others[0] if others else None,
    )


def _known(value: float) -> float | None:
    return None if value != value else float(value)


def _first_text(inputs: Mapping[str, object]) -> str:
    texts = [without_data(value) for value in inputs.values() if isinstance(value, str)]
    return max(texts, key=len, default=without_data(json.dumps(inputs, ensure_ascii=False)))[:SHORT]


def _messages(request: str | None) -> tuple[tuple[str, str], ...]:
    """(role, text) pairs of what was sent; a request that is not a list of messages, or was cut, is
    shown as it is.
    """
    try:
        messages = json.loads(request or "{}").get("messages") or ()
        return tuple(
            (str(message["role"]), _as_text(message.get("content"))) for message in messages
        )
    except (ValueError, AttributeError, TypeError, KeyError):
        return (("request", (request or "")[:LONG]),)


def _as_text(content: object) -> str:
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
