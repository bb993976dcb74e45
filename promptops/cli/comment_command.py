"""`promptops comment FILE`: the report of a study as the one comment of a pull request."""

from __future__ import annotations

import os
from pathlib import Path

import click

from .options import EXITS

__all__ = ["comment"]


@click.command(epilog=EXITS)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--repository", envvar="GITHUB_REPOSITORY", required=True, help="owner/name.")
@click.option("--pull-request", "number", type=int, required=True, help="Its number.")
@click.option("--api", envvar="GITHUB_API_URL", default="https://api.github.com", show_default=True)
@click.option(
    "--token-env", default="GITHUB_TOKEN", show_default=True, help="Variable of the token."
)
@click.option(
    "--name",
    default="promptops",
    show_default=True,
    help="Name by which an earlier comment is found.",
)
def comment(file: Path, repository: str, number: int, api: str, token_env: str, name: str) -> None:
    """Write FILE as a pull request's comment.

    The comment of an earlier push is edited, so that there is one. Without a token, as in a pull
    request from a fork, nothing is sent and the exit code is 0.
    """
    from ..testing.pull_request import PullRequest

    token = os.environ.get(token_env, "")
    if not token:
        click.echo(f"no comment: {token_env} is empty, as in a pull request from a fork.")
        return
    done = PullRequest(repository, number, token, api).comment(
        file.read_text(encoding="utf-8"), name
    )
    click.echo(f"comment on {repository}#{number}: {done}")
