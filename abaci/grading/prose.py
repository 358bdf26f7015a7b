"""Texts whose answer is beyond doubt are graded as that answer; only the others are searched by math-verify."""

from __future__ import annotations

import re

from abaci.answers.extract import extract_boxed

MAX_TEXT_CHARS = 6000
"""Of a longer text the end is searched: answers come last, and the search is not linear."""

_BOX = re.compile(r"\\(?:boxed|fbox)(?![a-zA-Z])")
_DELIMITED = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"))


def read_sole_answer(text: str) -> str | None:
    """The text's only boxed content, or its formula where it is nothing else; None where there is a choice."""
    boxes = len(_BOX.findall(text))
    if boxes == 1:
        return extract_boxed(text)
    if boxes > 1:
        return None
    stripped = text.strip().rstrip(".").rstrip()
    for opener, closer in _DELIMITED:
        if len(stripped) > len(opener + closer) and stripped.startswith(opener) and stripped.endswith(closer):
            inner = stripped[len(opener) : -len(closer)]
            return None if "$" in inner or opener in inner or closer in inner else inner
    return None


def cut_text(text: str) -> str:
    """The last `MAX_TEXT_CHARS` characters, from the start of a line or word."""
    if len(text) <= MAX_TEXT_CHARS:
        return text
    tail = text[-MAX_TEXT_CHARS:]
    _, _, rest = tail.partition("\n" if "\n" in tail[: MAX_TEXT_CHARS // 2] else " ")
    return rest or tail
