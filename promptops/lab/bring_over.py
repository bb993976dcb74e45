"""Verbs of a lab that bring over what was made elsewhere: import_runs, import_from.

Each is a method of `Lab`, written beside what it is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..study.design import as_dataset
from .study import Study

if TYPE_CHECKING:
    import os

    from ..study.project import OfProject
    from .imports import Import

__all__ = ["import_from", "import_runs"]


def import_runs(
    self: OfProject,
    table: object,
    dataset: object,
    scorers: Sequence[object] = (),
    **columns: object,
) -> Study:
    """Import outputs made elsewhere as a study, which is scored, compared and reported as any
    other. No model is called.

    Columns tokens_in, tokens_out, cost_usd, latency_ms, model and failure are kept; if one label
    has several models, each is an arm. Every other column is kept with its answer: scorers read it
    as a column of the example (`example.inputs["grade"]`, `equals(column="grade")`).

    Args:
        table: a DataFrame or list of dicts, one row per output.
        dataset: the examples that were answered.
        scorers: the scorers of the outputs; the first is the primary.
        columns: the names of the table's columns (example="example_id", version="version",
            output="output", sample=None), and versions={label: PromptVersion} if the prompts are
            known, prompt="name", name="..."; scores=["accuracy"] (or {name: column}) uses columns
            of scores from 0 to 1 as scorers; plan=lab.plan(...) imports the rows of the plan's
            split, with its scorers and finalists.
    """
    from ..study.import_runs import import_runs

    data = as_dataset(dataset, self.project.store, self.project.root)
    return Study(import_runs(self.project, table, data, scorers, **columns))


def import_from(
    self: OfProject, *paths: str | os.PathLike[str], prompt: str | None = None
) -> Import:
    """Import the files of another tool (promptfoo, lm-eval, Inspect, OpenAI Evals, Langfuse,
    MLflow, LangSmith, Braintrust, Prompty, DSPy, HELM), or live calls as OTLP/JSON or as the lines
    that `promptops.observe` writes. Importing them again adds nothing.

    Args:
        paths: a file, a pattern such as "otel/*.jsonl", the address of a prompt in MLflow's
            registry ("prompts:/triage/2"), or several runs on the same data, which are paired by
            example.
        prompt: the name of the prompt, instead of the one that the file suggests.

    Returns:
        `.versions`, `.dataset`, `.scorers`, `.study` (None without answers), `.live` (how many
        live calls, and how many are new), `.notes`, and `.left`: everything that was not
        imported, with its file, line and reason.

    Raises:
        DatasetError: if a file's format is unknown, or it is damaged or a zip or YAML bomb.
    """
    from .imports import import_from

    return import_from(self.project, tuple(map(Path, paths)), prompt)
