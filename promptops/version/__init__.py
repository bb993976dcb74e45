"""What a version is: messages, variables, model name, settings, tools and response format, named by
their content.
"""

from .version import FORM, PromptVersion

__all__ = ["FORM", "PromptVersion"]
