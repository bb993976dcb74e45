"""The embedded model, not an LLM: a small in-context learner in process, so that the road runs on a
fresh machine.
"""

from .client import EmbeddedClient
from .model import EmbeddedModel

__all__ = ["EmbeddedClient", "EmbeddedModel"]
