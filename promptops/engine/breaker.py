"""When to stop a sweep that cannot succeed: at once, with what to fix, keeping what was answered.

Five setup failures in a row (a key, a quota, a permission, an unknown model, a request that is
refused) or twenty in a row without an answer (connection errors, replies that are not completions)
open the circuit; any answer, a model's own failure included, starts the counts again. What is a
version's own fault (its settings, its model's name) is counted by version and model, so that
another arm's answers between do not hide it. An endpoint that lets three questions wait in vain, or
a hundredth of those that it answered, and then one more attempt, is slower than an attempt may be:
asking on would pay for the same answers again. A few that hang at the end of a long sweep stop
nothing. A model that is refused with 429 for as long as one call may wait has a limit of hours or
days, whatever other models answer.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ..failure_classes import FAILURES, UNREACHED
from ..models.failures import DEADLINE_S

__all__ = ["Breaker", "VersionOnModel", "fix_of"]

SETUP_IN_A_ROW = 5
UNANSWERED_IN_A_ROW = 20
REFUSED_IN_A_ROW = 20
SLOW_IN_A_ROW, SLOW_SHARE = 3, 0.01
_EVERYBODYS = frozenset({"auth", "quota_exhausted"})
# how `models.failures` ends the code of a reply of status 200 that is not a completion
_UNREADABLE = "unreadable"
_FIX = {
    "auth": "check the API key",
    "permission": "ask for access, or use another key",
    "quota_exhausted": "check the account's credit and limits",
    "not_found_model": "check the model's name and the endpoint's address",
    "bad_request": "check the version's settings against what this model takes",
    _UNREADABLE: (
        "check that chat completions are spoken at this address (base_url usually ends in /v1), and"
        " what is in between"
    ),
    "connection": "check the endpoint's address, the network and the proxy",
    "timeout_connect": "check the endpoint's address, the network and the proxy",
    "rate_limit": "wait until the limit is reset, which may be one of hours or of a day",
    "timeout_read": "raise timeout_s, or lower concurrency",
}
_FIX_OF_JUDGES = {
    "bad_request": (
        "give the judge no setting that its model refuses, as in JudgeModel(model, settings={})"
    ),
    "not_found_model": "check the judge's name, as in judge=..., and the endpoint's address",
}


class VersionOnModel(NamedTuple):
    """What was asked, by what."""

    version: str = ""
    model: str = ""


_ALL = VersionOnModel()


def fix_of(failure: str | None) -> str:
    """What to do about a class of failure, "" if its own text is enough."""
    return _FIX.get(failure or "", "")


class Breaker:
    """Counts of one endpoint.

    `open` holds the reason once it opened, one sentence; it never closes again. judging: whether it
    is judges that are asked, whose settings are fixed elsewhere than a version's. patience_s: how
    long nothing but 429 may come, at least ten minutes; None: without end.
    """

    def __init__(
        self, label: str, *, judging: bool = False, patience_s: float | None = DEADLINE_S
    ) -> None:
        self.label = label
        self._patience_s = math.inf if patience_s is None else max(patience_s, DEADLINE_S)
        # by model: how often with 429, and since when, after its newest answer
        self._refused: dict[str, tuple[int, float]] = {}
        self._fix = {**_FIX, **(_FIX_OF_JUDGES if judging else {})}
        self.open: str | None = None
        self._setup: dict[VersionOnModel, int] = {}
        self._unanswered = 0
        self._first_unanswered = 0.0
        self._answered = 0
        self._slow = 0  # first attempts in a row that came to no answer in time
        self._slow_since = 0.0  # when there were enough of them

    def note(
        self,
        failure: str | None,
        started: float,
        ended: float,
        detail: str = "",
        arm: VersionOnModel = _ALL,
        code: str = "",
        *,
        again: bool = False,
    ) -> str | None:
        """Count one attempt that ran from `started` to `ended` (monotonic seconds); the reason when
        this one opens it. again: whether the question had been sent before.

        What is not an answer counts after the first only if the attempt began after that first
        one was known: a server that restarts under 200 open calls breaks them all in one moment,
        which is one event, not twenty.
        """
        if self.open is not None:
            return None
        kind = FAILURES[failure] if failure else None
        unreadable = failure == "server_error" and code.endswith(_UNREADABLE)
        if kind is None or kind == "outcome":
            self._unanswered = self._slow = 0
            self._refused.pop(arm.model, None)
            self._answered += 1
            if self._setup:
                self._setup.pop(_ALL, None)
                self._setup.pop(arm, None)
        elif kind == "setup":
            self._unanswered = 0
            whose = _ALL if failure in _EVERYBODYS else arm
            self._setup[whose] = count = self._setup.get(whose, 0) + 1
            if count >= SETUP_IN_A_ROW:
                return self._opened(failure, detail, count)
        elif failure in UNREACHED or unreadable:
            if self._unanswered == 0:
                self._first_unanswered = ended
                self._unanswered = 1
            elif started >= self._first_unanswered:
                self._unanswered += 1
            if self._unanswered >= UNANSWERED_IN_A_ROW:
                return self._opened(
                    failure, detail, self._unanswered, _UNREADABLE if unreadable else ""
                )
        elif failure == "timeout_read":
            self._unanswered = 0
            return self._waited_in_vain(started, ended, detail, again)
        elif kind == "transient":
            self._unanswered = self._slow = 0  # it answered, if only to say no
            if failure == "rate_limit":
                return self._no_other(arm.model, ended, detail)
        return None

    def _no_other(self, model: str, ended: float, detail: str) -> str | None:
        """One more 429."""
        before, since = self._refused.get(model, (0, ended))
        self._refused[model] = before + 1, since
        if before + 1 < REFUSED_IN_A_ROW or ended < since + self._patience_s:
            return None
        return self._opened("rate_limit", detail, before + 1, model=model)

    def _waited_in_vain(self, started: float, ended: float, detail: str, again: bool) -> str | None:
        """Attempts of one moment are one event: it takes an attempt that began after enough of them
        to say that the endpoint is slow, and not that it paused.
        """
        most = max(SLOW_IN_A_ROW, round(SLOW_SHARE * self._answered))
        if self._slow >= most and started >= self._slow_since:
            return self._opened("timeout_read", detail, self._slow + 1)
        if not again:
            self._slow += 1
            if self._slow == most:
                self._slow_since = ended
        return None

    def _opened(
        self, failure: str | None, detail: str, count: int, what: str = "", model: str = ""
    ) -> str:
        fix = self._fix.get(what or failure or "", "check the endpoint")
        if failure == "bad_request" and "/responses" in detail:
            fix = 'save the version for that API, as in version.but(api="responses")'
        told = f": {detail[:200].rstrip('.')}" if detail else ""
        asked = f"{model!r} at {self.label}" if model else self.label
        self.open = (
            f"{asked} failed {count} times in a row with {failure}{told}; {fix}, then run"
            " again (what was answered is kept)."
        )
        return self.open
