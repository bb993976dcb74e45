"""The build hook of the wheel: the tour's notebooks and data become one compressed file, a quarter
of their size, and so do the TypeScript files and the manual's pages. `promptops lab`, `promptops
demo`, `promptops export --typescript` and `promptops help` read them; in a checkout they read the
files.
"""

import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# What a run of the notebooks leaves beside them has other names.
ARCHIVES = {
    "promptops/tour.zip": ("data/*.jsonl", "data/*.md", "notebooks/*.ipynb", "notebooks/*.md"),
    "promptops/registry/typescript/files.zip": ("promptops/registry/typescript/*.ts",),
    "promptops/guide/pages.zip": ("promptops/guide/*.md",),
}
# `promptops help` makes the first two; the third is for those who maintain the package
LEFT_OUT = {f"promptops/guide/{name}.md" for name in ("api", "command-line", "earlier-attacks")}


class Archives(BuildHookInterface):  # type: ignore[type-arg]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        root = Path(self.root)
        self._folder = TemporaryDirectory()
        for place, parts in ARCHIVES.items():
            made = Path(self._folder.name) / Path(place).name
            with zipfile.ZipFile(made, "w") as archive:
                for path in sorted(path for part in parts for path in root.glob(part)):
                    if path.relative_to(root).as_posix() in LEFT_OUT:
                        continue
                    # The date of an entry is always 1980: the same files give the same wheel.
                    entry = zipfile.ZipInfo(path.relative_to(root).as_posix())
                    entry.external_attr = 0o644 << 16
                    archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
            build_data["force_include"][str(made)] = place

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version != "editable":
            self._folder.cleanup()
