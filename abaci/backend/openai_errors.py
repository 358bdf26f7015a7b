"""What a server's refusal means: send it again, send it differently, or give up and say why."""

from __future__ import annotations

import random
import re
from typing import Final, NamedTuple

import openai

from abaci.errors import BackendError, BackendRejected, BackendUnavailable

MAX_RETRY_WAIT_S: Final = 30.0
_FIRST_RETRY_WAIT_S: Final = 0.5
_RETRIED_STATUS: Final = frozenset({408, 409, 425, 429})

_CONTEXT_WORDS: Final = re.compile(
    r"context[ _](length|window|size)|maximum (context|model) len|max_model_len|too many tokens|exceed_context", re.I
)
_CONTEXT_LIMIT: Final = re.compile(r"(?:maximum context length is|max_model_len\D{1,3}|context size \(?)\s*(\d+)", re.I)
_PROMPT_TOKENS: Final = re.compile(
    r"(\d+) (?:input tokens|prompt tokens|(?:tokens? )?in (?:the|your) (?:messages|prompt))|request \((\d+) tokens\)",
    re.I,
)


class ContextRefusal(NamedTuple):
    """A refusal for want of room; each number only where the server says it."""

    context_length: int | None
    prompt_tokens: int | None


def is_retryable(error: openai.APIError) -> bool:
    """Whether the same request may succeed a moment later: busy, timed out, failed inside, unreachable."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code in _RETRIED_STATUS or error.status_code >= 500
    return isinstance(error, openai.APIConnectionError)


def retry_wait_s(error: openai.APIError, attempt: int) -> float:
    """Seconds before retry number `attempt` (from 0): what the server asks for, else doubling; at most 30.

    With some chance in it, so that clients refused together do not return together.
    """
    if isinstance(error, openai.APIStatusError):
        asked = error.response.headers.get("retry-after", "")
        if re.fullmatch(r"\d+(\.\d+)?", asked):
            return min(float(asked), MAX_RETRY_WAIT_S)
    return min(_FIRST_RETRY_WAIT_S * 2.0**attempt, MAX_RETRY_WAIT_S) * random.uniform(0.5, 1.0)


def context_refusal(error: openai.APIError) -> ContextRefusal | None:
    """The numbers of a refusal because of the context's length; None: it is another refusal."""
    if not isinstance(error, openai.APIStatusError) or error.status_code not in (400, 413, 422):
        return None
    if error.code != "context_length_exceeded" and _CONTEXT_WORDS.search(error.message) is None:
        return None
    limit = _CONTEXT_LIMIT.search(error.message)
    prompt = _PROMPT_TOKENS.search(error.message)
    return ContextRefusal(
        context_length=int(limit[1]) if limit else None,
        prompt_tokens=int(prompt[1] or prompt[2]) if prompt else None,
    )


def is_refusal_of(error: openai.APIError, parameter: str) -> bool:
    """Whether the server refuses the request because of `parameter`."""
    if not isinstance(error, openai.APIStatusError) or error.status_code not in (400, 404, 422, 501):
        return False
    if error.param is not None:
        return error.param.rpartition(".")[2] == parameter
    return re.search(rf"\b{parameter}\b", error.message) is not None


def translate(error: openai.APIError, base_url: str) -> BackendError:
    """`error` as an error of ours that names the server and repeats what it says."""
    said = re.sub(r"^Error code: \d+ - ", "", " ".join(error.message.split()))[:500]
    if isinstance(error, openai.APITimeoutError):
        return BackendUnavailable(f"the server at {base_url} did not answer in time: raise `timeout_s`, or look at it")
    if isinstance(error, openai.APIConnectionError):
        cause = error.__cause__
        detail = f" ({cause})" if cause is not None and str(cause) else ""
        return BackendUnavailable(
            f"the server at {base_url} cannot be reached or broke the connection{detail}: is it running?"
        )
    if isinstance(error, openai.APIStatusError):
        if is_retryable(error):
            return BackendUnavailable(f"the server at {base_url} keeps failing ({error.status_code}: {said})")
        if error.status_code in (401, 403):
            return BackendRejected(
                f"the server at {base_url} refuses the API key ({error.status_code}: {said}): give the right one as "
                "`api_key` of the backend, for instance ABACI_BACKEND__API_KEY beside the rest of ABACI_BACKEND__*"
            )
        return BackendRejected(f"the server at {base_url} refuses the request ({error.status_code}: {said})")
    return BackendUnavailable(f"the server at {base_url} broke off: {said}")
