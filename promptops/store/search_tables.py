"""The tables of optimisations: the searches, their candidates and what was proposed."""

from __future__ import annotations

from .columns import table_of

__all__ = ["CANDIDATES", "CANDIDATE_EVENTS", "OPTIMIZATIONS", "PROPOSALS"]
OPTIMIZATIONS = table_of(
    "optimizations",
    "id",
    "One search for a better version of a prompt, on the train and val splits alone.",
    """
    id text content id of the search (`o1-`...)
    prompt text the prompt's name
    seed_version text version id that it began with
    method text name of the method
    design json method, scorers, goal, splits, seed of the random numbers and budget
    plan_id text the plan of its confirmation, frozen before the search began
    author text who ran it
    created_at time when it was first run
    """,
)


CANDIDATES = table_of(
    "candidates",
    "optimization_id version_id",
    "One version that a search considered, with where it came from.",
    """
    optimization_id text the search
    version_id text content id of the version
    number int 0 for the seed, then in the order in which they were made
    parents json ids of the versions that it was made from
    how text the step that made it
    call_run text run of the call that proposed it; null if no model was asked
    feedback text null: the rows that the step was given are in the request of the proposal's run
    """,
)


CANDIDATE_EVENTS = table_of(
    "candidate_events",
    "optimization_id number",
    "What happened to a candidate, in the order of the search.",
    """
    optimization_id text the search
    number int place in the search, 0 first
    version_id text the candidate
    status text proposed, vetoed, raced_out, kept or best
    n int val examples that it had answered
    score float mean of the primary on them; null if nothing was scored
    detail text why, one sentence
    event_at time when it was first recorded
    """,
)


PROPOSALS = table_of(
    "proposals",
    "optimization_id number",
    "One text that a model proposed, recorded before it is evaluated.",
    """
    optimization_id text the search
    number int place among its proposals, 0 first
    how text the step that asked for it
    parents json ids of the versions that it was shown
    run_id text run of the call
    version_id text the candidate that became of it; null if none did
    refused text why none did; null if one did
    proposed_at time when it was first recorded
    """,
)
