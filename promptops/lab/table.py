"""A comparison of what somebody already has: one line, a table with two columns of answers (or scores), and nothing else.

No lab, no key, nothing is written. `.keep(lab)` takes the table down the whole road.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..analysis.arms import Arm, Outcomes
from ..analysis.compare import Comparison as Facts
from ..analysis.compare import Grounds
from ..analysis.compare import compare as facts_of
from ..dataset import Dataset
from ..engine.scoring import ScorePhase
from ..errors import StudyError
from ..policy import Policy
from ..run import Run
from ..scorers.case import Case, Scorer
from .comparison import Comparison

if TYPE_CHECKING:
    from .lab import Lab
    from .study import Study

__all__ = ["TableComparison", "compare"]


class TableComparison(Comparison):
    """A Comparison of a table. said: what was guessed, one sentence each; keep(lab): record it as a study."""

    said: tuple[str, ...]
    _table: _Table
    _scorers: list[Scorer]

    def keep(self, lab: Lab, *, prompt: str = "", name: str | None = None) -> Study:
        """Record the table's answers in `lab` as a study, to be labelled, reported and promoted on."""
        if not self._scorers:
            raise StudyError("this table holds scores, not answers: there is no output to keep; pass columns of answers.")
        rows = [
            {"example_id": example.id, "version": label, "output": output}
            for label, outputs in self._table.outputs.items()
            for example, output in zip(self._table.dataset, outputs, strict=True)
        ]
        return lab.import_runs(rows, self._table.dataset, self._scorers, prompt=prompt, name=name)

    def __repr__(self) -> str:
        guessed = f" ({' '.join(self.said)})" if self.said else ""
        return f"{super().__repr__()[:-1]}{guessed}>"


@dataclass(frozen=True, slots=True)
class _Table:
    """Examples, and per arm one cell an example, in the same order."""

    dataset: Dataset
    outputs: Mapping[str, list[Any]]


def compare(
    table: Any, a: str, b: str, *, expected: str | None = None, scorer: Any = None, version: str | None = None, **columns: str
) -> TableComparison:
    """Is `b` better than `a`, on the examples of a table?

    table: whatever `Dataset.read` reads. Wide: `a` and `b` are columns of answers (or of scores: numbers in [0, 1] or true and
    false). Long: version="column" names the column whose values `a` and `b` are, output="column" that of the answers, and
    id="column" that of the examples. expected: the column of golden answers; scorer: one, several, or a function of yours;
    else one is guessed from the data, and said. Raises StudyError or DatasetError, which name the columns there are.
    """
    rows = _rows(table)
    held = _long(rows, a, b, version, expected, columns) if version is not None else _wide(rows, a, b, expected, columns)
    said: list[str] = []
    scores = {label: _as_scores(cells) for label, cells in held.outputs.items()}
    if scorer is None and all(found is not None for found in scores.values()):
        said.append(f"{a} and {b} hold scores, which are compared as they are.")
        arms = {
            label: Arm(
                label, label, {"score": Outcomes.of({example.id: [cell] for example, cell in zip(held.dataset, cells or (), strict=True)})}
            )
            for label, cells in scores.items()
        }
        chosen: list[Scorer] = []
    else:
        chosen = _scorers(scorer, held, said)
        arms = {label: _arm(label, held.dataset, cells, chosen) for label, cells in held.outputs.items()}
    data = held.dataset
    grounds = Grounds(
        dataset=data.name,
        fingerprint=data.fingerprint,
        planned=len(data),
        clusters=data.clusters,
        tags={e.id: e.tags for e in data if e.tags},
    )
    return _shown(facts_of(arms[b], arms[a], grounds=grounds), held, chosen, said)


def _shown(facts: Facts, held: _Table, scorers: list[Scorer], said: Sequence[str]) -> TableComparison:
    out = TableComparison.shown(facts, Policy())
    assert isinstance(out, TableComparison)
    out.said, out._table, out._scorers = tuple(said), held, scorers
    return out


def _rows(table: Any) -> list[dict[str, Any]]:
    """The table as dicts, read like a dataset where it is a file."""
    if hasattr(table, "to_dict") and hasattr(table, "columns"):
        return [{str(key): _known(value) for key, value in row.items()} for row in table.to_dict("records")]
    if isinstance(table, (list, tuple)) and all(isinstance(row, Mapping) for row in table):
        return [dict(row) for row in table]
    from ..dataset.opening import open_source

    return [row for _, row in open_source(table).rows]


def _known(value: Any) -> Any:
    try:
        return value if value == value else None  # NaN: an empty cell
    except (TypeError, ValueError):
        return value


def _need(rows: Sequence[Mapping[str, Any]], *names: str | None) -> None:
    if not rows:
        raise StudyError("the table has no rows; there is nothing to compare.")
    for name in names:
        if name is not None and name not in rows[0]:
            raise StudyError(f"the table has no column {name!r}; its columns are {', '.join(map(repr, rows[0]))}.")


def _wide(rows: list[dict[str, Any]], a: str, b: str, expected: str | None, columns: Mapping[str, str]) -> _Table:
    _need(rows, a, b, expected, *columns.values())
    kept = [{key: value for key, value in row.items() if key not in (a, b)} for row in rows]
    return _Table(_dataset(kept, expected, columns), {a: [row[a] for row in rows], b: [row[b] for row in rows]})


