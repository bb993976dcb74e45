"""`promptops COMMAND`: each command lives in a file of its own and is imported when it is called.

Exit codes: 0 ok, 1 refused by policy (or a check does not hold), 2 misuse or a crash, 3 handed in
as batches, 130 interrupted.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import MissingExtra, PromptOpsError, Refused
from ..markup import plain
from .extras import extra_of, require_extra
from .standard_streams import standard_streams
from .system_limits import ended_in_order, loading_was_stopped, shortage

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

__all__ = ["command_named", "group", "main"]

# command -> module of promptops.cli
COMMANDS = {
    "demo": "demo",
    "lab": "tour",
    "init": "init",
    "studies": "studies_command",
    "report": "report_command",
    "site": "site_command",
    "scorers": "scorers",
    "prices": "prices_command",
    "compare": "compare_command",
    "import": "import_command",
    "audit": "audit_command",
    "scan": "scan_command",
    "save": "save_command",
    "evaluate": "evaluate_command",
    "batches": "batches_command",
    "optimize": "optimize_command",
    "doctor": "doctor",
    "store": "store_command",
    "list": "prompts_command",
    "show": "prompts_command",
    "diff": "prompts_command",
    "status": "status_command",
    "history": "deployments_command",
    "promote": "deployments_command",
    "rollback": "deployments_command",
    "canary": "deployments_command",
    "verify": "verify",
    "registry": "registry_command",
    "require": "consumers",
    "sync": "sync_export",
    "export": "sync_export",
    "dashboard": "dashboard_command",
    "watch": "watch_command",
    "comment": "comment_command",
    "mcp": "mcp_command",
    "skill": "skill_command",
    "completion": "completion_command",
    "help": "help_command",
}
# one line each in the list of commands, short enough that none is cut
SUMMARIES = {
    "demo": "Run the whole story in a new folder.",
    "lab": "Open JupyterLab on a copy of the tour.",
    "init": "Set up a project: ignore file and notebook.",
    "studies": "List the recorded studies, newest first.",
    "report": "Write the HTML report of a study.",
    "site": "Write static pages for reviewers.",
    "scorers": "List the built-in scorers, or explain one.",
    "compare": "Compare two columns of answers in a table.",
    "import": "Bring over what other tools wrote.",
    "audit": "Judge a history of other tools' runs.",
    "scan": "Find the prompts in source code.",
    "save": "Save a version from a Markdown file.",
    "evaluate": "Evaluate study files against their policy.",
    "batches": "List the batches to be collected.",
    "optimize": "Search for a better version of a prompt.",
    "doctor": "Verify the store, and repair it.",
    "store": "Share the store with a team.",
    "list": "List the prompts and what serves where.",
    "show": "Show a prompt's versions, or one of them.",
    "diff": "Show what changed between two versions.",
    "status": "Show what serves and how it is doing.",
    "history": "Show what served, since when and why.",
    "promote": "Deploy a version if its evidence allows it.",
    "rollback": "Serve an earlier version again, at once.",
    "canary": "Widen, finish or abort a canary.",
    "verify": "Recompute every promoted figure.",
    "registry": "Check, merge or compare registry files.",
    "require": "Check what applications need of a prompt.",
    "sync": "Copy a registry from an address or a file.",
    "export": "Write the small file that serves one env.",
    "dashboard": "Serve the dashboard as a page.",
    "prices": "Show what models cost, and as of when.",
    "watch": "Monitor what is deployed, day by day.",
    "comment": "Write a report on a pull request.",
    "mcp": "Serve tools to a coding agent.",
    "skill": "Print or install the skill of agents.",
    "completion": "Print the line that completes names.",
    "help": "Show the manual, offline.",
}
INTERRUPTED = 130  # 128 + SIGINT, as shells say it
HIDDEN_NAMES = {
    "help": "help_",
    "list": "list_",
    "import": "import_",
    "lab": "lab",
    "export": "export",
}


def main(arguments: list[str] | None = None) -> None:
    """Run a command; every error that promptops raises on purpose is one line on standard error."""
    with standard_streams():
        ends, code = ended_in_order(), 1
        try:
            _run(sys.argv[1:] if arguments is None else arguments)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
            raise
        finally:
            ends(code)


def _run(words: list[str]) -> None:
    if words == ["--version"]:  # also on the base install
        sys.stdout.write(f"promptops-toolkit, version {version('promptops-toolkit')}\n")
        sys.exit(0)
    try:
        command = group()
    except ImportError as error:
        _end_if_short(error)
        named = next((word for word in words if word in COMMANDS), "")
        what = f"promptops {named}" if named else "the command line"
        sys.stderr.write(f"{MissingExtra(what, extra_of(named))}\n")
        sys.exit(2)
    try:
        command(args=words, prog_name="promptops")
    except Refused as error:
        sys.stderr.write(f"refused: {plain(error)}\n")
        sys.exit(1)
    except PromptOpsError as error:
        sys.stderr.write(f"error: {plain(error)}\n")
        sys.exit(2)
    except OSError as error:
        if error.filename is None:  # our fault, or the network's: no path of the user is at fault
            _crash(error)
        _end_if_short(error)
        _folder_is_there()
        sys.stderr.write(
            f"error: {plain(error.filename)} cannot be read or written ({error.strerror});"
            " check what is there and who may use it, or name another path.\n"
        )
        sys.exit(2)
    except Exception as error:  # 1 means that a check does not hold: a crash is never that
        _crash(error)


def _crash(error: Exception) -> NoReturn:
    _folder_is_there()
    _end_if_short(error)
    traceback.print_exc()
    sys.stderr.write("error: this is a fault of promptops; please report the lines above.\n")
    sys.exit(2)


def _end_if_short(error: BaseException) -> None:
    """End with one sentence where the fault is that the system gave no more of something."""
    if sentence := shortage(error):
        sys.stderr.write(f"error: {sentence}\n")
        sys.exit(2)


def _folder_is_there() -> None:
    """End with one sentence where the fault is that the working directory was removed."""
    try:
        os.getcwd()
    except FileNotFoundError:
        sys.stderr.write(
            "error: the working directory no longer exists; change to one that does, and run the"
            " command again.\n"
        )
        sys.exit(2)


def command_named(name: str) -> click.Command | None:
    """A command, whether or not what it needs is installed."""
    import click

    module = importlib.import_module(f"promptops.cli.{COMMANDS[name]}")
    found: Any = getattr(module, HIDDEN_NAMES.get(name, name))
    return found if isinstance(found, click.Command) else None


def group() -> click.Group:
    """The commands; each module is imported when its command is asked for."""
    import click

    from .completing import complete_commands, completing
    from .debug_option import debug_option

    class Lazy(click.Group):
        """Commands by name; their modules are imported when they are asked for."""

        def list_commands(self, ctx: click.Context) -> list[str]:
            return list(COMMANDS)

        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
            if cmd_name not in COMMANDS:
                return None
            if "--help" not in sys.argv and not completing():
                require_extra(cmd_name)
            return command_named(cmd_name)

        def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
            commands = complete_commands(SUMMARIES, incomplete)
            return commands + click.Command.shell_complete(self, ctx, incomplete)

        def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
            with formatter.section("Commands"):
                formatter.write_dl([(name, SUMMARIES[name]) for name in self.list_commands(ctx)])

        def invoke(self, ctx: click.Context) -> object:
            try:
                return super().invoke(ctx)
            except (
                KeyboardInterrupt
            ) as stopped:  # click would exit with 1, which here means refused
                if loading_was_stopped(stopped):
                    raise RuntimeError("can't start new thread") from stopped
                click.echo(f"interrupted: {stopped}" if str(stopped) else "interrupted", err=True)
                ctx.exit(INTERRUPTED)
            except BrokenPipeError as error:  # click would exit with 1 and no word
                raise RuntimeError("a process that this command talks to has ended") from error

    group = Lazy(
        name="promptops",
        help="Prompts as source code: versions, evidence, promotion, one registry file.",
        no_args_is_help=True,
    )
    versioned = click.version_option(version("promptops-toolkit"), prog_name="promptops-toolkit")
    return debug_option(versioned(group))  # type: ignore[no-any-return,unused-ignore]


if __name__ == "__main__":
    main()
