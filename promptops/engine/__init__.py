"""Making runs: one call with its retries, and many calls at a pace, within a budget, recorded as
they come.
"""
