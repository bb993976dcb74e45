"""Reading the registry: an environment's version at every get, fresh, verified, and never at the
price of the application.

- Each get compares the file's signature (one os.stat); a promotion, rollback, `git revert` or
  symlink swap is served by the next get. A get takes no lock unless the file changed.
- A version is verified against its content id at its first get; a bad one is refused, the others
    are served.
- After its first success a (prompt, environment) never raises again: a missing, torn or corrupt
  file leaves the last known good version serving, and `health()` says so. At a cold start a valid
  file always wins; a saved copy serves only if it is missing or corrupt.
- A view is frozen once it is published, and news is a new view, published by one assignment:
  whatever other threads and signal handlers do between two steps of a get, it goes on with the
  facts that it began with. A fork shares no lock.
"""

from __future__ import annotations

import os
import time
from _thread import RLock

from ..errors import NotDeployed, RegistryCorrupt, RegistryError, RegistryNotFound, UnknownPrompt
from . import read_view, source
from . import view as views
from .candidate import CANDIDATES
from .locate import absolute, environment, find
from .served_version import Served, brought_along

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from .needs import Need
    from .view import CanarySplit, RegistryView

__all__ = ["Loader"]

_candidates = CANDIDATES.get


class Loader:
    """A reader of one registry file: `Loader(path).get("support-triage", "prod")`.

    Args:
        path: the file; None: PROMPTOPS_REGISTRY, else the first one found in the working directory
            or its parents.
        on_change: `on_change(old, new)` is called with two served versions after `get` finds that
            an environment serves another version.
        monotonic: never move back in an environment's history, even if the file does.
        saved_copy: keep a copy for a cold start without the file.
        watch_s: also check for changes in a thread, every `watch_s` seconds, so that requests do
            not wait for a read.

    Raises:
        RegistryNotFound: if path is None and no registry file is found.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        on_change: Callable[[Served, Served], object] | None = None,
        monotonic: bool = False,
        saved_copy: bool = True,
        watch_s: float | None = None,
    ) -> None:
        self.path = find() if path is None else absolute(path)
        self._place = source.encoded(self.path)
        self._on_change = on_change
        self._monotonic, self._saved_copy = monotonic, saved_copy
        self._view = views.RegistryView(object(), views.Content({}), since=time.monotonic())
        # the last success of every pair that ever succeeded
        self._good: dict[tuple[str, str], Served | CanarySplit] = {}
        self._known: dict[str, Any] = {}  # id -> (entry, verified version)
        self._needs: dict[str, Need] = {}
        self._callback_fault = ""
        self._lock = (os.getpid(), RLock())
        self._watch_s = watch_s
        if watch_s is not None:
            from .watching import watch

            watch(self, watch_s)

    def __reduce__(self) -> tuple[object, ...]:
        """For another process: one of the same file, settings and needs, as it began."""
        from functools import partial  # loads as long as a third of this module

        given: dict[str, Any] = {"on_change": self._on_change, "monotonic": self._monotonic}
        given.update(saved_copy=self._saved_copy, watch_s=self._watch_s)
        return partial(type(self), **given), (self.path,), {"_needs": self._needs}

    # -- reading

    def get(
        self, name: str, env: str | None = None, key: object = None, default: object = None
    ) -> Served:
        """The version of a prompt that `env` serves.

        Args:
            name: the prompt.
            env: the environment; None: PROMPTOPS_ENV.
            key: the key that makes a canary sticky, such as a user's id.
            default: a PromptVersion, text or list of messages to serve if nothing else can be
                served; its `source` is "default".

        Raises:
            RegistryNotFound, RegistryCorrupt, UnknownPrompt, NotDeployed: only before the first
                success for this prompt and environment.
            Refused: if the version does not meet `require`; also only before the first success.
        """
        candidates = _candidates()
        if candidates is not None and name in candidates:
            return candidates[name] if key is None else candidates[name].for_key(key)
        if env is None:
            try:
                env = environment(name)
            except NotDeployed as error:
                if default is None:
                    raise
                return brought_along(name, None, default, error)
        try:
            now = os.stat(self._place)
        except (OSError, ValueError):
            view = self._refresh(None)
        else:
            view = self._view
            modified, changed, size, inode = view.sure  # each alone: a tuple of them takes longer
            if (
                now.st_mtime_ns != modified
                or now.st_ctime_ns != changed
                or now.st_size != size
                or now.st_ino != inode
            ):
                view = self._refresh(source.signature(now))
        try:
            served: Any = view.built[env][name]
        except (KeyError, TypeError):
            served = self._first(view, name, env, default)
        if served.__class__ is not Served:
            served = served.pick(key)
        if key is not None:
            served = served.for_key(key)
        found: Served = served
        return found

    def health(self) -> dict[str, object]:
        """The state for a health check, ready for JSON; checks the file first.

        Returns:
            ok (the file is valid and nothing in it was refused), source ("file", "last_known_good"
            or "none"), fault (what is wrong with the file), age_s (for how long), and per "prompt
            in env": refused (the reason), went_back (a message), missed (the first few that were
            requested but are not in the file). Each lists a hundred, and the number of the others.
        """
        view = self._refresh(source.look(self.path))
        content = view.content
        refused = views.listed(view.found.refused.copy(), content.faults)
        origin = "file" if view.fault is None else "last_known_good" if content.prompts else "none"
        return {
            "ok": view.fault is None and not refused and not self._callback_fault,
            "path": self.path,
            "source": origin,
            "fault": None if view.fault is None else str(view.fault),
            "age_s": 0.0 if view.since is None else round(time.monotonic() - view.since, 3),
            "prompts": len(content.prompts),
            "refused": refused,
            "went_back": views.listed(content.back),
            "missed": views.listed(
                {pair: text for pair, (_, text) in view.found.missed.copy().items()}
            ),
            "on_change": self._callback_fault or None,
        }

    def require(
        self,
        name: str,
        variables: object = (),
        output: Mapping[str, object] | None = None,
        *,
        env: str | None = None,
    ) -> None:
        """Declare the variables that this application supplies and the answers that it expects; an
        incompatible version is then never served to it.

        The last compatible version continues to serve. `promptops require --write` exports the
        declaration, with which promotion refuses an incompatible version.

        Args:
            name: the prompt.
            variables: the names that the application supplies (a set, or name -> type).
            output: the JSON Schema that it expects of answers.
            env: the environment to check immediately; None: PROMPTOPS_ENV, if it is set.

        Raises:
            Refused: if the environment to check already serves an incompatible version.
        """
        from .needs import Need

        need = Need.of(name, variables, output)
        with self._locked():
            self._needs = {**self._needs, name: need}
            self._view = self._view.afresh()
        env = env or os.environ.get("PROMPTOPS_ENV")
        if env:
            try:
                self.get(name, env)
            except (RegistryNotFound, RegistryCorrupt, UnknownPrompt, NotDeployed):
                return  # what is served later is checked then

    @property
    def needs(self) -> tuple[Need, ...]:
        """The declarations made with `require` so far."""
        return tuple(self._needs.values())

    def refresh(self) -> None:
        """Read the file if it changed, and rebuild every version served before; the watching thread
        calls this.
        """
        view = self._refresh(source.look(self.path))
        for name, env in list(self._good):
            if name not in view.built.get(env, ()):
                self._first(view, name, env, None)

    # -- changes

    def _locked(self) -> RLock:
        """What publishes does so under this lock; it may be taken again by a signal handler of the
        thread that has it.
        """
        pid, lock = self._lock
        if pid != os.getpid():  # a fork: a thread that does not exist here may have had the lock
            lock = RLock()
            self._lock = (os.getpid(), lock)
        return lock

    def _refresh(self, signature: object) -> RegistryView:
        view = self._view
        if view.is_of(signature):
            return view
        with self._locked():
            before = self._view
            if before.is_of(signature):
                return before  # another thread was here first
            view = read_view.following(
                before,
                self.path,
                monotonic=self._monotonic,
                copies=self._saved_copy,
                cold=not self._good,
            )
            if view.content is not before.content:
                tails = [
                    tail
                    for environments in view.content.prompts.values()
                    for tail in environments.values()
                ]
                cited = {key for tail in tails for key in tail.entries}
                self._known = {
                    key: known for key, known in self._known.copy().items() if key in cited
                }
            if self._view is before:  # else a signal handler of this thread saw what is newer
                self._view = view
            return self._view

    # -- the first get of a pair after a change

    def _first(self, view: RegistryView, name: str, env: str, default: object) -> object:
        name, env = pair = views.asked_for(name), views.asked_for(env)
        before = self._good.get(pair)
        try:
            built, reason = self._build(view, name, env)
        except Exception as error:  # whatever it is, a pair that succeeded before goes on
            reason = str(error)
            if before is None:
                if view.content.has(name, env):  # else a miss, of which there may be any number
                    view.found.refused[pair] = reason
                return self._without(view, name, env, error, default)
            built = before.held(reason, time.monotonic() if view.since is None else view.since)
        if reason:
            view.found.refused[pair] = reason
        else:
            view.found.refused.pop(pair, None)
        self._record(view, pair, built)
        return built

    def _record(
        self, view: RegistryView, pair: tuple[str, str], built: Served | CanarySplit
    ) -> None:
        """Remember a success, and report the change once, however many threads built it."""
        with self._locked():
            before = self._good.get(pair)
            if view.found is not self._view.found:
                # the file changed while this was built: later ones are not undone
                self._good.setdefault(pair, built)
                return
            self._good[pair] = built
            name, env = pair
            first = view.built.setdefault(env, {}).setdefault(name, built) is built
        if first and before is not None:
            self._tell(before, built)

    def _build(self, view: RegistryView, name: str, env: str) -> tuple[Served | CanarySplit, str]:
        """What the pair serves, and why part of what the file says does not ("" if all does)."""
        if name not in view.content.faults and not view.content.has(name, env):
            raise view.miss(name, env)
        built, reason = view.content.build(name, env, self._known)
        if name in self._needs:
            from .needs import fits

            fits(self._needs[name], built, env)
        back = view.content.back.get((name, env))
        if self._monotonic and back is not None:
            note = f"{back}; this application asked never to go back (monotonic=True)."
            return built.held(note, time.monotonic()), reason
        if view.fault is None:
            return built, reason
        since = time.monotonic() if view.since is None else view.since
        return built.held(str(view.fault), since), reason

    def _without(
        self, view: RegistryView, name: str, env: str, error: Exception, default: object
    ) -> object:
        """A cold start at which the file has nothing good for this pair: the saved copy, the
        default, or the error.
        """
        if isinstance(error, RegistryCorrupt) and view.fault is None and self._saved_copy:
            if view.found.copy is None:
                view.found.copy = (read_view.saved_copy(self.path),)
            copy = view.found.copy[0]
            if copy is not None:
                try:
                    built, _ = self._build(copy, name, env)
                    held = built.held(str(error), copy.since or time.monotonic())
                    self._record(view, (name, env), held)
                    return held
                except RegistryError:
                    pass  # the copy is no better than the file
        if default is None:
            raise error
        return brought_along(name, env, default, error)

    def _tell(self, before: Served | CanarySplit, now: Served | CanarySplit) -> None:
        old, new = (side if isinstance(side, Served) else side.stable for side in (before, now))
        if self._on_change is None or old.id == new.id:
            return
        try:
            self._on_change(old, new)
        except Exception as error:  # a callback's fault is not the request's
            self._callback_fault = f"on_change raised {type(error).__name__}: {error}"
