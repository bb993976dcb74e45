"""What 0.1 leaves beside a project: a row with every column, exports, a saved copy and labels."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

from promptops.registry.export import export_file

from promptops import Loader
from promptops.dataset.example import Example
from promptops.registry.editor import Editor
from promptops.store import Store
from promptops.store.schema import TABLES
from promptops.version import PromptVersion

__all__ = ["every_column", "exports", "keep"]


def every_column(folder: Path) -> None:
    """A row in each table without a null, of its own keys, in a segment that is not merged."""
    store = Store(folder)
    run = f"r-{'f' * 32}"
    changed: dict[str, Any] = {"id": run, "run_id": run, "study_id": "s1-every-column", "number": 2}
    version = PromptVersion("Every column: {{x}}")
    example = Example("every", {"x": "ü"}, expected="1", tags=("a",), cluster="c", split="val")
    filled: dict[str, dict[str, Any]] = {
        "versions": {
            "id": version.id,
            "document": json.dumps(version.document()),
            "parents": json.dumps([PromptVersion("parent").id]),
        },
        "examples": {
            "example_id": example.id,
            "example_fingerprint": example.fingerprint,
            "document": json.dumps(example.document()),
        },
        "studies": {"id": "s1-every-column"},
        "labels": {"id": "l-every-column"},
        "plans": {"id": "q1-every-column"},
        "verdicts": {"id": "d-every-column"},
        "datasets": {"fingerprint": "every-column"},
    }
    plain = {"text": "é", "json": "[1]", "int": 7, "float": 0.125, "bool": True}
    plain["time"] = "2026-03-01T12:34:56.789012"
    rows = {}
    for name, table in TABLES.items():
        row = {column.name: plain[column.kind] for column in table.columns}
        row |= {key: value for key, value in changed.items() if key in row}
        rows[name] = [row | filled.get(name, {})]
    store.append_all(rows)
    store.close()


def exports(root: Path) -> None:
    """Exports of the store, a study and the registry; a saved copy; a report's labels."""
    out = root / "exports"
    out.mkdir()
    store = Store(root / ".promptops")
    [(study,)] = store.rows("select id from studies where name = 'triage-1'")
    store.export(out / "store.export")
    store.export(out / "study.export", study=study)
    registry = root / "promptops.json"
    export_file(str(registry), str(out / "promptops.prod.json"), "prod", 2)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["PROMPTOPS_CACHE"] = cache
        Loader(registry).get("support-triage", "prod")
        for thread in threading.enumerate():
            if thread.name == "promptops-copy":
                thread.join()
        [copy] = Path(cache).iterdir()
        shutil.copyfile(copy, out / "saved-copy.json")
        del os.environ["PROMPTOPS_CACHE"]
    arms = [Editor(registry).versions("support-triage")[n].id for n in (1, 0)]
    with (out / "labels.jsonl").open("w", encoding="utf-8") as file:
        for n, label in enumerate(("first", "second", "tie")):
            row = {"form": "l1", "kind": "pairwise", "study": study, "example_id": f"e1{n}"}
            row |= {"first": arms[0], "second": arms[1], "label": label, "rater": "Grüße"}
            row |= {"labelled_at": f"2026-03-02T10:0{n}:00.000"}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    store.close()


def keep(root: Path, target: Path) -> None:
    """The folder as committed: the store under a name that git accepts, large files compressed."""
    leave = shutil.ignore_patterns(".git", ".gitignore", "*.lock", "*.html", "scratch", "aside")
    shutil.copytree(root, target, ignore=leave)
    (target / ".promptops").rename(target / "store")
    file = target / "store" / "store.duckdb"
    assert not file.with_name("store.duckdb.wal").exists()
    for large in (file, *(target / "exports").glob("*.export")):
        packed = gzip.compress(large.read_bytes(), mtime=0)
        large.with_name(f"{large.name}.gz").write_bytes(packed)
        large.unlink()
