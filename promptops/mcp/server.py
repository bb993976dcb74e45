"""The tools over the Model Context Protocol, by the official package, on standard input and output.

One call at a time: each waits for the one before it.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from ..errors import MissingExtra
from .agent_tools import TOOLS, call

if TYPE_CHECKING:
    from mcp.server import Server

    from .agent import Agent

__all__ = ["INSTRUCTIONS", "serve", "server_of"]

INSTRUCTIONS = (
    "promptops treats prompts as source code: versions are immutable, every claim is measured, and"
    " a promotion needs evidence. Usual order: list_prompts or scan_code, propose_version (the text"
    " as it is), propose_version (your change), evaluate, read_results, open_proposal. You propose;"
    " a person merges. What is refused says what to do instead."
)


def server_of(agent: Agent) -> Server[object]:
    """The server of an agent. Raises MissingExtra without the package mcp."""
    try:
        import anyio
        import anyio.to_thread
        import mcp_types as types
        from mcp.server import Server
    except ImportError:
        raise MissingExtra("the server for coding agents", "mcp") from None
    one_at_a_time = anyio.Lock()

    async def listed(_context: object, _params: object) -> types.ListToolsResult:
        return types.ListToolsResult(
            tools=[
                types.Tool(
                    name=tool.name,
                    description=tool.about,
                    input_schema=tool.schema,
                    annotations=types.ToolAnnotations(
                        read_only_hint=not tool.writes, destructive_hint=False
                    ),
                )
                for tool in TOOLS.values()
            ]
        )

    async def called(_context: object, params: types.CallToolRequestParams) -> types.CallToolResult:
        async with one_at_a_time:
            answer = await anyio.to_thread.run_sync(
                call, agent, params.name, dict(params.arguments or {})
            )
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=answer.text)], is_error=answer.refused
        )

    return Server(
        "promptops",
        version=version("promptops-toolkit"),
        instructions=INSTRUCTIONS,
        on_list_tools=listed,
        on_call_tool=called,
    )


def serve(agent: Agent) -> None:
    """Serve on standard input and output until the client ends, or an interrupt ends the process:
    the thread that reads the input would wait for the client's next line.
    """
    server = server_of(agent)
    import signal
    import threading

    import anyio
    from mcp.server.stdio import stdio_server

    async def run() -> None:
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        anyio.run(run)
    except* BrokenPipeError:
        pass  # the client left while it was being answered
