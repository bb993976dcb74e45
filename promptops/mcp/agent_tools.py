"""The tools by name, with what each takes; a call is checked against that before anything runs, and
whatever leaves is without secrets.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import PromptOpsError, Refused
from . import asking, proposing, read_tools

if TYPE_CHECKING:
    from .agent import Agent

__all__ = ["TOOLS", "ToolResult", "Tool", "call"]

_LONGEST = 30_000  # characters of one answer
_NEVER = {
    "force": "Agents cannot bypass the gate; next: evaluate, and call open_proposal.",
    "override": "Only a person overrides a refusal; next: measure it on other examples.",
    "budget_usd": "Only the person who starts the server sets the budget; next: call show_budget.",
    "author": "Who acts is fixed at start; next: leave it out.",
}


@dataclass(frozen=True, slots=True)
class Tool:
    """name, about: as a client shows them; takes: argument -> its JSON schema; needs: those without
    which it is not called; writes: whether it changes the store, the registry or git.
    """

    name: str
    about: str
    run: Callable[..., object]
    takes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    writes: bool = False

    @property
    def schema(self) -> dict[str, Any]:
        """What it takes, as JSON Schema."""
        return {
            "type": "object",
            "properties": {name: dict(one) for name, one in self.takes.items()},
            "required": list(self.needs),
            "additionalProperties": False,
        }


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a call came to. text: JSON, or if it was refused one sentence."""

    text: str
    refused: bool = False


def _text(about: str) -> dict[str, Any]:
    return {"type": "string", "description": about}


_PROMPT = _text('The name of a prompt, such as "support-triage".')
_VERSION = _text('A saved version: "v2", "2" or an id.')
_DATASET = _text("A data file of the project (CSV, JSONL, JSON, Parquet, Excel).")
_SCORERS = {
    "type": "array",
    "minItems": 1,
    "items": {"type": ["string", "object"]},
    "description": 'Declared scorers, the first decides: "equals", "contains(\'x\')",'
    ' {"name": "json_has", "args": ["user_id"]}.',
}
_EXPECTED = _text("The column of golden answers, where it is not recognised.")
_WHOLE = {"type": "integer", "minimum": 1}

TOOLS: Mapping[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool("list_prompts", "Prompts, versions, what serves where.", read_tools.list_prompts),
        Tool(
            "show_version",
            "One version: messages, variables, model, settings.",
            read_tools.show_version,
            {"prompt": _PROMPT, "version": _VERSION},
            ("prompt", "version"),
        ),
        Tool(
            "diff_versions",
            "What changed between two versions, word by word.",
            read_tools.diff_versions,
            {"prompt": _PROMPT, "old": _VERSION, "new": _VERSION},
            ("prompt", "old", "new"),
        ),
        Tool(
            "scan_code",
            "Find the prompts that are hard-coded in source files.",
            read_tools.scan_code,
            {"path": _text("A file or folder of the project; all of it without one.")},
        ),
        Tool("list_studies", "The newest studies.", read_tools.list_studies),
        Tool(
            "read_results",
            "What a study says: sentence, decision, reasons, examples that got worse.",
            read_tools.read_results,
            {"study": _text("A name or id."), "candidate": _VERSION, "baseline": _VERSION},
            ("study",),
        ),
        Tool(
            "query_results",
            "One SQL statement that reads, over runs, scores, studies, examples, versions.",
            read_tools.query_results,
            {"sql": _text("A SELECT statement of DuckDB."), "limit": _WHOLE},
            ("sql",),
        ),
        Tool("show_budget", "Calls and USD that are left of today.", read_tools.show_budget),
        Tool(
            "evaluate",
            "Ask two versions the examples of a file and compare; recorded answers cost nothing.",
            asking.evaluate,
            {
                "prompt": _PROMPT,
                "dataset": _DATASET,
                "scorers": _SCORERS,
                "candidate": _text('A version, or "env:prod".'),
                "baseline": _text('A version, or "env:prod".'),
                "split": _text("train, val or test; all examples without it."),
                "expected": _EXPECTED,
                "repeats": _WHOLE,
            },
            ("prompt", "candidate", "baseline", "dataset", "scorers"),
            writes=True,
        ),
        Tool(
            "optimize",
            "Search for a better version on train and val; with a note the best one is saved.",
            asking.optimize,
            {
                "prompt": _PROMPT,
                "dataset": _DATASET,
                "scorers": _SCORERS,
                "version": _VERSION,
                "expected": _EXPECTED,
                "budget_calls": _WHOLE,
                "method": _text("few_shot (default) or instructions."),
                "note": _text("Why the best is saved; without it nothing is."),
            },
            ("prompt", "version", "dataset", "scorers", "budget_calls"),
            writes=True,
        ),
        Tool(
            "propose_version",
            "Save a version with a note. It serves nowhere.",
            proposing.propose_version,
            {
                "prompt": _PROMPT,
                "messages": {
                    "type": ["string", "array"],
                    "description": "Text, or messages of role and content, with {{variables}}.",
                },
                "note": _text("What changed and why."),
                "model": _text("The model that it is for."),
                "settings": {"type": "object", "description": "Such as temperature."},
                "tools": {"type": "array"},
                "response_format": {"type": "object"},
            },
            ("prompt", "messages", "note"),
            writes=True,
        ),
        Tool(
            "open_proposal",
            "Put a promotion with its evidence on a branch, if it passes the gate.",
            proposing.open_proposal,
            {
                "prompt": _PROMPT,
                "version": _VERSION,
                "env": _text("The environment, such as prod."),
                "study": _text("The study that it rests on."),
                "reason": _text("Why it should serve."),
            },
            ("prompt", "version", "env", "study", "reason"),
            writes=True,
        ),
    )
}
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "array": (list,),
    "object": (dict,),
}


