"""The cells of a table that somebody already has, as scores: taken as they are, or given by scorers
that are named or guessed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..analysis import words
from ..run import Run
from ..scorers.case import Case, Scorer, request_of_columns
from ..scoring.score_phase import ScorePhase
from .guess_scorer import as_scores, guessed
from .preflight import checked_scorers
from .tabular import AnswerTable

if TYPE_CHECKING:
    from ..scoring.score_rows import ScoreRow

__all__ = ["blanks", "cell_text", "chosen", "scored_cells", "scores_in"]


def scores_in(held: AnswerTable) -> dict[str, dict[str, list[float | None]]] | None:
    """arm -> example -> scores, where both arms hold nothing else and no golden answer looks like
    them (0 and 1 may be answers, too).
    """
    golden = [example.expected for example in held.dataset if example.expected is not None]
    if golden and as_scores(golden) is not None:
        return None
    out: dict[str, dict[str, list[float | None]]] = {}
    for label, cells in held.cells.items():
        found = as_scores([cell for row in cells.values() for cell in row])
        if found is None:
            return None
        values = iter(found)
        out[label] = {example: [next(values) for _ in row] for example, row in cells.items()}
    return out


def chosen(scorer: object, held: AnswerTable, notes: list[str]) -> list[Scorer]:
    """The scorers that were named, else the one that fits, which is noted."""
    if scorer is not None:
        return checked_scorers(scorer)
    golden = {example.id: example.expected for example in held.dataset}
    answered = [
        (cell, golden.get(example))
        for cells in held.cells.values()
        for example, row in cells.items()
        for cell in row
    ]
    guess, why = guessed(held.dataset, answered)
    notes.append(f"Scored by {guess.name}: {why}; pass scorer=... for another.")
    return [guess]


def blanks(held: AnswerTable) -> list[str]:
    """A sentence for each arm with empty cells."""
    found = {
        label: sum(cell is None for row in cells.values() for cell in row)
        for label, cells in held.cells.items()
    }
    return [
        f"{words.count(n, 'cell')} of {label} {'is' if n == 1 else 'are'} empty: unscored, not 0."
        for label, n in found.items()
        if n
    ]


def scored_cells(
    label: str, held: AnswerTable, scorers: Sequence[Scorer]
) -> dict[str, dict[str, list[float | None]]]:
    """scorer -> example -> the scores of one arm's cells; an empty cell is an answer that never
    came, and stays unscored.
    """
    examples = {example.id: example for example in held.dataset}
    cells = held.cells[label]
    where: dict[str, tuple[str, int]] = {}
    cases = []
    for example, outputs in cells.items():
        for repeat, output in enumerate(map(cell_text, outputs)):
            if output is not None:
                run = _run(label, example, output, repeat, held.columns_of(label, example, repeat))
                where[run.id] = (example, repeat)
                cases.append(Case(output, examples[example], run))
    phase = ScorePhase(scorers)
    rows = list(phase.rows(cases)) + (asyncio.run(_collected(phase, cases)) if phase.remote else [])
    found: dict[str, dict[str, list[float | None]]] = {}
    for name in dict.fromkeys(
        [*(scorer.name for scorer in scorers), *(row["scorer"] for row in rows)]
    ):
        found[name] = {example: [None] * len(outputs) for example, outputs in cells.items()}
    for row in rows:
        example, repeat = where[row["run_id"]]
        found[row["scorer"]][example][repeat] = (
            row["value"] if row["passed"] is None or row["value"] is None else float(row["passed"])
        )
    return found


async def _collected(phase: ScorePhase, cases: Sequence[Case]) -> list[ScoreRow]:
    return [row async for row in phase.rows_async(cases)]


def cell_text(cell: object) -> str | None:
    """An answer as a scorer reads it."""
    if cell is None or isinstance(cell, str):
        return cell
    return (
        json.dumps(cell, ensure_ascii=False) if isinstance(cell, (dict, list, bool)) else str(cell)
    )


def _run(label: str, example: str, output: str, repeat: int, columns: Mapping[str, object]) -> Run:
    failure = None if output.strip() else "empty_output"
    return Run(
        f"{label}\0{example}\0{repeat}",
        "",
        "",
        label,
        "",
        "table",
        "imported",
        example,
        None,
        repeat,
        request_of_columns(columns),
        output,
        failure=failure,
    )
