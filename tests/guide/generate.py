"""Writes the pages of the manual that are derived from the code: `python tests/guide/generate.py`.

command-line.md comes from the commands, the tables of scorers.md and store.md from the catalogue
and the schema. A test compares them with what is committed.
"""

from __future__ import annotations

from pathlib import Path

from promptops.cli import command_page
from promptops.scorers.catalogue import CATALOGUE
from promptops.store.schema import TABLES

GUIDE = Path(__file__).resolve().parents[2] / "promptops" / "guide"
BEGIN, END = "<!-- generated: {} -->", "<!-- end of {} -->"


def scorer_table() -> str:
    """One line per scorer: family, call, what it says."""
    rows = ["| scorer | family | what it checks |", "| --- | --- | --- |"]
    rows += [f"| `{entry.name}` | {entry.family} | {_cell(entry.doc)} |" for entry in CATALOGUE]
    return "\n".join(rows)


def store_tables() -> str:
    """One table per table of the store: column, type, what it holds."""
    parts = []
    for table in TABLES.values():
        rows = [f"### `{table.name}`\n", "| column | type | what it holds |", "| --- | --- | --- |"]
        rows += [
            f"| `{column.name}` | {column.kind} | {_cell(column.comment)} |"
            for column in table.columns
        ]
        parts.append("\n".join(rows))
    return "\n\n".join(parts)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def filled(page: str, name: str, table: str) -> str:
    """The page with the generated part between its marks, which are appended if it has none."""
    begin, end = BEGIN.format(name), END.format(name)
    if begin not in page:
        page = f"{page.rstrip()}\n\n## {name.capitalize()}\n\n{begin}\n{end}\n"
    before, _, rest = page.partition(begin)
    return f"{before}{begin}\n\n{table}\n\n{end}{rest.partition(end)[2]}"


def llms() -> str:
    """The manual's pages, one line each, as coding agents read them."""
    lines = [
        "# promptops",
        "",
        "> Prompts as source code: immutable versions, paired statistics, evidence-bound promotion,"
        " one registry file. The distribution is `promptops-toolkit`; the import is `promptops`.",
        "",
        "Each page is printed by `promptops help NAME`, offline.",
        "",
        "## Pages",
        "",
    ]
    for path in sorted(GUIDE.glob("*.md")):
        title, _, rest = path.read_text(encoding="utf-8").partition("\n")
        lead = next(line for line in rest.splitlines() if line.strip())
        lead = lead.strip("> *").split(". ")[0].rstrip(".:,")
        lines.append(f"- [{title.lstrip('# ')}]({path.name}): {lead}.")
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """File name -> what it should hold."""
    scorers = (GUIDE / "scorers.md").read_text(encoding="utf-8")
    store = (GUIDE / "store.md").read_text(encoding="utf-8")
    return {
        "command-line.md": command_page.page(),
        "scorers.md": filled(scorers, "all scorers", scorer_table()),
        "store.md": filled(store, "columns", store_tables()),
    }


if __name__ == "__main__":
    for name, text in pages().items():
        (GUIDE / name).write_text(text, encoding="utf-8")
    (GUIDE / "llms.txt").write_text(llms(), encoding="utf-8")