def call(agent: Agent, name: str, arguments: Mapping[str, object]) -> ToolResult:
    """What a call of a tool comes to; a refusal is an answer too, and names the next step."""

    def clean(text: str) -> str:
        return _without_paths(agent, agent.lab.store.clean(text))

    def refused(text: str) -> ToolResult:  # which may repeat what was given, of any length
        said = clean(text)
        return ToolResult(
            said if len(said) <= _LONGEST else f"{said[: _LONGEST - 1]}…", refused=True
        )

    try:
        tool = TOOLS.get(name)
        if tool is None:
            raise Refused(f"{name!r} is not a tool here; next: use one of {', '.join(TOOLS)}.")
        _check(tool, arguments)
        found = tool.run(agent, **arguments)
    except Refused as error:
        return refused(f"refused: {error}")
    except PromptOpsError as error:
        return refused(f"error: {error}")
    except RecursionError:
        return ToolResult("error: the arguments are nested too deeply to be read.", refused=True)
    except OSError as error:
        return refused(f"error: {error.strerror or error}")
    text = clean(json.dumps(found, ensure_ascii=False, indent=1, default=str))
    if len(text) > _LONGEST:
        return ToolResult(
            f"refused: the answer has {len(text):,} characters, more than the {_LONGEST:,} that are"
            " sent. Next: ask for less, such as one version or fewer rows.",
            refused=True,
        )
    return ToolResult(text)


def _without_paths(agent: Agent, text: str) -> str:
    """A text with the project's folder as `.` and the person's as `~`: an agent has no use for
    where they are on this machine.
    """
    root = agent.lab.project.root
    for path, name in ((root, "."), (root.resolve(), "."), (Path.home(), "~")):
        if path.parent != path:
            text = text.replace(str(path), name)
    return text


def _check(tool: Tool, arguments: Mapping[str, Any]) -> None:
    for name in arguments:
        if name not in tool.takes:
            takes = ", ".join(tool.takes) or "nothing"
            why = _NEVER.get(name, f"Next: leave it out; {tool.name} takes {takes}.")
            raise Refused(f"{tool.name} does not take {name!r}. {why}")
    for name in tool.needs:
        if name not in arguments:
            raise Refused(f"{tool.name} needs {name!r}; next: pass {', '.join(tool.needs)}.")
    for name, value in arguments.items():
        wanted = tool.takes[name].get("type", "string")
        kinds = [wanted] if isinstance(wanted, str) else list(wanted)
        fits = any(isinstance(value, _TYPES[kind]) for kind in kinds)
        if not fits or isinstance(value, bool):
            raise Refused(
                f"{name} is of the wrong type; next: pass {' or '.join(kinds)}, as the schema says."
            )
        if isinstance(value, list) and len(value) < int(tool.takes[name].get("minItems", 0)):
            raise Refused(f"{name} is empty; next: pass one item or more.")
