"""The notebook on comparisons: run twice it asks nothing and writes nothing the second time."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from promptops.lab import Lab

ROOT = Path(__file__).resolve().parents[2]
TABLES = (
    "runs",
    "attempts",
    "scores",
    "studies",
    "study_runs",
    "study_events",
    "verdicts",
    "versions",
    "examples",
    "labels",
    "plans",
)


@pytest.mark.soak
def test_comparisons_twice_makes_no_call_and_no_row(tmp_path: Path) -> None:
    """Run All a second time: 0 calls, 0 new rows."""
    import nbformat
    from nbclient import NotebookClient

    (tmp_path / "notebooks").mkdir()
    shutil.copyfile(
        ROOT / "notebooks" / "03_comparisons.ipynb", tmp_path / "notebooks" / "03_comparisons.ipynb"
    )
    shutil.copytree(ROOT / "data", tmp_path / "data")
    path = tmp_path / "notebooks" / "03_comparisons.ipynb"
    seen = []
    for _ in range(2):
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(
            notebook, timeout=120, resources={"metadata": {"path": str(path.parent)}}
        ).execute()
        lab = Lab(path.parent / "comparisons")
        seen.append(
            {table: lab.store.rows(f"select count(*) from {table}")[0][0] for table in TABLES}
        )
        lab.store.close()
    assert seen[0]["runs"] > 1000
    assert seen[0] == seen[1]
