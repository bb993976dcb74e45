"""The start page of the manual as a site: what promptops is, and each page with its first sentence.

mkdocs calls `on_files`; the page is made from the navigation, so that it lists just what is there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

INTRODUCTION = """# promptops

Prompts as source code: every version is immutable, every claim is measured on the same examples,
every promotion carries its evidence, and every rollback is one call. It lives in a notebook; your
application needs one file and no server.

Begin with the [quickstart](quickstart.md): from the prompt that is in your code today to a version
that your application loads. `promptops help TOPIC` shows each of these pages in a terminal,
offline.
"""


def on_files(files: Any, config: Any) -> Any:
    """Add the start page."""
    from mkdocs.structure.files import File

    files.append(File.generated(config, "index.md", content=start_page(config)))
    return files


def start_page(config: Any) -> str:
    """The introduction, then a list per part of the navigation."""
    parts = [INTRODUCTION]
    for part in config["nav"]:
        if isinstance(part, dict):
            [(title, names)] = part.items()
            if isinstance(names, str):  # this page itself
                continue
            entries = (_entry(Path(config["docs_dir"]) / name) for name in names)
            parts.append("\n".join([f"## {title}", "", *entries, ""]))
    return "\n".join(parts)


def _entry(page: Path) -> str:
    """A link to a page with the first sentence of it."""
    title, _, rest = page.read_text(encoding="utf-8").partition("\n")
    lead = next(line for line in rest.splitlines() if line.strip())
    sentence = lead.strip("> *").split(". ")[0].rstrip(".:,")
    return f"- [{title.lstrip('# ')}]({page.name}): {sentence}."
