"""A comparison of what somebody already has: one line, a table with two columns of answers (or
scores), and nothing else.

No lab, no key, nothing is written. `.keep(lab)` records the table as a study.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..analysis.answer_noise import NoiseFloor, noise_floor
from ..analysis.arms import Arm, Outcomes
from ..analysis.classes import GoldenLabels
from ..analysis.compare import ComparisonContext
from ..analysis.compare import compare as facts_of
from ..analysis.pooled_copies import collapse
from ..engine.scorer_needs import check_needs
from ..errors import StudyError
from ..exchange.compare_runs import compared_runs
from ..markup import plain_repr
from ..models.recorded import COLUMNS
from ..policy import Policy
from ..scorers.case import Scorer
from ..signatures import explained
from ..study.compared import Compared
from ..study.copies import copies_of, golden_reads, reads_of
from ..study.golden_labels import golden_labels, labelled
from ..study.preflight import check_texts
from ..study.scored_table import blanks, cell_text, scored_cells, scores_in
from ..study.scored_table import chosen as chosen_scorers
from ..study.study_record import ScorerRef
from ..study.tabular import AnswerTable, read_table
from ..study.weights import weight_column, weights_of
from . import show
from .comparison import Comparison

if TYPE_CHECKING:
    from ..dataset import Dataset
    from .lab import Lab
    from .study import Study

__all__ = ["TableComparison", "compare"]

_SHOWN = 8  # ids of worse examples in a sentence


class TableComparison(Comparison):
    """A comparison of a table. table_notes: what was guessed or left out when it was read."""

    table_notes: tuple[str, ...]
    table: AnswerTable
    scorers_used: Sequence[Scorer]

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What was guessed or left out when the table was read, and what a careful reader should
        know before trusting the figures; one sentence each.
        """
        return (*self.table_notes, *super().notes)

    def worse(self, name: str | None = None) -> list[str]:
        """Ids of the examples that got worse, largest loss first."""
        flips = self.flips(name)
        return [str(example) for example in flips[flips["gain"] < 0]["example_id"]]

    def plainly(self) -> str:
        """The statement, and which examples got worse."""
        worse = self.worse()
        if not worse:
            return f"{self.statement()} No example got worse."
        shown = ", ".join(worse[:_SHOWN]) + (
            f" and {len(worse) - _SHOWN:,} more" if len(worse) > _SHOWN else ""
        )
        return (
            f"{self.statement()} {'This one' if len(worse) == 1 else f'These {len(worse):,}'} got"
            f" worse: {shown}."
        )

    def keep(self, lab: Lab, *, prompt: str = "", name: str | None = None) -> Study:
        """Record the table's answers in `lab` as a study, for labels, reports and promotions.

        Recording it again adds nothing.
        """
        if not self.scorers_used:
            return self._keep_scores(lab, prompt, name)
        rows = [
            {
                "example_id": example,
                "version": label,
                "output": output,
                "failure": "internal" if output is None else None,
                **{
                    name: value
                    for name, value in self.table.columns_of(label, example, repeat).items()
                    if name not in COLUMNS
                },
            }
            for label, cells in self.table.cells.items()
            for example, outputs in cells.items()
            for repeat, output in enumerate(map(cell_text, outputs))
        ]
        return lab.import_runs(
            rows, self.table.dataset, list(self.scorers_used), prompt=prompt, name=name
        )

    def _keep_scores(self, lab: Lab, prompt: str, name: str | None) -> Study:
        """The table's scores as a study without outputs: compared and reported, not rescored."""
        rows = [
            {"example_id": example, "version": label, "output": None, "score": score}
            for label, cells in (scores_in(self.table) or {}).items()
            for example, scores in cells.items()
            for score in scores
        ]
        if not rows:
            raise StudyError(
                "two files of runs are kept by lab.import_from(...), which takes their versions"
                " along."
            )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*are read as its repeats")
            return lab.import_runs(
                rows, self.table.dataset, scores=["score"], prompt=prompt, name=name
            )

    def report(self, path: str | Path) -> Path:
        """Write one self-contained HTML file: the comparison, and the changed examples with both
        answers; returns its path.
        """
        return show.report(self, Path(path))

    @plain_repr
    def __repr__(self) -> str:
        guessed = f" ({' '.join(self.table_notes)})" if self.table_notes else ""
        return (
            f"<Comparison {self.candidate.label} against {self.baseline.label}:"
            f" {self.plainly()}{guessed}>"
        )

    def _repr_html_(self) -> str:
        return show.html(self)


