"""The tour's notebooks: run twice they ask nothing, write nothing and leave the registry as it is;
what is committed holds no output.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from promptops.lab import Lab

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
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


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_without_outputs(path: Path) -> None:
    """A notebook in the repository is its source: no output, no execution count, no path of
    anybody's machine.
    """
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells)
    assert len({cell["id"] for cell in cells}) == len(cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_says_what_answers_and_ends_with_what_to_do_tomorrow(path: Path) -> None:
    """The opening says that no LLM answers, the last cell is advice for one's own prompt, and no
    line of code is wider than a cell of 1,280 pixels.
    """
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    opening, last = "".join(cells[0]["source"]), cells[-1]
    assert "not an LLM" in opening
    assert last["cell_type"] == "markdown"
    assert "## Tomorrow, with your own prompt" in "".join(last["source"])
    code = [line for cell in cells if cell["cell_type"] == "code" for line in cell["source"]]
    assert [line for line in code if len(line.rstrip("\n")) > 120] == []


def test_the_quickstart_twice_makes_no_call_no_row_and_no_change(tmp_path: Path) -> None:
    """Run All a second time: 0 calls, 0 new rows, the registry byte-identical."""
    import nbformat
    from nbclient import NotebookClient

    for name in ("notebooks", "data"):
        shutil.copytree(
            ROOT / name,
            tmp_path / name,
            ignore=shutil.ignore_patterns("quickstart", "images", ".ipynb_checkpoints"),
        )
    path = tmp_path / "notebooks" / "01_quickstart.ipynb"
    seen = []
    for _ in range(2):
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(
            notebook, timeout=120, resources={"metadata": {"path": str(path.parent)}}
        ).execute()
        lab = Lab(path.parent / "quickstart")
        rows = {table: lab.store.rows(f"select count(*) from {table}")[0][0] for table in TABLES}
        digest = hashlib.sha256(
            (path.parent / "quickstart" / "promptops.json").read_bytes()
        ).hexdigest()
        seen.append((rows, digest))
    assert seen[0][0]["runs"] > 500
    assert seen[0] == seen[1]
