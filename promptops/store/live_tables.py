"""The tables of live calls: the calls, feedback on them, and what of their files was taken in."""

from __future__ import annotations

from .columns import table_of

__all__ = ["FEEDBACK", "LIVE", "LIVE_HOURS", "LIVE_LOSSES", "LIVE_SOURCES", "PURGED_CALLS"]
LIVE = table_of(
    "live",
    "id",
    "One call that an application made in earnest; never reused as an answer of a study.",
    """
    id text `l-` and 32 hex digits; sorts by time
    response_id text the provider's id of the answer
    prompt text the prompt's name; null if it is unknown
    version_id text content id of the version; null if it is unknown
    version int display number of the version
    env text the environment
    arm text stable or canary; null if no canary ran
    served_from text where the loader had it from: file, last_known_good, default or use
    attribution text how the version is known: carried, matched, imported or unknown
    key_hash text keyed hash of the user's key
    session text keyed hash of the conversation
    started_at time when the call began
    latency_ms float milliseconds of the whole call
    first_token_ms float milliseconds to the first token of a streaming call
    model text the model's name that was asked for
    model_returned text the model's name that came back
    system_fingerprint text the provider's system_fingerprint
    endpoint text host of who answered
    tokens_in int tokens of the prompt
    tokens_out int tokens of the answer
    tokens_cached int tokens of the prompt that the provider had cached
    finish_reason text why the model stopped
    failure text failure class; null if the model answered
    failure_detail text status, code and exception; the message where content is kept
    streamed bool whether the answer came in pieces
    chars_in int characters of the messages
    chars_out int characters of the answer
    values json what the variables were filled with, where content is kept
    output text the answer, where content is kept
    tool_calls json the tool calls that came back, where content is kept
    kept float share of the calls whose content was kept when this one's was; null if it was not
    service text the application's name
    release text the application's release
    trace_id text OpenTelemetry's trace, 32 hex digits
    span_id text OpenTelemetry's span, 16 hex digits
    """,
)


FEEDBACK = table_of(
    "feedback",
    "id",
    "Feedback on a live answer, given later.",
    """
    id text `f-` and 32 hex digits
    run text the live row's id, or the provider's id of the answer
    kind text good, score, label, correction or note
    value float 1 for good and 0 for bad, or the score
    label text the category
    correction text what the answer should have been
    note text anything else
    by text keyed hash of the person who gave it
    at time when
    """,
)


LIVE_LOSSES = table_of(
    "live_losses",
    "id",
    "Live rows that an application could not record.",
    """
    id text of the note
    at time when the sink took rows again
    rows int how many were dropped before
    reason text why
    """,
)


LIVE_SOURCES = table_of(
    "live_sources",
    "source bytes",
    "How much of each file of live rows has been taken in.",
    """
    source text name of the segment or file
    bytes int up to where
    folder text the folder, or the file itself, as the machine that read it names it
    """,
)
LIVE_HOURS = table_of(
    "live_hours",
    "id",
    "What a purge by age left of live rows: their figures by hour, without anybody's words or ids.",
    """
    id text `h-` and 32 hex digits of the ids of the rows that went: the same rows count once
    hour time the hour in which the calls began
    prompt text the prompt's name
    version_id text content id of the version; null if it was unknown
    version int display number of the version
    env text the environment
    arm text stable or canary; null if no canary ran
    model text the model's name that came back, else that was asked for
    calls int how many calls
    failures int how many failed, without those that the application gave up
    priced int how many had their tokens counted
    tokens_in int tokens of the prompts, of those
    tokens_out int tokens of the answers, of those
    tokens_cached int tokens that the provider had cached, of those
    votes int how many were voted on
    good int votes for good
    scored int how many were scored
    score_sum float sum of their mean scores
    score_squares float sum of the squares
    latency json {"n": calls of 1.04^n milliseconds}: p50 and p95 to 2 %
    """,
)
PURGED_CALLS = table_of(
    "purged_calls",
    "id",
    "What a purge removed of live rows, so that no other log brings it back.",
    """
    id text 32 hex digits made of a row's id; of a purge by age, `until-` and a time
    until time when the newest call began that a purge by age removed; null for a single row
    """,
)
