"""Prompts in source code: found, named, and turned into versions."""

from .found_prompt import FoundPrompt
from .walk import BASELINE, Baseline, replacement, scan

__all__ = ["BASELINE", "Baseline", "FoundPrompt", "replacement", "scan"]
