"""ToRA's own answer extraction, rule for rule, so that published predictions can be reproduced.

Source: Gou et al. 2024 (arXiv 2309.17452), the released evaluation's order of rules. What abaci itself believes about a
text is `abaci.answers.extract`; this module exists to be compared with.
"""

from __future__ import annotations

import re

MAX_LINE_CHARS = 4000
"""Longer lines are cut before they are normalised: no published answer comes near it, and it bounds the work."""

_NUMBER = re.compile(r"-?\d*\.?\d+")

_DELETIONS = ("\\left", "\\right")
_NOISE = ("\\text", "x\\in", "\\%", "%")


def extract_tora(text: str) -> str:
    """The answer that ToRA's evaluation reads from a trajectory, normalised as it does; "" where there is none.

    Rules, the first that applies: the last `boxed`, the text after the last "he answer is", the last output block, the
    last number.
    """
    line = _pick_span(text).split("\n", 1)[0][:MAX_LINE_CHARS]
    return strip_tora(line.removeprefix(":").removesuffix(".").removesuffix("/"))


def read_output(text: str) -> str:
    """The content of the last ```` ```output ```` block, stripped; "" where there is none."""
    _, fence, tail = text.rpartition("```output")
    return tail.split("```", 1)[0].strip() if fence else ""


def strip_tora(answer: str) -> str:
    """ToRA's normal form of an answer: spelling of fractions and roots, no units, no dollar and per cent signs."""
    text = answer.strip().replace("\n", "").rstrip(".")
    for dropped in ("\\!", "\\ "):
        text = text.replace(dropped, "")
    text = text.replace("\\\\", "\\").replace("\\\\", "\\")
    text = text.replace("tfrac", "frac").replace("dfrac", "frac")
    for dropped in _DELETIONS:
        text = text.replace(dropped, "")
    text = _drop_trailing_text(text)
    for dropped in ("^{\\circ}", "^\\circ", "\\$", "$", *_NOISE):
        text = text.replace(dropped, "")
    text = text.replace(" .", " 0.").replace("{.", "{0.").replace("\\cdot", "")
    text = _spell_infinity(text).replace("and", "").replace("\\mathbf", "")
    text = re.sub(r"\\mbox{.*?}", "", text)
    if "j" in text and "i" not in text:
        text = text.replace("j", "i")
    text = re.sub(r"(\d+)\.0+([^\d])", r"\1\2", text)
    text = re.sub(r"(\d+)\.0+$", r"\1", text)
    if not text:
        return text
    text = _drop_short_name("0" + text if text.startswith(".") else text)
    text = re.sub(r"\\sqrt(\w+)", r"\\sqrt{\1}", text).replace(" ", "")
    return _spell_slash(_brace_fractions(text))


def _pick_span(text: str) -> str:
    if "boxed" in text:
        return _read_box(text.rpartition("boxed")[2])
    if "he answer is" in text:
        return text.rpartition("he answer is")[2].strip()
    output = read_output(text)
    if output:
        return output
    numbers = _NUMBER.findall(text.replace(",", ""))
    return numbers[-1] if numbers else ""


def _read_box(tail: str) -> str:
    if not tail.startswith("{"):
        return tail.split("$", 1)[0].strip()
    depth = 1
    for index, char in enumerate(tail[1:], start=1):
        depth += (char == "{") - (char == "}")
        if depth == 0:
            return tail[1:index]
    return tail[1:]


def _drop_trailing_text(text: str) -> str:
    start = text.find("\\text{")
    if start < 0 or not text.endswith("}"):
        return text
    return text[:start].strip() or text


def _spell_infinity(text: str) -> str:
    text = text.replace("infinity", "\\infty")
    return text if "\\infty" in text else text.replace("inf", "\\infty")


def _drop_short_name(text: str) -> str:
    sides = text.split("=")
    return sides[1] if len(sides) == 2 and len(sides[0]) <= 2 else text


def _brace_fractions(text: str) -> str:
    head, *tails = text.split("\\frac")
    pieces = [head]
    for tail in tails:
        if tail.startswith("{"):
            pieces.append(tail)
        elif len(tail) < 2:
            return text
        elif tail[1] == "{":
            pieces.append(f"{{{tail[0]}}}{tail[1:]}")
        else:
            pieces.append(f"{{{tail[0]}}}{{{tail[1]}}}{tail[2:]}")
    return "\\frac".join(pieces)


def _spell_slash(text: str) -> str:
    sides = text.split("/")
    if len(sides) != 2 or not all("sqrt" in side or re.fullmatch(r"-?(?:0|[1-9]\d*)", side) for side in sides):
        return text
    return f"\\frac{{{sides[0]}}}{{{sides[1]}}}"
