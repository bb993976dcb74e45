"""What the processes on one project ask at this moment, so that an answer which two of them need is
paid for once.

Who begins writes what it may ask into a file of its own, and first waits for what others had
claimed. A claim counts as long as its process lives and shows it: what is killed frees it at once,
what is stopped within half a minute.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

from ..errors import PromptOpsError
from ..spool.locks import alone, held, keep
from ..store.recorder import say

if TYPE_CHECKING:
    from ..scorers.case import Scorer
    from .design import Place, StudyDesign

__all__ = ["AskingClaims", "Patience", "claim_names", "question_claim"]

_FOLDER, _SUFFIX = "asking", ".claim"
_LENGTH = 8  # bytes of a name's hash: two that are equal by chance only wait for each other
_BEAT_S = 5.0
_QUIET_S = 30.0  # after which a process that shows nothing counts as stopped
_SAID_S = 2.0  # of waiting, after which a message says so
_PATIENCE_S = 600.0  # without any answer, after which they are asked here too
_SLICE_S, _LONGEST_S = 0.2, 5.0  # between two looks for a stop, and for answers


@dataclass(slots=True)
class _Other:
    """A claim that was there before. beat: its file's time; seen: when that was new here."""

    path: Path
    names: frozenset[bytes]
    beat: int = 0
    seen: float = field(default_factory=time.monotonic)

    def alive(self) -> bool:
        """Whether its process lives, and was not stopped."""
        with suppress(OSError):
            beat, now = self.path.stat().st_mtime_ns, time.monotonic()
            if beat != self.beat:
                self.beat, self.seen = beat, now
            return now - self.seen < _QUIET_S and held(self.path)
        return False


