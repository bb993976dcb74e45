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
    """Outputs made elsewhere as a study: scored, compared and reported as if called. No model is
    asked.

    Columns tokens_in, tokens_out, cost_usd, latency_ms, model and failure are kept; several models
    under one label are an arm each. Every other column is kept beside its answer: scorers read it
    as a column of the example (`example.inputs["grade"]`, `equals(column="grade")`).

    Args:
        table: a DataFrame or list of dicts, one row per output.
        dataset: the examples that were answered.
        scorers: what judges the outputs now; the first is the primary.
        columns: names of its columns (example="example_id", version="version", output="output",
            sample=None), and versions={label: PromptVersion} where the prompts are known,
            prompt="name", name="..."; scores=["accuracy"] (or {name: column}) takes columns of
            scores from 0 to 1 as scorers; plan=lab.plan(...) takes in the rows of its split, under
            its scorers and finalists.
    """
    from ..study.import_runs import import_runs

    data = as_dataset(dataset, self.project.root)
    return Study(import_runs(self.project, table, data, scorers, **columns))


def import_from(
    self: OfProject, *paths: str | os.PathLike[str], prompt: str | None = None
) -> Import:
    """Bring over what another tool wrote: promptfoo, lm-eval, Inspect, OpenAI Evals, Langfuse,
    MLflow, LangSmith, Braintrust, Prompty, DSPy, HELM; or live calls in OTLP/JSON or in lines
    of our own. Imported twice, it is there once.

    Args:
        paths: a file, a pattern such as "otel/*.jsonl", the address of a prompt in MLflow's
            registry ("prompts:/triage/2"), or several runs on the same data, which then pair by
            their examples.
        prompt: the name of the prompt, in place of the one that the file suggests.

    Returns:
        `.versions`, `.dataset`, `.scorers`, `.study` (None without answers), `.live` (how many
        live calls, and how many are new), `.notes`, and `.left`: each thing that was not
        brought over, with its file, line and reason.

    Raises:
        DatasetError: a file is of no format that is known, is damaged, or is a bomb.
    """
    from .imports import import_from

    return import_from(self.project, tuple(map(Path, paths)), prompt)
