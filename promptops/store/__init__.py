"""Keeping runs: append-only segments, merged into DuckDB, archived as Parquet.

The only rooms that know duckdb are here.
"""

from .store import Store

__all__ = ["Store"]
