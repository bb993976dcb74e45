"""A study as a notebook holds it: running or done. It shows itself run, and answers for its
results.

In a notebook it works in the project's own thread and the cell ends at once; whatever needs its
results waits for them. A stop keeps all that was done, and the same cell finishes the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..markup import count, plain_repr, shorten, stem
from ..signatures import explained_methods
from ..study.queries import outcomes
from . import show
from .prompt import SavedVersion, checked_env
from .study_progress import StudyProgress
from .study_review import StudyReview
from .workers import at_workers

if TYPE_CHECKING:
    from pandas import DataFrame

    from ..analysis.verdict import Verdict
    from ..study.recorded_study import RecordedStudy
    from ..study.study_record import StudyRecord
    from .comparison import Comparison
    from .leaderboard import Leaderboard

__all__ = ["Study"]

LIMIT = 10_000  # rows of runs() and scores() unless asked otherwise


@explained_methods
class Study:
    """One study of a project, which displays in a notebook.

    id: identifies its design; name: the display name; record: arms, dataset, scorers and repeats as
    recorded; recorded: the same study without methods of display.
    """

    def __init__(self, recorded: RecordedStudy) -> None:
        self.recorded = recorded

    @property
    def record(self) -> StudyRecord:
        return self.recorded.record

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def name(self) -> str:
        return self.record.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Study) and (self.id, self.recorded.project) == (
            other.id,
            other.recorded.project,
        )

    def __hash__(self) -> int:
        return hash(self.id)

    # -- while it runs

    @property
    def status(self) -> str:
        """running, finished, stopped or failed; for a study from the store, its last event."""
        return self.recorded.status

    @property
    def progress(self) -> StudyProgress:
        """The progress while this process runs the study: `.calls`, `.tally(arm)`, `.stop()`."""
        return StudyProgress(self.recorded)

    @property
    def review(self) -> StudyReview:
        """The review: single answers, labels, pins, corrected golden answers."""
        return StudyReview(self.recorded)

    def wait(self, timeout_s: float | None = None) -> Study:
        """Wait until the study is done, and return it.

        Raises:
            StudyError, SetupError: if the study could not run.
            TimeoutError: if it is not done after `timeout_s` seconds.
        """
        self.recorded.wait(timeout_s)
        return self

    # -- what came out

    def runs(self, limit: int = LIMIT) -> DataFrame:
        """One row per cell of the study (arm, example, repeat) with its run; at most `limit`."""
        self.wait()
        return outcomes.runs_frame(self.recorded.project.store, self.id, limit)

    def scores(self, limit: int = LIMIT) -> DataFrame:
        """One row per judgement by the study's scorers: arm, example_id, repeat, scorer, value,
        passed, reason, ...; at most `limit` rows."""
        self.wait()
        own = [(scorer.name, scorer.version) for scorer in self.record.scorers]
        return outcomes.scores_frame(self.recorded.project.store, self.id, own, limit)

    def compare(
        self,
        *,
        candidate: object = None,
        baseline: object = None,
        primary: str | None = None,
        weights: str | None = None,
    ) -> Comparison:
        """Compare two arms, paired by example.

        Args:
            candidate: a version or label; None: the last arm.
            baseline: a version or label; None: what serves in prod if the study contains it, else
                the first arm.
            primary: the scorer that decides; None: the policy's, else the first.
            weights: None: the policy's column, else copies of an example count once; "rows": the
                means weight an example by its number of copies in the dataset, which remain one
                observation; a column of numbers, such as how often each input occurs: weighted
                figures are added, and may block a promotion.

        Raises:
            StudyError: if an arm is not in the study.
        """
        from ..study.comparing import compare_in
        from .comparison import Comparison

        found = compare_in(self.wait().recorded, candidate, baseline, primary, weights=weights)
        shown = Comparison.shown(found, self.recorded.project)
        shown.study = self.recorded
        return shown

    def since(self, earlier: Study | None = None, version: object = None) -> Comparison:
        """Compare a version with itself in an earlier study; `.flips()` lists the examples that it
        has lost since.

        Args:
            earlier: the earlier study; None: the latest one with other answers of the version.
            version: the version to compare; None: the last arm.

        Raises:
            StudyError: if no earlier study has other answers of this version.
        """
        from ..study import over_time
        from .comparison import Comparison

        before = earlier.recorded if earlier is not None else None
        found = over_time.since(self.wait().recorded, before, version)
        return Comparison.shown(found, self.recorded.project)

    def pass_at(self, k: int, scorer: str | None = None) -> DataFrame:
        """A table with one row per arm: pass@k (at least one of k answers is right) and pass^k (all
        k are), with 95 % intervals over examples.

        A figure that cannot be estimated is NaN.

        Args:
            k: the number of answers.
            scorer: a scorer with outcomes 0 or 1; None: the primary.

        Raises:
            StudyError: if the study has fewer than k repeats, or an outcome is not 0 or 1.
        """
        from ..study.over_time import pass_at

        return pass_at(self.wait().recorded, k, scorer)

    def leaderboard(self, primary: str | None = None) -> Leaderboard:
        """All arms, best first, with intervals and Holm-corrected verdicts on the primary."""
        from ..study.comparing import leaderboard
        from .leaderboard import Leaderboard

        return Leaderboard.shown(leaderboard(self.wait().recorded, primary))

    def gate(
        self, version: SavedVersion, *, env: str, override: str = "", percent: float | None = None
    ) -> tuple[str, ...]:
        """List the reasons why promoting a version now would be refused or would change nothing;
        the check itself changes nothing.

        Args:
            version, env, override, percent: as in `lab.promote`.

        Returns:
            One sentence per unmet point; empty if the promotion would succeed, and for a version
            that serves there already.
        """
        from ..review.review import gate_says

        recorded = self.wait().recorded
        return gate_says(
            recorded.project,
            version,
            checked_env(env, version),
            recorded,
            override=override,
            percent=percent,
        )

    @property
    def verdict(self) -> Verdict:
        """The prompt's policy applied to `compare()`."""
        return self.compare().verdict

    def report(self, path: str | Path | None = None) -> Path:
        """Write one self-contained HTML file for reviewers; returns its path."""
        target = (
            Path(path)
            if path is not None
            else self.recorded.project.root / f"{stem(self.name)}.html"
        )
        return show.report(self.wait(), target)

    def rescore(
        self,
        scorers: Sequence[object],
        dataset: object = None,
        *,
        retry_failed: bool = False,
        workers: object = None,
    ) -> Study:
        """Score the recorded answers with other scorers, as a new study of the same runs; no answer
        is generated.

        Args:
            scorers: the scorers; the first is the primary.
            dataset: the examples with additional columns; None: as they were recorded.
            retry_failed: run the same scorers again, only on the answers where they failed
                (`scorer_error`). Without it an error is final until the scorer's code or version
                changes. Judge calls that were never made are made by running the cell again.
            workers: the address of a dask scheduler, or its Client, on which to score. This is
                faster for scorers that need the CPU; each must be in the catalogue, or a function
                in a module that the workers can import.
        """
        from ..study.preflight import checked_scorers
        from ..study.rescore import rescore
        from ..study.retry_scorers import for_retry

        recorded = self.wait().recorded
        checked = checked_scorers(scorers)
        chosen = [for_retry(recorded, scorer) for scorer in checked] if retry_failed else checked
        pool = at_workers(recorded.project, workers)
        return Study(rescore(recorded, chosen, dataset, pool))

    @plain_repr
    def __repr__(self) -> str:
        record = self.record
        size = f"{count(len(record.arms), 'version')} x {count(record.dataset.n, 'example')}"
        if record.repeats > 1:
            size += f" x {record.repeats} repeats"
        return f"<study {shorten(self.name, 200)}: {size}, {show.headline(self)}>"

    def _ipython_display_(self) -> None:
        show.display(self)

    def _repr_html_(self) -> str:
        return show.html(self)
