"""Writes the pages of the manual that are derived from the code: `python tests/guide/generate.py`.

command-line.md comes from the commands, the tables of scorers.md and store.md from the catalogue
and the schema. A test compares them with what is committed.
"""

from __future__ import annotations

import re
from pathlib import Path

import click

from promptops.cli.__main__ import COMMANDS, group
from promptops.scorers.catalogue import CATALOGUE
from promptops.store.schema import TABLES

GUIDE = Path(__file__).resolve().parents[2] / "promptops" / "guide"
BEGIN, END = "<!-- generated: {} -->", "<!-- end of {} -->"


def command_line() -> str:
    """Every command with its help, as the terminal prints it; nested ones below their group."""
    main = group()
    parts = [
        "# Command line\n\nEvery command has `--help` and, unless it names others, these exit"
        " codes; tables on a terminal are tab-separated in a pipe, `--json` gives figures to"
        " programs, and `--dry-run` makes the same checks and writes nothing. Where a command"
        " reads or writes a registry or a project, `--registry FILE` (default:"
        " $PROMPTOPS_REGISTRY, or promptops.json in this or a parent folder) and `--root DIRECTORY`"
        " (default: found upwards from here) name another one.\n\n"
        "| exit code | means |\n| --- | --- |\n"
        "| 0 | done, or nothing to do |\n"
        "| 1 | refused by policy, with every unmet point; or a check does not hold |\n"
        "| 2 | misuse, or the command could not run |\n"
        "| 3 | handed in as batches; the same command collects them |\n"
        "| 130 | interrupted; what was answered is kept |\n"
    ]
    with click.Context(main, info_name="promptops") as context:
        for name in COMMANDS:
            command = main.get_command(context, name)
            assert command is not None, name
            parts.append(f"## promptops {name}\n\n{_help(command, name, context)}\n")
            if isinstance(command, click.Group):
                below = click.Context(command, info_name=name, parent=context)
                for nested, found in sorted(command.commands.items()):
                    parts.append(
                        f"### promptops {name} {nested}\n\n{_help(found, nested, below)}\n"
                    )
    return "\n".join(parts)


def _help(command: click.Command, name: str, parent: click.Context) -> str:
    context = click.Context(command, info_name=name, parent=parent, max_content_width=88)
    context.terminal_width = 88
    lines = [line.rstrip() for line in command.get_help(context).splitlines()]
    return "\n".join(["```text", *_without_what_all_have(lines), "```"])


# what many commands have in common, which the head of the page says
_COMMON = (
    "--help Show this message and exit.",
    "--registry FILE Registry file [default: $PROMPTOPS_REGISTRY, or promptops.json in this or a"
    " parent folder].",
    "--root DIRECTORY Project folder [default: found upwards from here].",
    "Exit codes: 0 done, or nothing to do; 1 refused by policy, or a check does not hold; 2 misuse,"
    " or the command could not run.",
)


def _without_what_all_have(lines: list[str]) -> list[str]:
    """The help without what the head of the page says."""
    text = "\n".join(lines)
    for common in _COMMON:
        words = r"\s+".join(map(re.escape, common.split()))
        text = re.sub(rf"\n+  {words}(?=\n|$)", "", text)
    return re.sub(r"\nOptions:\s*(\n\n|$)", r"\1", text).strip("\n").split("\n")


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
        "command-line.md": command_line(),
        "scorers.md": filled(scorers, "all scorers", scorer_table()),
        "store.md": filled(store, "columns", store_tables()),
    }


if __name__ == "__main__":
    for name, text in pages().items():
        (GUIDE / name).write_text(text, encoding="utf-8")
    (GUIDE / "llms.txt").write_text(llms(), encoding="utf-8")