@explained
def compare(
    table: object = None,
    *,
    baseline: str,
    candidate: str,
    expected: str | None = None,
    scorer: object = None,
    version: str | None = None,
    weights: str | None = None,
    output: str | None = None,
    id: str | None = None,
    tags: str | None = None,
    cluster: str | None = None,
) -> TableComparison:
    """Compare a candidate with a baseline on the examples of a table.

    A wide table has one column of answers for each of the two (or of scores: numbers in [0, 1],
    true and false). A long table has a column of versions, one of answers and one of example ids,
    where several rows with one id are repeats; these columns are detected by their usual names.

    Args:
        table: anything that `Dataset.read` reads; None: baseline and candidate are files, each with
            one run of another tool (Inspect, lm-eval, ...), compared by their own scores.
        baseline, candidate: the two columns, or the two values of the column `version`.
        expected: the column of golden answers.
        scorer: a scorer, several, or your own function; None: chosen from the data, with a note
            in `.notes`.
        version, output, id: columns of a long table.
        weights: None: equal rows count once; "rows": the means weight a row by its number of
            copies; a column of numbers, such as how often each input occurs: weighted figures are
            added, and may block a promotion.
        tags: a column of topics.
        cluster: a column of groups that count as one example.

    Raises:
        StudyError, DatasetError: if the table cannot be compared; the message lists its columns.
    """
    a, b = baseline, candidate
    named = {"output": output, "id": id, "tags": tags, "cluster": cluster}
    columns = {role: column for role, column in named.items() if column is not None}
    if table is None:
        asked = {**columns, "expected": expected, "scorer": scorer, "version": version}
        asked["weights"] = weights
        return _files(a, b, [name for name, value in asked.items() if value is not None])
    notes: list[str] = []
    held = read_table(table, a, b, version=version, expected=expected, columns=columns, notes=notes)
    scores = None if scorer is not None or expected is not None else scores_in(held)
    chosen: list[Scorer] = []
    if scores is not None:
        notes.append(f"{a} and {b} hold scores, which are compared as they are.")
        arms = {
            label: Arm(label, label, {"score": Outcomes.of(rows, kind="user")})
            for label, rows in scores.items()
        }
    else:
        chosen = chosen_scorers(scorer, held, notes)
        notes += [*check_needs(chosen, held.as_judged()), *check_texts(chosen, held.dataset)]
        golden = golden_labels(held.dataset)
        arms = {label: _arm(label, held, chosen, golden) for label in (a, b)}
    if expected is None and scores is None:
        notes += [sentence for sentence in held.dataset.notes if sentence.startswith("expected ")]
    notes += blanks(held)
    grounds = _grounds(held.dataset, chosen, weights)
    grounds = replace(grounds, noise=_noise(arms[b], arms[a], grounds.copies))
    out = TableComparison.shown(Compared(facts_of(arms[b], arms[a], grounds=grounds), Policy()))
    out.table_notes, out.table, out.scorers_used = tuple(notes), held, tuple(chosen)
    return out


def _grounds(data: Dataset, scorers: Sequence[Scorer], weights: str | None) -> ComparisonContext:
    """What the table says of its examples: copies, groups, topics, weights, and golden labels
    where answers are scored.
    """
    read = golden_reads(ScorerRef.of(scorers[0]).needs if scorers else ())
    column = weight_column(weights, {name for example in data for name in example.inputs})
    same = copies_of(data, [reads_of(None, column)], read).weighted(weights)
    return ComparisonContext(
        dataset=data.name,
        fingerprint=data.fingerprint,
        planned=same.distinct,
        clusters=same.clusters,
        tags=data.tags,
        copies=same.copies,
        contradictory=same.contradictory,
        labels=golden_labels(data) if scorers else None,
        weights=weights_of(data, column, same.copies) if column else None,
        weighed_by=column or "",
    )


def _noise(candidate: Arm, baseline: Arm, copies: Mapping[str, str]) -> NoiseFloor | None:
    """The noise floor by the table's own repeats of the baseline; None if it has too few."""
    held = (collapse(candidate, copies).scores, collapse(baseline, copies).scores)
    name = next(iter(held[0]), "")
    if name not in held[1]:
        return None
    return noise_floor(held[1][name], held[0][name], held[1][name])


def _files(baseline: str, candidate: str, asked: Sequence[str]) -> TableComparison:
    """The comparison of two files of runs. asked: options that only a table has."""
    if asked:
        raise StudyError(
            f"{asked[0]}= is for a table of answers; two files of runs are compared by their own"
            " scores: leave it out, or pass the table first."
        )
    found, table, notes = compared_runs(baseline, candidate)
    out = TableComparison.shown(found)
    out.table_notes, out.table, out.scorers_used = notes, table, ()
    return out


def _arm(
    label: str, held: AnswerTable, scorers: Sequence[Scorer], golden: GoldenLabels | None
) -> Arm:
    """The cells scored, with the labels that they give."""
    found = scored_cells(label, held, scorers)
    kinds = {scorer.name: (scorer.kind, scorer.version) for scorer in scorers}
    texts = [
        (example, cell_text(cell)) for example, row in held.cells[label].items() for cell in row
    ]
    scores = {name: _outcomes(values, kinds, name) for name, values in found.items()}
    arm = Arm(label, label, scores)
    return labelled(arm, texts, golden) if golden is not None else arm


def _outcomes(
    values: Mapping[str, Sequence[float | None]], kinds: Mapping[str, tuple[str, str]], name: str
) -> Outcomes:
    """One scorer's outcomes; what one scorer says under several names ("rubric/clarity") is of its
    kind and version.
    """
    kind, scorer_version = kinds.get(name) or kinds.get(name.rpartition("/")[0]) or ("user", "1")
    return Outcomes.of(values, kind=kind, versions=(scorer_version,))
