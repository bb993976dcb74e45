"""Live calls as a notebook shows them: versions x calls, failures, cost, latency, feedback and
quality, with what was deployed meanwhile; any part of them becomes a dataset or is scored.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import StudyError
from ..markup import count, plain_repr
from ..monitor import live_questions
from ..monitor.live_rows import labels_of_feedback, rows_of, to_dataset
from ..monitor.live_score import LiveScoring, score_live
from ..monitor.live_sources import live_source, taken_in
from ..monitor.live_watch import declare_live
from ..monitor.queries import live_listing
from ..run import utc
from ..signatures import explained_methods
from ..study.queries.steps import deployed_since
from . import show
from .monitor import Monitor
from .prompt import Prompt

if TYPE_CHECKING:
    from pandas import DataFrame

    from ..dataset import Dataset
    from ..study.project import Project

__all__ = ["LiveView", "live", "live_prompts"]


def live(
    project: Project, prompt: Any, *, env: str | None, days: float, source: Any = None
) -> LiveView:
    """See Lab.live."""
    if not 0 <= days < float("inf"):
        raise StudyError(f"days is {days!r}; expected how many days back, as in days=7.")
    if env is not None and not isinstance(env, str):
        raise StudyError(f"env is {env!r}; expected the name of an environment, or None for all.")
    if source is not None and not isinstance(source, (str, os.PathLike)):
        raise StudyError(f"source is {source!r}; expected the path of a folder or a file.")
    name = prompt.name if isinstance(prompt, Prompt) else str(prompt)
    since = utc(max(time.time() - days * 86_400, 0.0))
    return LiveView(project, {"prompt": name, "env": env, "since": since}, live_source(source))


def live_prompts(project: Project, source: object = None) -> list[tuple[str, str | None]]:
    """(prompt, environment) of the live calls that are known, the newest called first."""
    taken_in(project.store, live_source(source))
    return live_listing.prompts(project.store)


@explained_methods
class LiveView:
    """The result of `lab.live`; each access reads what was recorded since the previous one.

    condition: SQL over the rows' columns and over `good`, `correction`, `rating`, `label` and
    `score`; notes: what a reader should know.
    """

    def __init__(
        self,
        project: Project,
        asked: dict[str, Any],
        source: Path | None,
        condition: str = "true",
    ) -> None:
        self.project, self.asked, self.source = project, asked, source
        self.condition = condition
        self._added: tuple[str, ...] = ()

    @property
    def versions(self) -> list[dict[str, Any]]:
        """One row per version and arm: calls, failures, p50_ms, p95_ms, cost_usd, votes, good,
        scored, score.
        """
        asked = {**self._chosen(), "scorer": None}
        return live_questions.by_version(self.project.store, asked, self.project.prices)

    @property
    def hours(self) -> list[dict[str, Any]]:
        """One row per hour and version."""
        return live_questions.by_hour(self.project.store, self._chosen(), quality=True)

    @property
    def deployments(self) -> list[dict[str, Any]]:
        """The deployments in this window, oldest first: at, version, kind, and label (a canary's
        own version with its share).
        """
        found = deployed_since(self.project.store, **self.asked)
        registry, labels = self.project.registry, {}
        for env in {env for _, env, _, _ in found}:
            for entry in registry.history(self.asked["prompt"], env):
                canary = entry.canary if entry.kind == "canary" else None
                if canary is not None:
                    at = datetime.fromisoformat(entry.at).replace(tzinfo=None)
                    labels[env, at, "canary"] = f"v{canary.number} at {canary.percent:g} %"
        return [
            {
                "at": at,
                "version": version,
                "kind": kind,
                "label": labels.get((env, at, kind), f"v{version}"),
            }
            for at, env, version, kind in found
        ]

    def where(self, condition: str) -> LiveView:
        """Select the rows that meet a SQL condition: `failure is not null or score < 0.5`."""
        both = f"({self.condition}) AND ({condition}\n)" if self.condition != "true" else condition
        return LiveView(self.project, self.asked, self.source, both)

    def frame(self) -> DataFrame:
        """The rows, newest first; at most 100,000.

        Raises StoreError if the condition is invalid.
        """
        self._take()
        return live_listing.chosen(self.project.store, self.asked, self.condition)

    def rows(self, most: int | None = None) -> list[dict[str, Any]]:
        """The newest `most` rows of `frame` as dicts, with None for unknown values."""
        self._take()
        store = self.project.store
        return rows_of(live_listing.chosen(store, self.asked, self.condition, most))

    def review(
        self, row: Mapping[str, Any], path: str | os.PathLike[str], *, expected: str | None = None
    ) -> str:
        """Add one reviewed call to a .jsonl file of examples, with the tag `reviewed`.

        Args:
            row: one of `rows`.
            path: as in `to_dataset`.
            expected: the golden answer; None: the correction by a user, if there is one.

        Returns:
            One sentence, which states whether the example is new.

        Raises:
            DatasetError: if the values of the call were not kept.
        """
        reviewed = {**row, "correction": expected or row.get("correction"), "reviewed": True}
        dataset, new, _ = to_dataset([reviewed], self.project.root / path)
        was = "is a new example" if new else "was an example before"
        return f"It {was} of {path}, which has {len(dataset):,}."

    def to_labels(self) -> int:
        """Store the feedback on these answers (good or bad, or a score from 0 to 1) as human labels
        for measuring a judge; returns how many are new.
        """
        return labels_of_feedback(self.project.store, [row["id"] for row in self.rows()])

    def to_dataset(self, path: str | os.PathLike[str]) -> Dataset:
        """Add these calls to a .jsonl file of examples, once per content; corrections become golden
        answers, sessions become clusters, and failures and labels become tags.

        Args:
            path: the file, relative to the project's folder; created if it does not exist.

        Raises:
            DatasetError: if no row makes an example, since its values were not kept, say.
        """
        rows = self.rows()
        dataset, new, unfit = to_dataset(rows, self.project.root / path)
        left = "".join(f"; {many:,} {why}" for why, many in unfit.items())
        self._added = (
            f"{count(new, 'example')} {'is' if new == 1 else 'are'} new, of"
            f" {count(len(rows), 'live call')}{left}.",
        )
        return dataset

    def score(
        self, scorers: Sequence[Any], *, share: float = 1.0, budget_usd: float | None = None
    ) -> LiveScoring:
        """Score a share of these answers, each answer once; the result states what was not scored.

        Args:
            scorers: as in a study; a scorer that needs a golden answer scores only corrected ones.
            share: the share of the calls, chosen by hash: always the same calls.
            budget_usd: the budget of the judges in this call.
        """
        return score_live(self.project, self.rows(), scorers, share=share, budget_usd=budget_usd)

    def watch(
        self, scorers: Sequence[Any], *, share: float = 0.05, budget_usd: float | None = None
    ) -> Monitor:
        """Monitor the quality of these calls from today on: `promptops watch run` scores a share of
        each complete day and raises an alarm if it falls below that of the previous weeks.

        Args:
            scorers: catalogue expressions as text, such as "json_valid()".
            share: the share of a day's calls, chosen by hash.
            budget_usd: the budget of the judges per run.

        Raises:
            StudyError: if there are not two whole weeks with scored calls on each day, or another
                monitor exists here.
        """
        self._take()
        prompt, env = self.asked["prompt"], self.asked["env"] or "prod"
        given: dict[str, Any] = {"env": env, "share": share, "budget_usd": budget_usd}
        return Monitor(self.project, declare_live(self.project, prompt, scorers, **given), scorers)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know: lost rows, versions that other scorers judged."""
        lost = live_listing.losses(self.project.store, self.asked["since"])
        note = f"{lost:,} live rows could not be recorded and are in no figure." if lost else ""
        unlike = live_questions.unlike_scorers(self.project.store, self.asked)
        return (*filter(None, [note, unlike]), *self._added)

    def figure(self) -> object:
        """Calls and p95 latency by hour and version, with deployments, as a plotly figure."""
        return show.live_figure(self)

    def _chosen(self) -> dict[str, Any]:
        """What figures are asked of: all calls of the window, or those of the condition."""
        self._take()
        if self.condition == "true":
            return self.asked
        ids = live_listing.chosen_ids(self.project.store, self.asked, self.condition)
        return {**self.asked, "ids": ids}

    def _take(self) -> None:
        taken_in(self.project.store, self.source)

    @plain_repr
    def __repr__(self) -> str:
        rows = self.versions
        calls = sum(row["calls"] for row in rows)
        where = f" in {self.asked['env']}" if self.asked["env"] else ""
        many = "s" if calls != 1 else ""
        versions = f"{len(rows)} version{'s' if len(rows) != 1 else ''}"
        return f"<live {self.asked['prompt']}{where}: {calls:,} call{many}, {versions}>"

    def _repr_html_(self) -> str:
        return show.html(self)
