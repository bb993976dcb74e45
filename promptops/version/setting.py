"""The settings and tools of a version: how the model is asked, never where, and never with which
key.
"""

from __future__ import annotations

from ..canonical import json_copy
from ..errors import VersionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = [
    "check_numbers",
    "checked_map",
    "checked_settings",
    "checked_tools",
    "unknown_settings",
]

_NUMBERS = {  # of chat completions: what each takes beside null
    **dict.fromkeys(("temperature", "top_p", "frequency_penalty", "presence_penalty"), "number"),
    **dict.fromkeys(
        ("max_tokens", "max_completion_tokens", "seed", "top_logprobs"), "whole number"
    ),
}

# what some provider of the form takes, as of its reference or of the servers that share it
_OF_ALL = "temperature top_p max_tokens stop seed tools tool_choice metadata service_tier user"
_KNOWN = {
    "chat": (
        "audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens"
        " modalities moderation parallel_tool_calls prediction presence_penalty prompt_cache_key"
        " prompt_cache_retention reasoning_effort safety_identifier store top_logprobs verbosity"
        " web_search_options extra_body timeout enable_thinking thinking thinking_budget reasoning"
        " include_reasoning reasoning_format safe_prompt random_seed top_k top_a min_p typical_p"
        " repetition_penalty repeat_penalty length_penalty min_tokens ignore_eos best_of use_beam"
        " use_beam_search stop_token_ids bad_words skip_special_tokens chat_template_kwargs"
        " guided_json guided_regex guided_choice guided_grammar structured_outputs grammar"
        " json_schema keep_alive options format num_ctx num_predict mirostat mirostat_tau"
        " mirostat_eta cache_prompt n_predict samplers dry_multiplier xtc_probability provider"
        " models route transforms plugins usage drop_params fallbacks guardrails"
        " response_mime_type safety_settings truncation citations search_parameters"
        " documents prompt_mode"
    ),
    "responses": (
        "background conversation include instructions max_completion_tokens max_output_tokens"
        " max_tool_calls moderation parallel_tool_calls previous_response_id prompt"
        " prompt_cache_key prompt_cache_retention reasoning reasoning_effort safety_identifier"
        " store text top_logprobs truncation verbosity context_management extra_body timeout"
    ),
    "anthropic": (
        "cache_control container context_management inference_geo max_completion_tokens"
        " mcp_servers output_config output_format parallel_tool_calls reasoning_effort"
        " stop_sequences thinking top_k betas speed extra_body timeout"
    ),
    "gemini": (
        "frequency_penalty presence_penalty max_completion_tokens reasoning_effort top_k"
        " audio_timestamp cached_content candidate_count enable_enhanced_civic_answers"
        " image_config labels logprobs max_output_tokens media_resolution model_selection_config"
        " response_json_schema response_logprobs response_mime_type response_modalities"
        " response_schema routing_config safety_settings speech_config stop_sequences"
        " system_instruction thinking_config tool_config http_options"
        " automatic_function_calling model_armor_config"
    ),
}

_FORBIDDEN_SETTINGS = {
    **dict.fromkeys(("model", "messages", "tools", "response_format"), "is an argument of its own"),
    **dict.fromkeys(("stream", "stream_options"), "is how a call is sent, not what is asked"),
    "n": "is not allowed: use repeats= when evaluating",
}
# of a setting's name, in lower case without signs: base_url, baseURL and base-url are one
_SECRET_WORDS = (
    *(
        "baseurl",
        "apibase",
        "apikey",
        "headers",
        "endpoint",
        "secret",
        "password",
        "passwd",
        "authorization",
        "bearer",
    ),
    *("httpclient", "proxy", "credential", "accesstoken", "authtoken", "privatekey", "cookie"),
)


def checked_map(value: Any, what: str) -> Mapping[str, object]:
    """The map itself, empty for None. Raises VersionError for anything else."""
    if value is not None and not hasattr(value, "keys"):
        raise VersionError(
            f"{what} is a {type(value).__name__}; expected a map from names to values, or None."
        )
    return value or {}


def checked_settings(settings: Mapping[str, object]) -> dict[str, object]:
    """The settings, copied.

    Raises VersionError for what is an argument of its own, an endpoint, a class or a secret.
    """
    for name, value in settings.items():
        if name in _FORBIDDEN_SETTINGS:
            raise VersionError(
                f"setting {name!r} {_FORBIDDEN_SETTINGS[name]}; leave it out of the settings."
            )
        if isinstance(value, type):
            raise VersionError(
                f"setting {name!r} is the class {value.__name__}; pass the class that"
                " describes the answer as response_format=."
            )
    checked: dict[str, Any] = json_copy(settings, "settings")
    _refuse_secrets(checked, "setting")
    return checked


def check_numbers(settings: Mapping[str, Any]) -> None:
    """Raises VersionError if a setting that every chat endpoint reads as a number is something
    else. Unknown ones are the endpoint's.

    Asked when a version is saved, not when it is read: a registry that holds one must still load.
    """
    for name, value in settings.items():
        kind = _NUMBERS.get(name)
        if kind is None or value is None:
            continue
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or (kind == "whole number" and value != int(value)):
            example = "0.2" if kind == "number" else "200"
            raise VersionError(
                f"setting {name!r} is {value!r}; expected a {kind}, as in {name}={example}."
            )


def unknown_settings(api: str, settings: Mapping[str, object]) -> list[tuple[str, str]]:
    """(name, the known one that it is most like or "") of each setting that no known provider of
    the form has: most likely a slip, which the provider refuses or ignores.
    """
    import re  # which loading a prompt does without

    known = {*_OF_ALL.split(), *_KNOWN[api].split()}
    folded = {_bare(name): name for name in sorted(known)}
    camel = {re.sub(r"_([a-z])", lambda found: found[1].upper(), name) for name in known}
    found = []
    for name in settings:
        if name in known or (api == "gemini" and name in camel):
            continue
        import difflib

        near = difflib.get_close_matches(_bare(name), folded, 1, 0.75)
        found.append((name, folded[near[0]] if near else ""))
    return found


def _bare(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))


def checked_tools(tools: object) -> list[dict[str, object]]:
    """The tools, copied.

    Raises VersionError for a tool that carries an endpoint's key or headers.
    """
    if not isinstance(tools, (list, tuple)):
        raise VersionError(f"tools is a {type(tools).__name__}; expected a list of tools.")
    checked: list[dict[str, object]] = json_copy(tools, "tools")
    for index, tool in enumerate(checked):
        if not isinstance(tool, dict):
            raise VersionError(
                f'tool {index} is a {type(tool).__name__}; expected {{"type": "function",'
                ' "function": ...}.'
            )
        for name in tool:
            _refuse_secret(name, f"tool {index}: the field", name)
    return checked


def _refuse_secrets(value: object, what: str, path: str = "", depth: int = 0) -> None:
    """Look through settings for the name of an endpoint or a secret.

    Deep down, where schemas live, only beside a text.
    """
    if isinstance(value, list):
        for item in value:
            _refuse_secrets(item, what, path, depth + 1)
    if isinstance(value, dict):
        for name, item in value.items():
            here = f"{path}.{name}" if path else name
            if depth < 2 or isinstance(item, str):
                _refuse_secret(name, what, here)
            _refuse_secrets(item, what, here, depth + 1)


def _refuse_secret(name: str, what: str, shown: str) -> None:
    bare = _bare(name)
    if any(word in bare for word in _SECRET_WORDS):
        raise VersionError(
            f"{what} {shown!r} names an endpoint or a secret, which no version may carry; give it"
            " to Lab(models=...)."
        )
