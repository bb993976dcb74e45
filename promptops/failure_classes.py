"""Every class of failure that a run can have, and which of them are outcomes.

A model's own failure is an outcome, which fails the scorers that it concerns. An infrastructure
failure is not an answer: such a run stays unscored.
"""

from __future__ import annotations

from typing import Literal

__all__ = ["FAILURES", "UNREACHED", "Kind"]

Kind = Literal["transient", "setup", "stopped", "outcome", "scoring"]

# class -> what it is. transient: retried, then unscored; setup: never retried, stops the study
# early, unscored; stopped: we did not ask, unscored; outcome: the model's own doing, fails the
# scorers that it concerns.
FAILURES: dict[str, Kind] = {
    **dict.fromkeys(
        (
            "rate_limit",
            "timeout_connect",
            "timeout_read",
            "connection",
            "server_error",
            "overloaded",
        ),
        "transient",
    ),
    **dict.fromkeys(
        ("quota_exhausted", "auth", "permission", "not_found_model", "bad_request"), "setup"
    ),
    **dict.fromkeys(("budget_stop", "cancelled", "circuit_open", "internal"), "stopped"),
    **dict.fromkeys(
        (
            "context_length",
            "content_filter_input",
            "content_filter_output",
            "refusal",
            "truncated_length",
            "empty_output",
            "invalid_json",
            "schema_mismatch",
            "tool_error",
            "render_error",
        ),
        "outcome",
    ),
    **dict.fromkeys(("scorer_error", "judge_error"), "scoring"),
}

UNREACHED = frozenset({"connection", "timeout_connect"})  # of those: nobody was there
