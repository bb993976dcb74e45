"""An alarm sent to another system: one POST of JSON per alarm, with a time-out for all of it, and
never again once it was taken.

The body (format 1) is an object with `promptops` ("drift_alarm"), `format`, `id` (the alarm's, for
receivers that drop repeats), `text` (the alarm and its cause in one line, as chat systems show it),
`prompt`, `env`, `scorer`, `day`, `since`, `evidence`, `threshold`, `before` and `now` (mean scores
from 0 to 1), and `cause` with `kind`, `sentence` and `command`.
"""

from __future__ import annotations

import http.client
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ..analysis import words
from ..errors import SetupError
from ..markup import shorten
from ..run import utc
from .drift_file import MonitorFile, reserved

__all__ = ["FORMAT", "alarm_text", "body_of", "check_url", "post_open_alarms"]

FORMAT = 1
TIMEOUT_S = 10.0
_LONG = 3_000  # characters of a line


def alarm_text(alarm: Mapping[str, Any]) -> list[str]:
    """An alarm in two or three lines: what moved since when, whose doing it is, what undoes it."""
    prompt, env = str(alarm["monitor"]).rsplit(".", 1)
    verb = "fell" if alarm["now"] <= alarm["before"] else "rose"
    lines = [
        f"{prompt} in {env}: {alarm['scorer']} {verb} from {100 * alarm['before']:.1f} % to"
        f" {100 * alarm['now']:.1f} % since {alarm['since']} (evidence"
        f" {words.e_value(alarm['evidence'])}, threshold {alarm['threshold']:,.0f}; alarm"
        f" {alarm['id']} of {alarm['day']})",
        f"cause: {alarm['cause']['sentence']}",
    ]
    if alarm["cause"]["command"]:
        lines.append(f"undo: {alarm['cause']['command']}")
    return [shorten(line, _LONG) for line in lines]  # the file may be another's


def body_of(file: MonitorFile, alarm: Mapping[str, Any]) -> dict[str, object]:
    """What is posted for an alarm."""
    same = ("id", "scorer", "day", "since", "evidence", "threshold", "before", "now")
    cause = {key: alarm["cause"][key] for key in ("kind", "sentence", "command")}
    return {
        "promptops": "drift_alarm",
        "format": FORMAT,
        "text": "; ".join(alarm_text(alarm)),
        "prompt": file.declaration["prompt"],
        "env": file.declaration["env"],
        **{key: alarm[key] for key in same},
        "cause": cause,
    }


def check_url(url: str) -> str:
    """The address itself. Raises SetupError if it is not one of http or https."""
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname
    except ValueError:  # brackets that enclose no address
        known = None
    if not known:
        raise SetupError(
            "the webhook's address is not an http or https one; pass --webhook https://..."
        )
    return url


def post_open_alarms(path: str, url: str, timeout_s: float = TIMEOUT_S) -> list[str]:
    """Post each open alarm of a monitor that nobody acknowledged and that was not posted before.

    Returns:
        One sentence per alarm that could not be delivered; it is tried again by the next run. The
        address is not repeated, since it may hold a secret.

    Raises:
        SetupError: the address is not one of http or https.
    """
    check_url(url)
    failed = []
    with reserved(f"{path}.posting"):  # two runs at once post it once: the second sees that it was
        for known in MonitorFile.read(path).alarms:
            file, alarm = _as_it_is(path, known["id"])
            if alarm["closed"] is not None or alarm["acknowledged"] is not None or alarm["posted"]:
                continue
            if fault := _within(url, body_of(file, alarm), timeout_s):
                failed.append(f"alarm {alarm['id']} was not delivered to the webhook: {fault}.")
                continue
            with reserved(path):
                file, alarm = _as_it_is(path, known["id"])
                file.with_alarm({**alarm, "posted": utc()}).write(path)
    return failed


def _as_it_is(path: str, alarm_id: str) -> tuple[MonitorFile, Mapping[str, object]]:
    """The monitor's file now, and the alarm in it."""
    file = MonitorFile.read(path)
    return file, next(alarm for alarm in file.alarms if alarm["id"] == alarm_id)


def _within(url: str, body: Mapping[str, Any], timeout_s: float) -> str:
    """What went wrong; "" if it was taken. The limit is of the whole delivery: a socket's own
    begins again with each byte, and a receiver that answers byte by byte would hold the job.
    """
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(_post(url, body, timeout_s)), daemon=True)
    thread.start()
    thread.join(timeout_s)
    return found[0] if found else f"no answer within {timeout_s:g} s"


class _Stays(urllib.request.HTTPRedirectHandler):
    """No redirect is followed: it would be a GET without the alarm, or go where nobody named."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def _post(url: str, body: Mapping[str, object], timeout_s: float) -> str:
    """What went wrong; "" if it was taken."""
    data = json.dumps(body, ensure_ascii=False).encode()
    request = urllib.request.Request(
        url, data, {"Content-Type": "application/json", "User-Agent": "promptops"}
    )
    try:
        with urllib.request.build_opener(_Stays).open(request, timeout=timeout_s):
            return ""
    except urllib.error.HTTPError as error:
        error.close()
        return f"it answered {error.code}"
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        return f"{type(reason).__name__}" if not isinstance(reason, str) else reason