def _long(rows: list[dict[str, Any]], a: str, b: str, version: str, expected: str | None, columns: Mapping[str, str]) -> _Table:
    output, example = columns.get("output", "output"), columns.get("id", "id")
    _need(rows, version, output, example, expected)
    cells: dict[str, dict[str, Any]] = {a: {}, b: {}}
    heads: dict[str, dict[str, Any]] = {}
    for row in rows:
        label = str(row[version])
        if label in cells:
            cells[label][str(row[example])] = row[output]
            heads.setdefault(str(row[example]), {key: value for key, value in row.items() if key not in (version, output)})
    for label, found in cells.items():
        if not found:
            raise StudyError(
                f"no row has {label!r} in the column {version!r}; it holds {', '.join(sorted({str(row[version]) for row in rows})[:6])}."
            )
    rest = {name: column for name, column in columns.items() if name != "output"} | {"id": example}
    data = _dataset(list(heads.values()), expected, rest)
    return _Table(data, {label: [found.get(str(head[example])) for head in heads.values()] for label, found in cells.items()})


def _dataset(rows: list[dict[str, Any]], expected: str | None, columns: Mapping[str, str]) -> Dataset:
    wide = [
        row if any(key not in (expected, *columns.values()) for key in row) else {**row, "row": index} for index, row in enumerate(rows)
    ]
    if "id" not in columns and "id" not in wide[0]:
        wide = [{"id": f"row-{index + 1}", **row} for index, row in enumerate(wide)]
    return Dataset.read(
        wide, expected=expected, name="table", **{name: column for name, column in columns.items() if name in ("id", "tags", "cluster")}
    )


def _as_scores(cells: Sequence[Any]) -> list[float | None] | None:
    """The cells as scores in [0, 1]; None where they are answers."""
    known = [cell for cell in cells if cell is not None]
    if not known or not all(isinstance(cell, (bool, int, float)) and 0 <= cell <= 1 for cell in known):
        return None
    return [None if cell is None else float(cell) for cell in cells]


def _scorers(scorer: Any, held: _Table, said: list[str]) -> list[Scorer]:
    from .checking import checked_scorers

    if scorer is not None:
        return checked_scorers(scorer)
    guess, why = guessed(held.dataset, list(held.outputs.values()))
    said.append(f"Scored by {guess.name}: {why}; pass scorer=... for another.")
    return [guess]


def guessed(dataset: Dataset, outputs: Sequence[Sequence[Any]]) -> tuple[Scorer, str]:
    """(a scorer that fits the golden answers, why). Raises StudyError where there is no golden answer to go by."""
    from .. import scorers

    golden = [example.expected for example in dataset if example.expected is not None]
    if not golden:
        raise StudyError('nothing says what a good answer is: name the golden answers with expected="column", or pass scorer=...')
    texts = [value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in golden]
    share = len(texts) or 1
    if sum(_is_number(text) for text in texts) >= 0.9 * share:
        return scorers.number_close(), "the golden answers are numbers"
    if sum(text.lstrip()[:1] in ("{", "[") for text in texts) >= 0.9 * share:
        return scorers.json_equals(), "the golden answers are JSON"
    short = sorted(len(text.split()) for text in texts)[len(texts) // 2] <= 4
    if short:
        answers = [str(cell) for cells in outputs for cell in cells if cell is not None]
        long_answers = sum(len(answer.split()) > 12 for answer in answers) > len(answers) / 2
        if long_answers:
            return scorers.contains(column="expected"), "the golden answers are short and the answers long"
        return scorers.equals(ignore_case=True), "the golden answers are short"
    return scorers.similar_to("expected", at_least=0.8), "the golden answers are texts"


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "").strip().lstrip("$€£"))
    except ValueError:
        return False
    return True


def _arm(label: str, dataset: Dataset, cells: Sequence[Any], scorers: Sequence[Scorer]) -> Arm:
    """The cells scored; an empty cell is an answer that never came, and stays unscored."""
    cases = [
        Case(output, example, _run(label, example.id, output))
        for example, cell in zip(dataset, cells, strict=True)
        if (output := _text(cell)) is not None
    ]
    phase = ScorePhase(scorers)
    rows = list(phase.rows(cases)) + (asyncio.run(_collected(phase, cases)) if phase.remote else [])
    where = {case.run.id: case.example.id for case in cases}
    found: dict[str, dict[str, list[float | None]]] = {scorer.name: {example.id: [None] for example in dataset} for scorer in scorers}
    versions = {scorer.name: scorer.version for scorer in scorers}
    for row in rows:
        outcome = row["value"] if row["passed"] is None or row["value"] is None else float(row["passed"])
        found.setdefault(row["scorer"], {example.id: [None] for example in dataset})[where[row["run_id"]]] = [outcome]
    kinds = {scorer.name: scorer.kind for scorer in scorers}
    kept = {name: values for name, values in found.items() if any(value != [None] for value in values.values()) or name in kinds}
    return Arm(
        label,
        label,
        {name: Outcomes.of(values, kind=kinds.get(name, "user"), versions=(versions.get(name, "1"),)) for name, values in kept.items()},
    )


async def _collected(phase: ScorePhase, cases: Sequence[Case]) -> list[dict[str, Any]]:
    return [row async for row in phase.rows_async(cases)]


def _text(cell: Any) -> str | None:
    if cell is None or isinstance(cell, str):
        return cell
    return json.dumps(cell, ensure_ascii=False) if isinstance(cell, (dict, list, bool)) else str(cell)


def _run(label: str, example: str, output: str) -> Run:
    failure = None if output.strip() else "empty_output"
    return Run(f"{label}\0{example}", "", "", label, "", "table", "imported", example, None, 0, "{}", output, failure=failure)
