"""One spelling for answers that differ in spelling only.

The steps follow the field's `strip_string` (Hendrycks et al. 2021, ToRA) where it is safe, and stay short of it where
it changes values: nothing is dropped from inside an expression, so a canonical answer can still be parsed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from abaci.answers.latex import brace_fractions, brace_roots, brace_scripts, strip_outer_braces, unwrap_text
from abaci.types import Answer

MAX_CANONICAL_CHARS = 1000
"""A longer answer keeps its spelling, but for runs of white space."""

_MAX_PASSES = 8

_SYMBOLS = str.maketrans(
    {
        "−": "-", "–": "-", "‐": "-", "×": "\\times ", "·": "\\cdot ", "÷": "/", "π": "\\pi ", "∞": "\\infty ", "°": "",
        "≤": "\\le ", "≥": "\\ge ", "≠": "\\ne ", "≈": "\\approx ", "±": "\\pm ", "∪": "\\cup ", "∩": "\\cap ",
        "∈": "\\in ", "²": "^{2}", "³": "^{3}", "½": "\\frac{1}{2}", "’": "'", "“": '"', "”": '"', "θ": "\\theta ",
        "\u200b": "", "\u2061": "", "\u2062": "", "\ufeff": "",
    }
)  # fmt: skip

_DOUBLE_BACKSLASH = re.compile(r"\\\\(?=[a-zA-Z])")
_SPACING = re.compile(r"(\\\\)|\\[,;:!> ]|\\(?:quad|qquad|displaystyle|limits|rm|bf)(?![a-zA-Z])|~")
_THOUSANDS_LATEX = re.compile(r"(?<=\d)(?:\{,\}|,\\!|\\,)(?=\d{3}(?!\d))")
_SIZING = re.compile(r"\\(?:left|right)\.|\\(?:left|right|[bB]ig{1,2}[lrm]?)(?![a-zA-Z])")
_FRACTION_NAMES = re.compile(r"\\[dtc]frac(?![a-zA-Z])")
_RELATION_NAMES = re.compile(r"\\(leq|geq|neq)(?:slant)?(?![a-zA-Z])")
_DEGREES = re.compile(r"\^?\s?(?:\{\s?\\circ\s?\}|\\circ(?![a-zA-Z])|\\degree(?:s)?(?![a-zA-Z]))")
_CURRENCY = re.compile(r"\\?[$€£¥]|(?<!\\)\\?%")
_PERCENT_WORD = re.compile(r"(?<=\d)\s?(?:percentage|percent|pct)\.?$", re.IGNORECASE)
_INFINITY = re.compile(r"(?<![\\a-zA-Z])(?:infinity|inf|oo)(?![a-zA-Z])")
_PLUS_INFINITY = re.compile(r"(^|[,(\[])\s?\+\s?(?=\\infty)")
_PI = re.compile(r"(?<![\\a-zA-Z])pi(?![a-zA-Z])")
_SCIENTIFIC = re.compile(r"(?<![\w.\\])(\d+(?:\.\d*)?|\.\d+)[eE]([+-]?)0{0,9}(\d{1,6})(?![\w.])")
_DECIMAL = re.compile(r"(?<![\w.])(\d*)\.(\d+)(?![\w.])")
_THOUSANDS = re.compile(r"-?\d{1,3}(?:(?:,\d{3})+|(?: \d{3})+)(?:\.\d+)?")
_SLASH = re.compile(r"(-?)(\d+)\s?/\s?(\d+)")
_MIXED = re.compile(r"(-?\d+) (?:(\d+)/(\d+)|(\\frac\{\d+\}\{\d+\}))")
_CHOICE = re.compile(r"\(([A-J])\)|([A-J])[.)]")
_NAME = re.compile(
    r"(?:[a-zA-Z]{1,2}|\\[a-zA-Z]{2,8}|[a-zA-Z](?:_\{?\w\}?|\([a-z]\))|\([a-zA-Z](?:,\s?[a-zA-Z]){1,3}\))"
    r"\s?(?:=|\\approx(?![a-zA-Z])|\\in(?![a-zA-Z])(?=\s?(?:[(\[]|\\\{|\\mathbb)))\s?(?=[^\s=])"
)
_COMPARISON = re.compile(r"[=<>]|\\(?:le|ge|ne|approx|in|equiv)(?![a-zA-Z])")
_GLUED_UNIT = re.compile(r"(-?[\d.,]+)\s?([a-zA-Z]{1,12})(?:\^\{?[23]\}?)?")
_SPACED_UNIT = re.compile(r"(-?[\d.,]+|-?\\frac\{\d+\}\{\d+\}) ((?:[a-zA-Z]{3,20}\s?){1,4})(?:\^\{?[23]\}?)?")
_UNITS = frozenset({
    "cm", "mm", "km", "kg", "mg", "ml", "mi", "ft", "lb", "lbs", "oz", "hr", "hrs", "mph", "kmh", "cent", "dollar",
    "euro", "mile", "meter", "metre", "foot", "feet", "inch", "inches", "yard", "hour", "minute", "second", "day",
    "week", "month", "year", "degree", "deg", "unit", "gram", "liter", "litre", "pound", "ounce", "gallon",
})  # fmt: skip
_NOT_UNITS = frozenset({
    "pi", "inf", "infinity", "sqrt", "sin", "cos", "tan", "cot", "sec", "csc", "log", "exp", "mod", "hundred",
    "thousand", "million", "billion", "trillion", "dozen", "half", "halves", "third", "thirds", "quarter",
    "quarters", "tenths", "hundredths", "and", "or", "not", "to", "over", "plus", "minus", "times", "divided",
    "alpha", "beta", "gamma", "theta",
})  # fmt: skip


def make_answer(raw: str) -> Answer:
    """The answer `raw` with its canonical form."""
    return Answer(raw=raw, canonical=canonical(raw))


def canonical(raw: str) -> str:
    """The canonical spelling of an answer; idempotent.

    Units, currency and per cent signs, sizing commands, degrees, markdown and a short `x =` are dropped; fractions,
    roots, exponents, decimals and thousands get one spelling. Two answers with equal canonical forms are equal up to
    those. A text longer than `MAX_CANONICAL_CHARS`, or one that does not come to rest, keeps its spelling.
    """
    squeezed = _squeeze(raw)
    return squeezed if len(squeezed) > MAX_CANONICAL_CHARS else _settle(squeezed)


# A vote compares the same few answers again and again.
@lru_cache(maxsize=4096)
def _settle(squeezed: str) -> str:
    text = squeezed
    for _ in range(_MAX_PASSES):
        following = _rewrite(text)
        if following == text:
            return text
        text = following
    # No fixed point: returning a half-way form would not be idempotent, and equal inputs still compare equal this way.
    return squeezed


def _squeeze(text: str) -> str:
    return " ".join(text.split())


def _rewrite(text: str) -> str:
    for step in _STEPS:
        text = step(text).strip()
    return _squeeze(text)


def _unify_symbols(text: str) -> str:
    return text.translate(_SYMBOLS)


def _drop_markdown(text: str) -> str:
    for mark in ("**", "`", '"'):
        if len(text) > 2 * len(mark) and text.startswith(mark) and text.endswith(mark):
            text = text[len(mark) : -len(mark)].strip()
    return text.removeprefix("**").removesuffix("**")


def _drop_delimiters(text: str) -> str:
    for opener, closer in (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]")):
        if len(text) > len(opener + closer) and text.startswith(opener) and text.endswith(closer):
            text = text[len(opener) : -len(closer)].strip()
    return text


def _drop_spacing(text: str) -> str:
    text = _THOUSANDS_LATEX.sub("", text)
    if "begin" not in text:
        text = _DOUBLE_BACKSLASH.sub(r"\\", text)
    return _SPACING.sub(lambda m: m[1] or " ", text)


def _drop_punctuation(text: str) -> str:
    text = text.lstrip(":").strip()
    while text and text[-1] in ".,;:" and not text.endswith(("\\,", "\\;", "\\:")):
        text = text[:-1].rstrip()
    return text


def _unify_commands(text: str) -> str:
    text = _FRACTION_NAMES.sub(r"\\frac", _SIZING.sub("", text))
    return _RELATION_NAMES.sub(lambda m: f"\\{m[1][:2]}", text)


def _drop_unit_signs(text: str) -> str:
    text = _PERCENT_WORD.sub("", _DEGREES.sub("", text))
    return _CURRENCY.sub("", text)


def _drop_unit_words(text: str) -> str:
    glued = _GLUED_UNIT.fullmatch(text)
    if glued and (glued[2].lower() in _UNITS or glued[2].lower().removesuffix("s") in _UNITS):
        return glued[1]
    spaced = _SPACED_UNIT.fullmatch(text)
    if spaced and not _NOT_UNITS.intersection(spaced[2].lower().split()):
        return spaced[1]
    return text


def _unify_constants(text: str) -> str:
    text = _PI.sub(r"\\pi ", _INFINITY.sub(r"\\infty ", text))
    return _PLUS_INFINITY.sub(r"\1", text)


def _unify_numbers(text: str) -> str:
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "").replace(" ", "")
    text = _SCIENTIFIC.sub(lambda m: f"{m[1]}\\times10^{{{m[2].replace('+', '')}{m[3]}}}", text)
    return _DECIMAL.sub(_trim_decimal, text)


def _trim_decimal(number: re.Match[str]) -> str:
    decimals = number[2].rstrip("0")
    return (number[1] or "0") + (f".{decimals}" if decimals else "")


def _unify_quotients(text: str) -> str:
    slash = _SLASH.fullmatch(text)
    if slash:
        return f"{slash[1]}\\frac{{{slash[2]}}}{{{slash[3]}}}"
    mixed = _MIXED.fullmatch(text)
    if mixed:
        return mixed[1] + (mixed[4] or f"\\frac{{{mixed[2]}}}{{{mixed[3]}}}")
    return text


def _unify_operators(text: str) -> str:
    return text.replace("**", "^")


def _drop_name(text: str) -> str:
    if len(_COMPARISON.findall(text)) != 1:
        return text
    name = _NAME.match(text)
    return text[name.end() :] if name else text


def _unify_choice(text: str) -> str:
    choice = _CHOICE.fullmatch(text)
    return choice[1] or choice[2] if choice else text


def _close_gaps(text: str) -> str:
    """Drops spaces but those between two words, two numbers, or a command and a letter."""
    return re.sub(r" ", lambda gap: " " if _is_needed(text, gap.start()) else "", text)


def _is_needed(text: str, at: int) -> bool:
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    return (before.isalpha() and after.isalpha()) or (before.isdigit() and after.isdigit())


_STEPS: tuple[Callable[[str], str], ...] = (
    _squeeze,
    _unify_symbols,
    _drop_markdown,
    _drop_delimiters,
    _drop_spacing,
    _drop_punctuation,
    _unify_commands,
    unwrap_text,
    _drop_unit_signs,
    _drop_unit_words,
    _unify_constants,
    _unify_operators,
    brace_roots,
    brace_scripts,
    brace_fractions,
    _unify_numbers,
    _unify_quotients,
    _drop_name,
    _unify_choice,
    strip_outer_braces,
    _squeeze,
    _close_gaps,
)
