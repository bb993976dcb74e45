"""Append-only checksummed segments: the form of a line, the files of a folder, and the locks that
they are held by.
"""
