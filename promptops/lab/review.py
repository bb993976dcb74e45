"""What a review leaves behind: a must-pass example in the policy, a corrected golden answer in the dataset's file.

Both are files that a team reads in a pull request; doing either twice changes nothing.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..dataset import Dataset
from ..errors import DatasetError, StudyError
from ..policy import Policy
from ..registry import gate, history, needs
from ..registry.file import RegistryFile, prompt_of
from .promotion import _evidence

if TYPE_CHECKING:
    from .lab import Lab
    from .prompt import SavedVersion
    from .study import Study

__all__ = ["correct", "dataset_file", "gate_says", "pin", "unpin"]


def pin(study: Study, example_id: str) -> Policy:
    """Make an example one that a candidate may not fail where the baseline passes; returns the prompt's policy."""
    policy = _policy(study)
    if example_id in policy.must_pass:
        return policy
    return _set(study, replace(policy, must_pass=(*policy.must_pass, example_id)))


def unpin(study: Study, example_id: str) -> Policy:
    """Take an example out of the must-pass ones; returns the prompt's policy."""
    policy = _policy(study)
    return _set(study, replace(policy, must_pass=tuple(name for name in policy.must_pass if name != example_id)))


def _policy(study: Study) -> Policy:
    if not study.prompt or study.prompt not in study._lab._registry.names():
        raise StudyError(f"{study.name} is of no saved prompt, whose policy could hold must-pass examples; save its version first.")
    return study._lab._registry.policy(study.prompt)


def _set(study: Study, policy: Policy) -> Policy:
    study._lab._registry.set_policy(policy, study.prompt)
    return policy


def correct(study: Study, example_id: str, expected: Any, path: str | os.PathLike[str] | None = None) -> Path:
    """Write the golden answer of an example into the dataset's file; returns its path.

    path: the file, looked for by the dataset's name where none is given. A row of JSON lines with an `expected` is changed
    where it stands and every other line stays as it is; any other file is written anew. Raises DatasetError.
    """
    target = Path(path) if path else dataset_file(study)
    if target is None:
        raise DatasetError(f"no file of the dataset {study.config['dataset']['name']!r} was found in the project; say which one: path=...")
    if not target.exists():
        return study.dataset.replaced(example_id, expected=expected).write(target)
    if _one_line(target, example_id, expected):
        return target
    data = Dataset.read(target)
    known = {example.id for example in data}
    changed = data.replaced(example_id, expected=expected) if example_id in known else None
    return (changed or data.with_example(replace(study.dataset.get(example_id), expected=expected))).write(target)


def dataset_file(study: Study) -> Path | None:
    """The file that a study's dataset was probably read from: by its name, in the project, its data folder, or beside the project."""
    name, root = str(study.config["dataset"]["name"]), study._lab._root
    if not name or Path(name).name != name:
        return None
    for folder in (root, root / "data", root.parent, root.parent / "data", root.parent.parent / "data"):
        for ending in ("", ".jsonl", ".csv"):
            found = folder / f"{name}{ending}"
            if found.suffix in (".jsonl", ".ndjson", ".csv") and found.is_file():
                return found
    return None


def _one_line(path: Path, example_id: str, expected: Any) -> bool:
    """Change the one row of a JSON lines file that names the example; whether there was one."""
    if path.suffix not in (".jsonl", ".ndjson"):
        return False
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    for place, line in enumerate(lines):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and str(row.get("id")) == example_id and "expected" in row:
            lines[place] = json.dumps({**row, "expected": expected}, ensure_ascii=False, allow_nan=False) + "\n"
            beside = path.with_name(f".{path.name}.{os.getpid()}.writing")
            beside.write_text("".join(lines), encoding="utf-8")
            beside.replace(path)
            return True
    return False


def gate_says(lab: Lab, version: SavedVersion, env: str, study: Study | None) -> tuple[str, ...]:
    """Every point at which a promotion would be refused now, each with its next step; empty where it would go ahead. Changes nothing."""
    registry = lab._registry
    read = RegistryFile(registry.path).read()
    prompt = prompt_of(read, version.prompt)
    links = history.deployments(prompt, version.prompt, env)
    serving = links[-1] if links else None
    evidence = _evidence(lab, version, study, serving)[0] if study is not None else None
    request = gate.Request(
        version.prompt, env, version.number, version.version, registry.policy(version.prompt), links, history.served(prompt),
        needs.read(registry.path),
    )  # fmt: skip
    return tuple(str(point) for point in gate.unmet(request, evidence))
