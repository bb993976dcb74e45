"""`promptops completion SHELL`: the line that has a shell complete commands and names."""

from __future__ import annotations

import click

__all__ = ["LINES", "completion"]

# shell -> (the line, the file that it belongs to)
LINES = {
    "bash": ('eval "$(_PROMPTOPS_COMPLETE=bash_source promptops)"', "~/.bashrc"),
    "zsh": ('eval "$(_PROMPTOPS_COMPLETE=zsh_source promptops)"', "~/.zshrc"),
    "fish": (
        "_PROMPTOPS_COMPLETE=fish_source promptops | source",
        "~/.config/fish/completions/promptops.fish",
    ),
}


@click.command()
@click.argument("shell", type=click.Choice(sorted(LINES)))
def completion(shell: str) -> None:
    """Print the line that completes commands, options, prompts, versions, environments and the
    studies of the evidence in SHELL.

    `promptops completion bash >> ~/.bashrc` installs it, from the next shell on.
    """
    line, file = LINES[shell]
    click.echo(line)
    click.echo(f"it belongs in {file}", err=True)
