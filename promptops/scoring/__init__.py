"""Judging recorded runs: every case meets every scorer, and a function that hangs or crashes harms
only its own result.
"""
