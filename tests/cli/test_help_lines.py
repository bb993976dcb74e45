"""Law: the list of commands in any group's help shows every line whole."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from promptops.cli.__main__ import group as command_line


def groups() -> Iterator[tuple[str, click.Group]]:
    main = command_line()
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        if isinstance(command, click.Group):
            yield name, command


@pytest.mark.parametrize(
    ("name", "group"), [pytest.param(*found, id=found[0]) for found in groups()]
)
def test_no_line_of_a_group_is_cut(name: str, group: click.Group) -> None:
    context = click.Context(group, info_name=name, max_content_width=88)
    listed = group.get_help(context).split("Commands:\n")[1].split("\n\n")[0].splitlines()
    assert len(listed) == len(group.commands)
    assert not [line for line in listed if line.endswith("...") or len(line) > 80]


def test_help_on_a_command_names_its_options() -> None:
    """As other programs take `help COMMAND`, a command is not sent to three other pages."""
    done = CliRunner().invoke(command_line(), ["help", "status"])
    assert done.exit_code == 2
    assert "status is a command" in done.output
    assert "promptops status --help" in done.output
