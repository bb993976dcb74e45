"""Append-only checksummed segments: the form of a line, the files of a folder, and their locks."""
