"""A study: versions x examples x repeats, running or done. It watches itself run, and answers for its results afterwards.

In a notebook it works in the lab's own thread and the cell ends at once; whatever needs its results waits for them.
A stop keeps all that was done, and the same cell finishes the rest.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError, Future
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..analysis.decide import Verdict
from ..errors import SetupError, StudyError
from ..study.unscripted import Scripts, interrupted
from .comparison import Comparison
from .prompt import SavedVersion

if TYPE_CHECKING:
    from pandas import DataFrame

    from ..analysis.arms import Arm
    from ..dataset import Dataset
    from ..dataset.correcting import Correction
    from ..engine.loop import Background
    from ..engine.progress import Progress
    from ..policy import Policy
    from ..review.labelling import Among, Labelling
    from ..study.examples import Examples
    from ..study.live_losses import Losses
    from ..study.score_study import Tally
    from ..study.study_run import Work
    from ..version import PromptVersion
    from .lab import Lab

__all__ = ["Study"]

LIMIT = 10_000  # rows of runs() and scores() unless asked otherwise


class Study:
    """id: names its design; name: for people; config: {"arms", "dataset", "scorers", "repeats", "split"} as it was recorded."""

    def __init__(
        self,
        lab: Lab,
        id: str,
        name: str,
        prompt: str,
        config: Mapping[str, Any],
        *,
        created: str = "",
    ) -> None:
        self._lab = lab
        self.id, self.name, self.prompt, self.config, self.created = (
            id,
            name,
            prompt,
            config,
            created,
        )
        self._work: Work | None = None
        self._future: Future[None] | None = None
        self._scripts: Scripts | None = None

    # -- while it runs

    def _start(self, work: Work, loop: Background) -> None:
        self._scripts = Scripts(work)
        self._work, self._future = work, loop.submit(work.run())

    @property
    def status(self) -> str:
        """running, finished, stopped or failed; of a study from the store: what its last event says."""
        if self._future is not None:
            if not self._future.done():
                return "running"
            if self._future.cancelled() or self._future.exception() is not None or self._unscripted:
                return "failed"
            return "stopped" if self._work is not None and self._work.stopped else "finished"
        rows = self._lab.store.rows(
            'select arg_max(event, "at") from study_events where study_id = ?', [self.id]
        )
        return "finished" if rows[0][0] in (None, "settled") else str(rows[0][0])

    @property
    def progress(self) -> Progress | None:
        """How far the calls are, while this process runs it; None for a study from the store."""
        return self._work.progress if self._work is not None else None

    def wait(self, timeout_s: float | None = None) -> Study:
        """Wait until it is done. Raises what stopped it from running at all; TimeoutError past `timeout_s`; SetupError where a
        ScriptedModel was asked what nobody scripted. An interrupt stops the study, keeps what is done, and goes on upwards."""
        if self._future is not None:
            try:
                self._future.result(timeout_s)
            except (CancelledError, asyncio.CancelledError):
                raise StudyError(
                    f"{self.name} was cancelled; run the cell again to finish it."
                ) from None
            except KeyboardInterrupt:
                raise interrupted(self, self._future) from None
            if self._unscripted:
                raise SetupError(self._unscripted)
        return self

    @property
    def _unscripted(self) -> str:
        return self._scripts.fault(self.name) if self._scripts is not None else ""

    def _watch(self) -> None:
        """Wait in a script, with a line of progress."""
        from ..views.progress_view import follow

        try:
            follow(self)
        except KeyboardInterrupt:
            if self._future is None:
                raise
            raise interrupted(self, self._future) from None
        self.wait()
        self._warn()

    def stop(self, reason: str = "stopped by hand") -> Study:
        """Stop asking within a second; everything done is kept, and running the cell again finishes the rest."""
        if self._work is not None:
            self._work.stop(reason)
        return self

    @property
    def reused(self) -> int:
        """Runs that were there before and cost nothing now, while this process runs it."""
        return self._work.reused if self._work is not None else 0

    def tally(self, arm: int, scorer: str | None = None) -> Tally | None:
        """What an arm (by its place) has come to so far on a scorer (default: the primary), while it runs."""
        name = scorer or (self.scorers[0] if self.scorers else "")
        return self._work.marking.tallies.get((arm, name)) if self._work is not None else None

    @property
    def losses(self) -> Losses | None:
        """What the last arm has lost against the first so far, while this process runs it; None for a study from the store."""
        return self._work.marking.losses if self._work is not None else None

    def done_of(self, arm: int) -> int:
        """Answered places of an arm so far, reused ones included."""
        if self._work is None or self.progress is None:
            return 0
        found = self.progress.arms.get(self.config["arms"][arm]["version"])
        return (found.done if found is not None else 0) + self._work.reused_of(arm)

    def version_of(self, id: str) -> PromptVersion | None:
        """The content of an arm by its version's id; None where only its answers are known."""
        from ..study.records import load_version

        return load_version(self._lab.store, id)

    # -- what came out

    def runs(self, limit: int = LIMIT) -> DataFrame:
        """One row a place of the study (arm, example, repeat) with its run; at most `limit` rows."""
        self.wait()
        return self._lab.store.frame(
            "select m.arm, m.example_id, m.repeat, m.reused, r.* exclude (example_id, repeat) from study_runs m join runs r on r.id = m.run_id "
            "where m.study_id = ? order by m.example_id, m.arm, m.repeat limit ?",
            [self.id, limit],
        )

    def scores(self, limit: int = LIMIT) -> DataFrame:
        """One row a judgement by the study's scorers: arm, example_id, repeat, scorer, value, passed, reason, ...; at most `limit` rows."""
        self.wait()
        own = self.config["scorers"]
        return self._lab.store.frame(
            "select m.arm, m.example_id, m.repeat, s.* exclude (example_fingerprint) from study_runs m "
            "join scores s on s.run_id = m.run_id and s.example_fingerprint = m.example_fingerprint "
            "join (select unnest(?) as name, unnest(?) as edition) own on s.scorer_version = own.edition and (s.scorer = own.name or starts_with(s.scorer, own.name || '/')) "
            "where m.study_id = ? order by m.example_id, m.arm, m.repeat, s.scorer limit ?",
            [
                [scorer["name"] for scorer in own],
                [scorer["version"] for scorer in own],
                self.id,
                limit,
            ],
        )

    @cached_property
    def dataset(self) -> Dataset:
        """The examples as they were when the study was made."""
        from ..study.records import load_dataset

        return load_dataset(self._lab.store, self.config["dataset"]["fingerprint"], self._lab._root)

    @property
    def versions(self) -> tuple[str, ...]:
        """The arms' labels."""
        return tuple(arm["label"] for arm in self.config["arms"])

    @property
    def scorers(self) -> tuple[str, ...]:
        """Names, the primary first."""
        return tuple(scorer["name"] for scorer in self.config["scorers"])

    def compare(
        self, candidate: Any = None, baseline: Any = None, *, primary: str | None = None
    ) -> Comparison:
        """`candidate` against `baseline` on this study's examples, paired.

        Arms are versions or labels. baseline: the incumbent of "prod" where it is in the study, else the first arm;
        candidate: the last arm. Raises StudyError where an arm is not in the study.
        """
        from ..study.comparing import compare_in

        return compare_in(self.wait(), candidate, baseline, primary)

    def peek(self, candidate: Any = None, baseline: Any = None) -> Comparison:
        """`compare` on what is in so far, without waiting: only the e-values may decide, so that looking early cheats nobody."""
        from ..study.over_time import peek

        return peek(self, candidate, baseline)

    def since(self, earlier: Study | None = None, version: Any = None) -> Comparison:
        """A version (default: the last arm) against itself in an earlier study (default: its latest with other answers); `.flips()`
        lists what it has lost since. Raises StudyError where there is none."""
        from ..study.over_time import since

        return since(self.wait(), earlier, version)

    def pass_at(self, k: int, scorer: str | None = None) -> DataFrame:
        """One row an arm: pass@k (at least one of k answers is right) and pass^k (all k are) with 95 % intervals over examples.

        What cannot be known is NaN. Raises StudyError where the study has fewer than k repeats, or an outcome is not 0 or 1.
        """
        from ..study.over_time import pass_at

        repeats = int(self.config["repeats"])
        if isinstance(k, int) and k > repeats:
            raise StudyError(
                f"pass@{k} needs {k} answers of each example, and {self.name} has {repeats}; evaluate with repeats={k}: what is there is not asked again."
            )
        found = pass_at(self.wait(), k, scorer)
        return found.astype(
            {name: float for name in found.columns if name not in ("examples", "skipped")}
        )

    def arms(self) -> list[Arm]:
        """The recorded outcomes of every version, an example at a time, in the study's order. Raises StudyError where one has no run."""
        from ..study.outcomes import arms_of

        return arms_of(
            self._lab.store,
            [(self.id, arm["version"], arm["label"]) for arm in self.config["arms"]],
            self.config["scorers"],
        )

    def leaderboard(self, primary: str | None = None) -> Any:
        """All arms with intervals, best first, and Holm-corrected verdicts on the primary."""
        from ..study.comparing import leaderboard

        return leaderboard(self.wait(), primary)

    # -- looking at answers, and what a review leaves behind

    def examples(self, candidate: Any = None, baseline: Any = None) -> Examples:
        """Two arms side by side, an example at a time: `.page(Filter("lost"))`, `.detail(id)`. Nothing is read that is not asked for."""
        from ..study.examples import Examples

        return Examples(self, candidate, baseline)

    def labelling(self, rater: str, kind: str = "pairwise", **options: Any) -> Labelling:
        """A rater's blind, shuffled queue: `.task`, then `.answer(...)`. kind: "pairwise" or "rubric"; options: wanted=Filter(...)."""
        from ..review.labelling import Labelling

        return Labelling(self, rater, kind, **options)

    def labels(self) -> DataFrame:
        """One row a label that people gave to this study's answers: example_id, rater, kind, label, value, note, run_id, labelled_at, id."""
        from ..review.labelling import labels_of

        return labels_of(self)

    def agreement(self, kind: str = "pairwise") -> Among:
        """How far the raters agree on what two or more of them labelled."""
        from ..review.labelling import agreement

        return agreement(self, kind)

    def import_labels(self, path: str | Path) -> int:
        """Take in the labels that a reviewer downloaded from this study's report; returns how many were new. Raises StudyError.

        `lab.store.import_(path)` takes them of any study.
        """
        from ..review.labelling import import_labels

        return import_labels(self._lab.store, path, self)

    def pin(self, example_id: str) -> Policy:
        """Make an example a must-pass one of the prompt's policy: no candidate may fail it where the baseline passes."""
        from ..review.review import pin

        return pin(self, example_id)

    def unpin(self, example_id: str) -> Policy:
        """Take an example out of the must-pass ones."""
        from ..review.review import unpin

        return unpin(self, example_id)

    def correct(
        self, example_id: str, expected: Any, path: str | Path | None = None, *, write: bool = True
    ) -> Correction:
        """Write a golden answer into the file that the dataset was read from, or beside it where no other byte would stand, into
        NAME.corrections.jsonl; returns the lines that change (write=False: only those). Raises DatasetError."""
        from ..review.review import correct

        return correct(self, example_id, expected, path, write=write)

    def dataset_file(self) -> Path | None:
        """The file that the dataset was read from; None where it was none, or is not in the project."""
        from ..review.review import dataset_file

        return dataset_file(self)

    def gate(self, version: SavedVersion, to: str, **options: Any) -> tuple[str, ...]:
        """Why promoting `version` to an environment would be refused or change nothing now, a sentence each; empty where it would go
        ahead. options: override="reason" and percent=10, as in Lab.promote. Changes nothing.
        """
        from ..review.review import gate_says

        return gate_says(self._lab, version, to, self.wait(), **options)

    @property
    def verdict(self) -> Verdict:
        """The prompt's policy applied to `compare()`."""
        return self.compare().verdict

    def report(self, path: str | Path | None = None) -> Path:
        """Write one self-contained HTML file for reviewers; returns its path."""
        from ..views.report import write_report

        target = (
            Path(path)
            if path is not None
            else self._lab._root / f"{self.name.replace('/', '-')}.html"
        )
        return write_report(self.wait(), target)

    def rescore(self, scorers: Sequence[Any], dataset: Any = None, *, again: bool = False) -> Study:
        """Score the recorded answers by other scorers, without a call: a study of the same runs.

        again: the same scorers, asked once more where they failed (`scorer_error`) and nowhere else. Without it an error is
        final until the scorer's own code or version changes; what a judge was not asked is asked by running the cell again.
        """
        from ..study.preflight import checked_scorers
        from ..study.rescore import rescore
        from ..study.retry_scorers import asked_again

        checked = checked_scorers(scorers)
        return rescore(
            self.wait(),
            [asked_again(self, scorer) for scorer in checked] if again else checked,
            dataset,
        )

    def _arm(self, value: Any) -> Mapping[str, Any]:
        """The arm of a version, a label or an id."""
        wanted = value.id if hasattr(value, "id") else str(value)
        for arm in self.config["arms"]:
            if wanted in (arm["version"], arm["label"], arm["model"]) or (
                isinstance(value, SavedVersion) and arm["version"] == value.id
            ):
                return dict(arm)
        label = value.label if isinstance(value, SavedVersion) else wanted
        raise StudyError(
            f"{label} is not in the study {self.name}, which holds {', '.join(self.versions)}; evaluate them together."
        )

    def _warn(self) -> None:
        if self._work is None:
            return
        marking = self._work.marking
        stopped = self._work.unasked if marking.open else self._work.stopped
        if stopped:
            warnings.warn(
                f"{self.name} stopped: {stopped} Run the cell again to finish it; what is done is kept.",
                stacklevel=3,
            )
        if marking.open:
            said = f"{marking.open:,} judgements of {self.name} are open, nobody gave them ({marking.why}); run the cell again to ask for them."
            warnings.warn(said, stacklevel=3)

    def __repr__(self) -> str:
        config = self.config
        size = f"{len(config['arms'])} versions x {config['dataset']['n']} examples" + (
            f" x {config['repeats']} repeats" if config["repeats"] > 1 else ""
        )
        if self.status == "running" and self.progress is not None:
            from ..views.progress_view import line

            return (
                f"<study {self.name}: {size}, running: {line(self.progress, reused=self.reused)}>"
            )
        from ..views.study_view import headline

        return f"<study {self.name}: {size}, {self.status}. {headline(self)}>"

    def _ipython_display_(self) -> None:
        from ..views.live import show

        show(self)

    def _repr_html_(self) -> str:
        from ..views.study_view import html

        return html(self)
