"""The tools over the Model Context Protocol, by the official package, on standard input and output.

One call at a time: each waits for the one before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ..errors import MissingExtra, SetupError
from .agent_tools import TOOLS, ToolResult, call

if TYPE_CHECKING:
    from mcp.server import Server

    from .agent import Agent

__all__ = ["INSTRUCTIONS", "answered", "serve", "server_of"]

_HALT_S = 0.2  # between two attempts to stop what a cancelled call has begun
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
            answer = await answered(agent, params.name, dict(params.arguments or {}))
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


async def answered(agent: Agent, name: str, arguments: dict[str, Any]) -> ToolResult:
    """What a call comes to; a client that cancels it ends what it asks of models, too."""
    import anyio
    import anyio.to_thread

    found: list[ToolResult | Exception] = []
    over = False

    def called() -> None:
        try:
            found.append(call(agent, name, arguments))
        except Exception as error:
            found.append(error)

    async def halting() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                while not over:  # again, since what it begins may not have begun
                    await anyio.to_thread.run_sync(agent.halt)
                    await anyio.sleep(_HALT_S)

    async with anyio.create_task_group() as beside:
        beside.start_soon(halting)
        try:
            await anyio.to_thread.run_sync(called)
        finally:  # the thread has ended, or was never begun
            over = True
        beside.cancel_scope.cancel()
    [answer] = found
    if isinstance(answer, Exception):
        raise answer
    return answer


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
    faults: list[str] = []
    try:
        anyio.run(run)
    except* BrokenPipeError:
        pass  # the client left while it was being answered
    except* OSError as found:  # a tool answers with its own: these are of the standard streams
        faults = [str(error.strerror or error) for error in _leaves(found)]
    if faults:
        raise SetupError(
            f"the client cannot be answered on standard output: {faults[0]}; free the disk behind"
            " it, or start the server with a pipe, as coding agents do."
        )


def _leaves(group: BaseExceptionGroup[OSError]) -> Iterator[OSError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