class AskingClaims:
    """The claims of one pass. It is made before the pass looks for answers. folder: the store's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / _FOLDER
        self._found = self._changed()
        self._file = -1
        self._path: Path | None = None
        self._others: list[_Other] = []
        self._mine = 0

    def _changed(self) -> int:
        """When a claim was last made or ended."""
        with suppress(OSError):
            return self._folder.stat().st_mtime_ns
        return 0

    def __enter__(self) -> AskingClaims:
        """What is taken within the block is given up at its end."""
        return self

    def __exit__(self, *_: object) -> None:
        self._release()

    @asynccontextmanager
    async def beating(
        self, overtaken: Callable[[str], object] = lambda _: None
    ) -> AsyncIterator[None]:
        """Show meanwhile that this process lives. overtaken: called with a sentence where it was
        stopped for so long that its claims no longer counted, and another process has begun since.
        """
        beat = asyncio.create_task(self._beat(overtaken))
        try:
            yield
        finally:
            beat.cancel()

    async def _beat(self, overtaken: Callable[[str], object]) -> None:
        before = time.monotonic()
        while True:
            await asyncio.sleep(_BEAT_S)
            now, quiet = time.monotonic(), time.monotonic() - before
            before = now
            if self._path is None:
                continue
            if quiet > _QUIET_S and self._changed() != self._mine:
                overtaken(
                    f"this process was stopped for {quiet:.0f} s, and another one on the project"
                    " has asked since, which may have been the same: run it again, and only what is"
                    " missing is asked."
                )
            with suppress(OSError):
                os.utime(self._path)

    def take(self, names: Iterable[str], *, own_studies: bool = True) -> bool:
        """Claim these, as far as nobody has. Returns whether others asked since this was made, or
        ask now, so that what is known is to be looked up again.

        own_studies: whether a study of this process is waited for too. A single question may be
        asked by the code of such a study, which would wait for itself.
        Where the folder takes no file, or no lock, nothing is claimed.
        """
        mine = {_short(name) for name in names}
        with suppress(OSError, PromptOpsError):
            if self._folder.is_symlink():
                return False  # it may point anywhere
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with alone(self._folder):
                changed = self._changed() != self._found
                for path in self._folder.glob(f"*{_SUFFIX}"):
                    if not S_ISREG(path.lstat().st_mode):
                        continue  # a pipe would be waited for
                    if not held(path):
                        path.unlink(missing_ok=True)  # of a process that was killed
                    elif (shared := mine & (all_of := _read(path))) and (
                        own_studies or len(all_of) == 1 or _process(path) != str(os.getpid())
                    ):
                        self._others.append(_Other(path, frozenset(shared)))
                self._write(mine)
                self._mine = self._changed()
            return changed or bool(self._others)
        return False

    def _write(self, mine: set[bytes]) -> None:
        path = self._folder / f"{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}"
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self._path = path
        keep(self._file)
        rest = memoryview(b"".join(mine))
        while rest:
            rest = rest[os.write(self._file, rest) :]

    @property
    def overtaken(self) -> bool:
        """Whether another process has begun to ask, or ended, since `take`."""
        return self._path is not None and self._changed() != self._mine

    def theirs(self, name: str) -> bool:
        """Whether another process that lives had claimed it before."""
        short = _short(name)
        return any(short in other.names for other in self._others)

    def waits_for(self) -> str:
        """The processes that had claimed something before and live, by their numbers; "" if none
        is left.
        """
        self._others = [other for other in self._others if other.alive()]
        return ", ".join(sorted({_process(other.path) for other in self._others}))

    def _release(self) -> None:
        with suppress(OSError):
            if self._path is not None:
                self._path.unlink(missing_ok=True)
        if self._file >= 0:
            os.close(self._file)
        self._file, self._path = -1, None


def _process(claim: Path) -> str:
    """The number of the process that made a claim."""
    return claim.name.partition("-")[0]


def _short(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", "replace")).digest()[:_LENGTH]


def _read(path: Path) -> set[bytes]:
    data = path.read_bytes()
    return {data[at : at + _LENGTH] for at in range(0, len(data), _LENGTH)}


def question_claim(key: str, own: str = "") -> str:
    """The name under which a question is claimed. own: the study that asks it afresh, for which no
    other answer counts.
    """
    return f"{own} {key}"


def claim_names(
    design: StudyDesign, judges: Iterable[Scorer], keys: Iterable[str], places: Iterable[Place]
) -> Iterator[str]:
    """The names under which questions (by their keys) and judgements of places are claimed; those
    of a study that asks afresh are its own.
    """
    own = design.id if design.fresh else ""
    yield from (question_claim(key, own) for key in keys)
    for arm, example, repeat in places if (named := list(judges)) else ():
        asked, row = design.arms[arm], design.dataset[example]
        place = f"{own} {asked.id} {asked.model.label} {row.fingerprint} {repeat}"
        yield from (f"{place} {judge.name} {judge.version}" for judge in named)


class Patience:
    """Waiting for what others ask. name: of the study, search or version that waits; patience_s:
    without any answer, after which it waits no longer.
    """

    def __init__(self, name: str, patience_s: float = _PATIENCE_S) -> None:
        self._name, self._said, self._patience_s = name, False, patience_s
        self._began = self._moved = self._looked = time.monotonic()
        self._left = -1
        self._wait = _SLICE_S

    async def more(self, left: int, who: str, halted: Callable[[], bool]) -> bool:
        """Wait for a while; whether to look again. left: answers and judgements that others ask;
        who: their processes.
        """
        now = time.monotonic()
        if left != self._left:
            self._left, self._moved = left, now
        if halted() or not who or now - self._moved > self._patience_s:
            return False
        if not self._said and now - self._began > _SAID_S:
            self._said = True
            own = who == str(os.getpid())
            other = "part of this process" if own else f"process on this project ({who})"
            say(
                f"{self._name} waits for another {other} that is asking the same, so that it is"
                " paid for once.",
                UserWarning,
            )
        took = now - self._looked  # a look at many answers takes longer, and is taken less often
        self._wait = max(min(self._wait * 1.5, _LONGEST_S), 5 * took)
        until = now + self._wait
        while (now := time.monotonic()) < until and not halted():
            await asyncio.sleep(min(_SLICE_S, until - now))
        self._looked = time.monotonic()
        return True
