"""The tools that propose: a version that serves nowhere, and a branch on which a promotion has
passed its gate, for a person to review and merge.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import git
from ..errors import Refused
from ..evidence import FOLDER as EVIDENCE
from ..markup import unlinked
from ..plain_file import copy_plain, read_plain
from ..registry.editor import Editor
from ..registry.file import RegistryFile
from ..registry.needs import FOLDER as CONSUMERS
from ..study.promotion_basis import ask

if TYPE_CHECKING:
    from .agent import Agent

__all__ = ["open_proposal", "propose_version"]


def propose_version(agent: Agent, prompt: str, messages: Any, note: str, **content: Any) -> object:
    """Save a version; it serves nowhere."""
    if not note.strip():
        raise Refused("the note is empty; next: say in one sentence what changed and why.")
    settings = dict(content.get("settings") or {})
    taken = sorted(set(settings) & {"messages", "model", "note", "variables", "tools", "api"})
    if taken:
        raise Refused(f"settings has {taken[0]!r}; next: pass {taken[0]} beside settings.")
    saved = agent.lab.prompt(prompt).save(
        messages,
        note=note,
        model=content.get("model"),
        response_format=content.get("response_format"),
        tools=content.get("tools"),
        **settings,
    )
    return {
        "prompt": prompt,
        "version": saved.label,
        "id": saved.id,
        "by": agent.author,
        "next": f"evaluate {saved.label} against what serves, or against an earlier version.",
    }


def open_proposal(
    agent: Agent, prompt: str, version: str, env: str, study: str, reason: str
) -> object:
    """A branch with the registry as it would be, and the evidence; nothing else changes."""
    project = agent.lab.project
    if not reason.strip():
        raise Refused("the reason is empty; next: say in one sentence why this should serve.")
    if env in project.registry.policy(prompt).ungated_environments:
        raise Refused(
            f"{env} has no gate, and an agent promotes nowhere without one; next: ask"
            f" {agent.person} to run `promptops promote {prompt} {version} --env {env}`."
        )
    saved = agent.lab.prompt(prompt)[version]
    _check_committed(agent)
    serving = project.registry.serving(prompt, env)
    if serving is not None and serving.id == saved.id:
        raise Refused(
            f"{env} of {prompt} serves {saved.label} already; next: propose another version."
        )
    found = agent.lab.study(study)
    asked = ask(project, saved, env, found.recorded)
    with tempfile.TemporaryDirectory(prefix="promptops-") as folder:
        files = _promoted(
            agent, Path(folder), prompt, saved.number, env, asked, reason=reason.strip()
        )
    asked.keep_verdict(serving)
    branch = f"promptops/{_plain(prompt)}-{saved.label}-{_plain(env)}"
    statement = " ".join(asked.verdict.reasons) if asked.verdict is not None else ""
    message = (  # a code host obeys `Fixes #1`, mentions and trailers in a commit's message
        f"Propose {prompt} {saved.label} for {env}\n\n{unlinked(reason)}\n\n{statement}\n"
        f"Study: {found.name}\nProposed by {agent.author}\n"
    )
    message = project.store.clean(message)
    return {
        "branch": branch,
        "commit": _on_branch(agent, branch, files, message),
        "files": sorted(files),
        "statement": statement,
        "next": f"ask {agent.person} to review `git diff HEAD...{branch}` and to merge it; nothing"
        " serves until then.",
    }


def _on_branch(agent: Agent, branch: str, files: Mapping[str, bytes], message: str) -> str:
    """The commit that a new branch holds. Raises Refused if there cannot be one."""
    try:
        return git.commit_on_branch(str(agent.root), branch, files, message, agent.author)
    except FileExistsError:
        raise Refused(
            f"the branch {branch} exists; next: have it reviewed, or ask {agent.person} to delete"
            " it."
        ) from None
    except OSError as error:
        raise Refused(
            f"the branch could not be made: {error}; next: ask {agent.person} to commit the"
            " project with git first."
        ) from None


def _promoted(
    agent: Agent, folder: Path, prompt: str, number: int, env: str, asked: Any, *, reason: str
) -> dict[str, bytes]:
    """The files of a copy of the registry in which the promotion passed its gate."""
    source = Path(agent.lab.project.registry.path)
    copy = folder / source.name
    shutil.copyfile(source, copy)
    for beside in (EVIDENCE, CONSUMERS):
        if (source.parent / beside).is_dir():
            shutil.copytree(
                source.parent / beside,
                folder / beside,
                copy_function=copy_plain,
                ignore_dangling_symlinks=True,
            )
    link = Editor(copy).promote(
        prompt,
        number,
        env,
        evidence=asked.request.evidence,
        author=agent.author,
        reason=reason,
        found=asked.found,
    )
    if not link.changed or link.forced:
        raise Refused(
            f"{env} of {prompt} would not change: {link.note} Next: propose another version."
        )
    written = [copy, *sorted((folder / EVIDENCE).glob("*.json"))]
    return {path.relative_to(folder).as_posix(): read_plain(path) for path in written}


def _check_committed(agent: Agent) -> None:
    """Raise Refused if the registry's deployments are not those of the last commit: the branch
    would carry somebody's unreviewed step.
    """
    path = Path(agent.lab.project.registry.path)
    if path.resolve().parent != agent.root.resolve():
        raise Refused(
            f"the registry {path.name} is not in the project's folder; next: ask {agent.person} to"
            " promote."
        )
    committed = git.blob(str(agent.root), "HEAD", path.name)
    before: dict[str, Any] = {}
    if committed is not None:
        with tempfile.TemporaryDirectory(prefix="promptops-") as folder:
            old = Path(folder) / path.name
            old.write_bytes(committed)
            before = _decided(RegistryFile(old).read())
    if _decided(RegistryFile(path).read()) != before:
        raise Refused(
            f"{path.name} has deployments or a policy that are not committed; next: ask"
            f" {agent.person} to commit them, then propose again."
        )


def _decided(read: Mapping[str, Any]) -> dict[str, object]:
    """All that a registry says but for saved versions: what serves, and the policies."""
    decided = {
        name: {key: value for key, value in prompt.items() if key != "versions" and value}
        for name, prompt in read["prompts"].items()
    }
    decided["policy"] = read.get("policy") or {}
    return {name: rest for name, rest in decided.items() if rest}


def _plain(name: str) -> str:
    """A part of a branch's name."""
    return re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-") or "prompt"
