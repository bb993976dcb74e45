"""Which tool wrote a file: by its content, never by its name alone."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..dataset.long_cells import long_cells
from ..errors import DatasetError, PromptOpsError
from ..markup import shorten
from . import (
    experiment_tables,
    inspect_log,
    langfuse_export,
    lm_eval_samples,
    mlflow_prompts,
    openai_evals,
    prompt_files,
    promptfoo_config,
    promptfoo_results,
)
from .bounded_file import json_rows, json_value, text_of
from .imported import Imported
from .yaml_lines import json_lined, read_yaml

__all__ = ["FORMS", "read_export"]

FORMS = (
    "promptfoo configurations and results",
    "lm-eval samples",
    "Inspect logs",
    "OpenAI Evals samples, registry entries, logs, hosted items and outputs",
    "Langfuse prompts, dataset items and observations",
    "MLflow result tables",
    "LangSmith datasets",
    "Braintrust experiments",
    "Prompty and dotprompt files",
    "DSPy programs",
    "HELM scenario states",
)
_Row = Mapping[str, object]
_LINES: tuple[tuple[Callable[[_Row], bool], Callable[..., Imported]], ...] = (
    (lm_eval_samples.is_samples, lm_eval_samples.read_samples),
    (openai_evals.is_log, openai_evals.read_log),
    (openai_evals.is_output, openai_evals.read_outputs),
    (openai_evals.is_item, openai_evals.read_items),
    (openai_evals.is_sample, openai_evals.read_samples),
    (experiment_tables.is_mlflow, experiment_tables.read_mlflow),
    (experiment_tables.is_braintrust, experiment_tables.read_braintrust),
    (experiment_tables.is_langsmith, experiment_tables.read_langsmith),
)
_PLAIN: tuple[tuple[Callable[[_Row], bool], Callable[..., Imported]], ...] = (
    (langfuse_export.is_items, langfuse_export.read_items),
    (langfuse_export.is_observation, langfuse_export.read_observations),
    (langfuse_export.is_prompt, langfuse_export.read_prompts),
)
_DOCUMENTS: tuple[tuple[Callable[[object], bool], Callable[..., Imported]], ...] = (
    (promptfoo_results.is_results, promptfoo_results.read_results),
    (inspect_log.is_log, inspect_log.read_log),
    (langfuse_export.is_prompt, langfuse_export.read_prompt),
    (experiment_tables.is_helm, experiment_tables.read_helm),
    (prompt_files.is_dspy, prompt_files.read_dspy),
)


def read_export(named: Path | str) -> Imported:
    """What a file of another tool holds, found out from its content.

    Args:
        named: the file; or the address of a prompt in MLflow's registry, `prompts:/NAME/VERSION`.

    Returns:
        All that was brought over, and a list of what was not.

    Raises:
        DatasetError: the file is of no format that is known, is damaged, or is a bomb.
    """
    if mlflow_prompts.is_address(str(named)):
        return mlflow_prompts.read_prompt(str(named))
    path = Path(named)
    try:
        there = path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        there = False
    if not there:
        raise DatasetError(f"there is no file {path}; check the path.")
    try:
        return _known(path)
    except PromptOpsError:
        raise
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, RecursionError) as error:
        fault = f"{type(error).__name__}: {error}"
        raise DatasetError(
            f"{path.name} looks like a known export, but a field is missing or of another"
            f" kind ({shorten(fault, 120)}); export it again."
        ) from None


def _known(path: Path) -> Imported:
    with path.open("rb") as file:
        head = file.read(4)
    if head == b"PK\x03\x04":
        return inspect_log.read_eval(path)
    text = text_of(path)
    start = text.lstrip()[:1]
    if start == "{" or start == "[":
        found = _json(text, path)
    elif text.startswith("---"):
        found = _front(text, path)
    else:
        found = _csv(text, path) if path.suffix.lower() in (".csv", ".tsv") else None
        found = found or _yaml(text, path)
    if found is not None:
        return found
    raise DatasetError(
        f"{path.name} is not a known export ({'; '.join(FORMS)}); a table of examples is"
        " read by Dataset.read, a table of answers by compare."
    )


def _json(text: str, path: Path) -> Imported | None:
    rows: list[tuple[int, Any]]
    try:
        value: Any = json.loads(text)
    except RecursionError:
        raise DatasetError(
            f"{path.name} is nested too deeply to be read; export it again."
        ) from None
    except ValueError:
        if path.suffix.lower() == ".json":
            json_value(text, path.name)
        rows = list(json_rows(text, path.name))
    else:
        for known, read in _DOCUMENTS:
            if known(value):
                return read(value, path)
        if promptfoo_config.is_config(value):
            return promptfoo_config.read_config(json_lined(value, text, path.name), path)
        if isinstance(value, dict) and isinstance(value.get("data"), list):
            value = value["data"]
        listed = value if isinstance(value, list) else [value]
        rows = [(number, row) for number, row in enumerate(listed, 1) if isinstance(row, dict)]
    return _rows(rows, path) if rows else None


def _rows(rows: list[tuple[int, Any]], path: Path) -> Imported | None:
    first = rows[0][1]
    for known, read in _LINES:
        if known(first):
            _alike(rows, known, path)
            return read(rows, path)
    for known, read in _PLAIN:
        if known(first):
            _alike(rows, known, path)
            return read([row for _, row in rows], path)
    return None


def _alike(rows: list[tuple[int, Any]], known: Callable[[_Row], bool], path: Path) -> None:
    """Raises DatasetError for a row of another shape than the first one has."""
    if known is openai_evals.is_log:
        return
    for number, row in rows:
        if not known(row):
            raise DatasetError(
                f"{path.name}:{number} is not a row of the same kind as the first one; remove it,"
                " or export again."
            )


def _front(text: str, path: Path) -> Imported | None:
    parts = prompt_files.parts_of(text, path.name)
    if parts is None:
        return None
    front, body, begins = parts
    facts = front.value if isinstance(front.value, dict) else {}
    if "input" in facts or "config" in facts or path.suffix.lower() == ".prompt":
        return prompt_files.read_dotprompt(front, body, begins, path)
    if "model" in facts or "inputs" in facts:
        return prompt_files.read_prompty(front, body, begins, path)
    return None


def _csv(text: str, path: Path) -> Imported | None:
    try:
        with long_cells():
            header = next(csv.reader(io.StringIO(text)), [])
        if promptfoo_results.is_results_csv(header):
            return promptfoo_results.read_results_csv(text, path)
        if promptfoo_config.is_test_table(header):
            return promptfoo_config.read_test_table(text, path)
        with long_cells():
            rows = list(enumerate(csv.DictReader(io.StringIO(text)), 2))
    except csv.Error as error:
        raise DatasetError(f"{path.name} is not CSV ({error}).") from None
    return _rows(rows, path) if rows else None


def _yaml(text: str, path: Path) -> Imported | None:
    if path.suffix.lower() not in (".yaml", ".yml", ""):
        return None
    source = read_yaml(text, path.name)
    if promptfoo_config.is_config(source.value):
        return promptfoo_config.read_config(source, path)
    if openai_evals.is_registry(source.value):
        return openai_evals.read_registry(source, path)
    return None
