"""The manual's page about the command line: the help of every command of this installation.

The help is in the package already; a copy of it is not shipped beside it.
"""

from __future__ import annotations

import re

import click

__all__ = ["page"]


def page() -> str:
    """Every command with its help, as the terminal prints it; nested ones below their group."""
    from .__main__ import COMMANDS, command_named, group

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
            command = command_named(name)
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
        text = re.sub(rf"(?<!\n)\n+  {words}(?=\n|$)", "", text)
    return re.sub(r"\nOptions:\s*(\n\n|$)", r"\1", text).strip("\n").split("\n")
