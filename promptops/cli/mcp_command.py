"""`promptops mcp`: the door of coding agents, on standard input and output."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["mcp"]


@click.command()
@click.option("--agent", required=True, help="The agent's name, such as claude.")
@click.option(
    "--for", "person", default="", help="The person for whom it works [default: git user.name]."
)
@click.option(
    "--budget-calls",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Calls of models per day (UTC), over all agents of the project.",
)
@click.option("--budget-usd", type=click.FloatRange(0), help="USD per day; needs --budget-calls.")
@click.option(
    "--root",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Project folder [default: found upwards from here].",
)
def mcp(
    agent: str, person: str, budget_calls: int, budget_usd: float | None, root: Path | None
) -> None:
    """Serve tools to a coding agent (MCP, stdio): read, evaluate within the budget, propose.

    An agent can never force, promote past a gate, raise its budget, or read outside the project.
    What it does is recorded as "agent:NAME for PERSON".

    \b
    {"mcpServers": {"promptops": {"command": "promptops",
      "args": ["mcp", "--agent", "claude", "--budget-calls", "500"]}}}
    """
    from ..lab import Lab
    from ..mcp.agent import Agent
    from ..mcp.server import serve

    lab = Lab(root)
    try:
        serve(Agent.of(lab, agent, person, calls=budget_calls, usd=budget_usd))
    finally:
        lab.project.close()
