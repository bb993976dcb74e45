"""A study as a notebook holds it: running or done. It shows itself run, and answers for its
results.

In a notebook it works in the project's own thread and the cell ends at once; whatever needs its
results waits for them. A stop keeps all that was done, and the same cell finishes the rest.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..analysis.decide import Verdict
from ..study import comparing, over_time
from ..study.queries import outcomes
from ..study.records import load_version
from . import show
from .comparison import Comparison
from .leaderboard import Leaderboard
from .prompt import SavedVersion
from .study_examples import Examples

if TYPE_CHECKING:
    from pandas import DataFrame

    from ..analysis.arms import Arm
    from ..dataset import Dataset
    from ..dataset.correcting import Correction
    from ..engine.progress import Progress
    from ..policy import Policy
    from ..review.labelling import Labelling, RaterAgreement
    from ..study.live_losses import Losses
    from ..study.project import Project
    from ..study.recorded_study import RecordedStudy
    from ..study.score_study import Tally
    from ..study.study_record import StudyRecord
    from ..version import PromptVersion

__all__ = ["Study"]

LIMIT = 10_000  # rows of runs() and scores() unless asked otherwise


class Study:
    """One study of a project, with a face.

    id: names its design; name: for people; record: arms, dataset, scorers and repeats as recorded;
    recorded: the same without a face, which verbs take.
    """

    def __init__(self, recorded: RecordedStudy) -> None:
        self.recorded = recorded

    @property
    def project(self) -> Project:
        return self.recorded.project

    @property
    def record(self) -> StudyRecord:
        return self.recorded.record

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def prompt(self) -> str:
        return self.record.prompt

    @property
    def created(self) -> str:
        return self.record.created

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Study) and (self.id, self.project) == (other.id, other.project)

    def __hash__(self) -> int:
        return hash(self.id)

    # -- while it runs

    @property
    def status(self) -> str:
        """running, finished, stopped or failed; of a study from the store its last event."""
        return self.recorded.status

    @property
    def progress(self) -> Progress | None:
        """How far the calls are, while this process runs it; None for a study from the store."""
        running = self.recorded.running
        return running.progress if running is not None else None

    def wait(self, timeout_s: float | None = None) -> Study:
        """Wait until it is done; returns the study.

        Raises:
            StudyError, SetupError: what stopped it from running at all.
            TimeoutError: it is not done after `timeout_s` seconds.
        """
        self.recorded.wait(timeout_s)
        return self

    def follow(self) -> None:
        """Wait in a script, with a line of progress; warns of what is missing."""
        running = self.recorded.running
        if running is None:
            return
        try:
            show.follow(self)
        except KeyboardInterrupt:
            raise running.interrupted() from None
        self.wait()
        for sentence in (*running.notes(), *running.shortfalls()):
            warnings.warn(sentence, stacklevel=3)

    def stop(self, reason: str = "stopped by hand") -> Study:
        """Stop asking within a second; everything done is kept, and the same cell finishes it."""
        if self.recorded.running is not None:
            self.recorded.running.stop(reason)
        return self

    @property
    def reused(self) -> int:
        """Runs that were there before and cost nothing now, while this process runs it."""
        return self.recorded.running.reused if self.recorded.running is not None else 0

    def tally(self, arm: int, scorer: str | None = None) -> Tally | None:
        """What an arm (by its place) has come to so far on a scorer (default: the primary)."""
        running = self.recorded.running
        name = scorer or self.record.primary
        return running.tally(arm, name) if running is not None else None

    @property
    def losses(self) -> Losses | None:
        """What the last arm has lost against the first so far; None for a study from the store."""
        return self.recorded.running.losses if self.recorded.running is not None else None

    def done_of(self, arm: int) -> int:
        """Answered cells of an arm so far, reused ones included."""
        running = self.recorded.running
        return running.done_of(arm, self.record.arms[arm].version) if running is not None else 0

    def version_of(self, id: str) -> PromptVersion | None:
        """The content of an arm by its version's id; None where only its answers are known."""
        return load_version(self.project.store, id)

    # -- what came out

    def runs(self, limit: int = LIMIT) -> DataFrame:
        """One row per cell of the study (arm, example, repeat) with its run; at most `limit`."""
        self.wait()
        return outcomes.runs_frame(self.project.store, self.id, limit)

    def scores(self, limit: int = LIMIT) -> DataFrame:
        """One row per judgement by the study's scorers: arm, example_id, repeat, scorer, value,
        passed, reason, ...; at most `limit` rows."""
        self.wait()
        own = [(scorer.name, scorer.version) for scorer in self.record.scorers]
        return outcomes.scores_frame(self.project.store, self.id, own, limit)

    @property
    def dataset(self) -> Dataset:
        """The examples as they were when the study was made."""
        return self.recorded.dataset

    @property
    def versions(self) -> tuple[str, ...]:
        """The arms' labels."""
        return self.record.labels

    @property
    def scorers(self) -> tuple[str, ...]:
        """Names, the primary first."""
        return tuple(scorer.name for scorer in self.record.scorers)

    def compare(
        self,
        candidate: Any = None,
        baseline: Any = None,
        *,
        primary: str | None = None,
        weights: str | None = None,
    ) -> Comparison:
        """`candidate` against `baseline` on this study's examples, paired.

        Arms are versions or labels. baseline: the incumbent of "prod" where it is in the study,
        else the first arm;
        candidate: the last arm. Raises StudyError where an arm is not in the study.
        weights: None (copies of an example count once) or "rows" (the means weigh an example by how
        often the dataset holds it; its copies are still one piece of evidence).
        """
        found = comparing.compare_in(
            self.wait().recorded, candidate, baseline, primary, weights=weights
        )
        return Comparison.shown(found, self.project)

    def peek(self, candidate: Any = None, baseline: Any = None) -> Comparison:
        """`compare` on what is in so far, without waiting: only the e-values may decide, so that
        looking early cheats nobody.
        """
        return Comparison.shown(over_time.peek(self.recorded, candidate, baseline), self.project)

    def since(self, earlier: Study | None = None, version: Any = None) -> Comparison:
        """A version (default: the last arm) against itself in an earlier study (default: its latest
        with other answers); `.flips()` lists what it has lost since. Raises StudyError where there
        is none.
        """
        before = earlier.recorded if earlier is not None else None
        found = over_time.since(self.wait().recorded, before, version)
        return Comparison.shown(found, self.project)

    def pass_at(self, k: int, scorer: str | None = None) -> DataFrame:
        """One row an arm: pass@k (at least one of k answers is right) and pass^k (all k are) with
        95 % intervals over examples.

        What cannot be known is NaN. Raises StudyError where the study has fewer than k repeats, or
        an outcome is not 0 or 1.
        """
        return over_time.pass_at(self.wait().recorded, k, scorer)

    def arms(self) -> list[Arm]:
        """The recorded outcomes of every version, an example at a time, in the study's order.

        Raises:
            StudyError: a version has no run.
        """
        return self.recorded.arms()

    def leaderboard(self, primary: str | None = None) -> Leaderboard:
        """All arms with intervals, best first, and Holm-corrected verdicts on the primary."""
        return Leaderboard.shown(comparing.leaderboard(self.wait().recorded, primary))

    # -- looking at answers, and what a review leaves behind

    def examples(self, candidate: Any = None, baseline: Any = None) -> Examples:
        """Two arms side by side, an example at a time: `.page(Filter("lost"))`, `.detail(id)`.

        Nothing is read that is not asked for.
        """
        return Examples(self, candidate, baseline)

    def labelling(self, rater: str, kind: str = "pairwise", **options: Any) -> Labelling:
        """A rater's blind, shuffled queue: `.task`, then `.answer(...)`. kind: "pairwise" or
        "rubric"; options: wanted=Filter(...).
        """
        from ..review.labelling import Labelling

        return Labelling(self.recorded, rater, kind, **options)

    def labels(self) -> DataFrame:
        """One row a label that people gave to this study's answers: example_id, rater, kind, label,
        value, note, run_id, labelled_at, id.
        """
        from ..review.labelling import labels_of

        return labels_of(self.recorded)

    def agreement(self, kind: str = "pairwise") -> RaterAgreement:
        """How far the raters agree on what two or more of them labelled."""
        from ..review.labelling import agreement

        return agreement(self.recorded, kind)

    def import_labels(self, path: str | Path) -> int:
        """Take in the labels that a reviewer downloaded from this study's report; returns how many
        were new. Raises StudyError.

        `lab.store.import_(path)` takes them of any study.
        """
        from ..review.labelling import import_labels

        return import_labels(self.project.store, path, self.recorded)

    def pin(self, example_id: str) -> Policy:
        """Make an example a must-pass one of the prompt's policy: no candidate may fail it where
        the baseline passes.
        """
        from ..review.review import pin

        return pin(self.recorded, example_id)

    def unpin(self, example_id: str) -> Policy:
        """Take an example out of the must-pass ones."""
        from ..review.review import unpin

        return unpin(self.recorded, example_id)

    def correct(
        self, example_id: str, expected: Any, path: str | Path | None = None, *, write: bool = True
    ) -> Correction:
        """Write a golden answer into the file that the dataset was read from, or beside it where no
        other byte would stand, into NAME.corrections.jsonl; returns the lines that change
        (write=False: only those). Raises DatasetError.
        """
        from ..review.review import correct

        return correct(self.recorded, example_id, expected, path, write=write)

    def dataset_file(self) -> Path | None:
        """The file that the dataset was read from; None where it was none, or is not in the
        project.
        """
        from ..review.review import dataset_file

        return dataset_file(self.recorded)

    def gate(self, version: SavedVersion, to: str, **options: Any) -> tuple[str, ...]:
        """Why promoting `version` to an environment would be refused or change nothing now, a
        sentence each; empty where it would go ahead. options: override="reason" and percent=10, as
        in Lab.promote. Changes nothing.
        """
        from ..review.review import gate_says

        return gate_says(self.project, version, to, self.wait().recorded, **options)

    @property
    def verdict(self) -> Verdict:
        """The prompt's policy applied to `compare()`."""
        return self.compare().verdict

    def report(self, path: str | Path | None = None) -> Path:
        """Write one self-contained HTML file for reviewers; returns its path."""
        target = (
            Path(path)
            if path is not None
            else self.project.root / f"{self.name.replace('/', '-')}.html"
        )
        return show.report(self.wait(), target)

    def rescore(
        self, scorers: Sequence[Any], dataset: Any = None, *, retry_failed: bool = False
    ) -> Study:
        """Score the recorded answers by other scorers, without a call: a study of the same runs.

        retry_failed: the same scorers, asked once more where they failed (`scorer_error`) and
        nowhere else. Without it an error is final until the scorer's own code or version changes;
        what a judge was not asked is asked by running the cell again.
        """
        from ..study.preflight import checked_scorers
        from ..study.rescore import rescore
        from ..study.retry_scorers import asked_again

        recorded = self.wait().recorded
        checked = checked_scorers(scorers)
        chosen = [asked_again(recorded, scorer) for scorer in checked] if retry_failed else checked
        return Study(rescore(recorded, chosen, dataset))

    def __repr__(self) -> str:
        record = self.record
        size = f"{len(record.arms)} versions x {record.dataset.n} examples"
        if record.repeats > 1:
            size += f" x {record.repeats} repeats"
        return f"<study {self.name}: {size}, {show.headline(self)}>"

    def _ipython_display_(self) -> None:
        show.display(self)

    def _repr_html_(self) -> str:
        return show.html(self)
