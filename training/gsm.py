"""Problems from GSM8K's training part: programs from its `<<a*b=c>>` notes, also with new numbers."""

from __future__ import annotations

import gzip
import json
import random
import re
from dataclasses import dataclass
from pathlib import Path

from training import words
from training.plans import NUMBER, labelled, sentence
from training.problem import Row

_NOTE = re.compile(r"<<([^<>=]+)=([^<>=]+)>>")
_LITERAL = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")
_FIXED = re.compile(r"\b(half|twice|double|triple|dozen|third|quarter|week|hour|minute|year|day|month)", re.IGNORECASE)
INLINED = 3
"""The most lines of a program that is told as one expression."""
_KNOWN = frozenset({0.01, 0.5, 1.0, 2.0, 3.0, 4.0, 7.0, 10.0, 12.0, 24.0, 30.0, 52.0, 60.0, 100.0, 365.0, 1000.0})
"""Numbers that a program may use though the question does not name them: half, a dozen, minutes of an hour, …"""
_NAMES = set(words.SHE) | set(words.HE)


@dataclass(frozen=True)
class Source:
    """One annotated problem: `steps` are expressions over number literals, the last one gives `answer`."""

    question: str
    steps: tuple[str, ...]
    values: tuple[float, ...]
    answer: float


def read(path: Path) -> list[Source]:
    """The rows of GSM8K's file whose notes compute their answer."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    found = (_source(row["question"], row["answer"]) for row in rows)
    return [source for source in found if source is not None]


def _source(question: str, answer: str) -> Source | None:
    """The annotated problem, or None where the notes do not add up."""
    gold = float(answer.rsplit("####", 1)[1].strip().replace(",", ""))
    steps, values = [], []
    for left, _ in _NOTE.findall(answer):
        step = re.sub(r"(\d+(?:\.\d+)?)%", r"(\1/100)", left.replace(",", "").replace("$", "").replace(" ", ""))
        step = re.sub(r"(?<![\d.])\.(?=\d)", "0.", step)
        step = re.sub(r"(?<![\d.])0+(?=\d)", "", step)
        if not re.fullmatch(r"[\d.+\-*/()]+", step):
            return None
        try:
            value = float(eval(step))  # noqa: S307 - digits and operators only, checked above
        except (SyntaxError, ZeroDivisionError, TypeError):
            return None
        steps.append(step)
        values.append(round(value, 6))
    if not steps or len(steps) > 7 or abs(values[-1] - gold) > 1e-6 or len(question) > 420:
        return None
    return Source(" ".join(question.split()), tuple(steps), tuple(values), gold)


def _text(value: float) -> str:
    """A number as a program writes it."""
    return str(int(value)) if value == int(value) else repr(value)


def program(source: Source) -> tuple[str, set[float]]:
    """Lines `a = 48 / 2` … `print(…)`; a literal that is an earlier value becomes its name. Also the plain literals."""
    asked = {float(n.replace(",", "")) for n in NUMBER.findall(source.question)}
    literals: set[float] = set()
    used: set[int] = set()
    lines = []
    for index, step in enumerate(source.steps):

        def name(match: re.Match[str], index: int = index) -> str:
            value = float(match.group())
            for earlier in range(index - 1, -1, -1):
                if source.values[earlier] == value and (value not in asked or earlier not in used):
                    used.add(earlier)
                    return "abcdefgh"[earlier]
            literals.add(value)
            return match.group()

        text = re.sub(r"(?<=[\w)])([+\-*/])(?=[\w(])", r" \1 ", _LITERAL.sub(name, step))
        last = index == len(source.steps) - 1
        lines.append(f"print({text})" if last else f"{'abcdefgh'[index]} = {text}")
    return "\n".join(lines), literals


def inlined(code: str) -> str:
    """A program of at most three lines as one expression, as our own stories have it; longer ones stay as they are."""
    lines = code.split("\n")
    if len(lines) > INLINED:
        return code
    while len(lines) > 1:
        name, inner = lines[0].split(" = ")
        lines = [_substituted(line, name, inner) for line in lines[1:]]
    return lines[0]


def _substituted(line: str, name: str, inner: str) -> str:
    """`line` with `inner` for `name`, in parentheses where the signs beside it bind as strongly."""
    is_product = not re.search("[+-]", inner)

    def one(match: re.Match[str]) -> str:
        before, after = match.groups()
        is_bound = before == "/ " or (not is_product and (before in ("- ", "* ") or after in (" *", " /")))
        return f"{before}({inner})" if is_bound else before + inner

    return re.sub(rf"((?:[-+*/] )?)\b{name}\b(?=((?: [*/])?))", one, line)


def is_grounded(source: Source) -> bool:
    """Whether every number of the program is asked, found before, or generally known."""
    asked = {float(n.replace(",", "")) for n in NUMBER.findall(source.question)}
    spelled = {float(n) for n in range(21) if re.search(rf"\b{words.number_word(n)}\b", source.question, re.IGNORECASE)}
    return program(source)[1] <= asked | spelled | _KNOWN


def remarks(sources: list[Source]) -> list[str]:
    """Sentences without a number or a question, as other people write them."""
    counting = "|".join([*map(words.number_word, range(21)), r"\d|half|twice|double|triple|dozen|\$|\?"])
    asking = r"^(how|what|calculate|find|determine)|total|number of|rest of"
    found = (
        sentence
        for source in sources
        for sentence in re.split(r"(?<=[.!?]) ", source.question)
        if 15 <= len(sentence) <= 90
        and sentence.endswith(".")
        and not re.search(f"{counting}|{asking}", sentence, re.IGNORECASE)
    )
    return list(dict.fromkeys(found))


def renamed(question: str, rng: random.Random) -> str:
    """The question with its known first names exchanged for others."""
    for name in sorted(set(re.findall(r"\b[A-Z][a-z]+\b", question)) & _NAMES):
        pool = words.SHE if name in words.SHE else words.HE
        other = rng.choice(pool)
        if other not in question:
            question = re.sub(rf"\b{name}\b", other, question)
    return question


def row(source: Source, rng: random.Random, *, is_new: bool) -> Row | None:
    """The problem as it is, or with new numbers and names; None where no sane new numbers were found."""
    code, literals = program(source)
    question = source.question
    if is_new:
        changed = _renumbered(source, code, literals, rng)
        if changed is None:
            return None
        question, code = changed
        question = renamed(question, rng)
    code = inlined(code)
    return Row("gsm8k", question, sentence(labelled(question, code)), ((code, ""),), None)


def _renumbered(source: Source, code: str, literals: set[float], rng: random.Random) -> tuple[str, str] | None:
    """Question and program with new numbers: integers stay integers, everything stays positive."""
    asked = {float(n.replace(",", "")) for n in NUMBER.findall(source.question)}
    free = [n for n in asked & literals if not _is_fixed(n, source.question)]
    if not free:
        return None
    for _ in range(25):
        change = {n: _near(n, rng) for n in free}
        if all(n == m for n, m in change.items()):
            continue
        new = _changed(code, change)
        if _is_sane(new, source.values):
            return _reworded(source.question, change), new
    return None


def _changed(code: str, change: dict[float, float]) -> str:
    """The program with its literals exchanged."""
    return _LITERAL.sub(lambda m: _text(change.get(float(m.group()), float(m.group()))), code)


def _reworded(question: str, change: dict[float, float]) -> str:
    """The question with its numbers exchanged."""
    return NUMBER.sub(lambda m: _shown(m.group(), change), question)


def _is_fixed(n: float, question: str) -> bool:
    """Years, and small numbers that may stand for a word such as `half` or `week`, are kept."""
    return (
        1900 <= n <= 2100
        or n != int(n)
        or n < 2
        or (n in (2, 3, 4, 7, 12, 24, 30, 52, 60, 100) and bool(_FIXED.search(question)))
    )


def _near(n: float, rng: random.Random) -> float:
    """A number of the same kind."""
    if n <= 12:
        return float(rng.randint(max(2, int(n) - 3), int(n) + 4))
    unit = 100 if n % 100 == 0 else 10 if n % 10 == 0 else 5 if n % 5 == 0 else 1
    return float(max(unit, round(n * rng.uniform(0.5, 1.7) / unit) * unit))


def _shown(text: str, change: dict[float, float]) -> str:
    """The new number in the old one's style."""
    old = float(text.replace(",", ""))
    if old not in change:
        return text
    return f"{int(change[old]):,}" if "," in text else _text(change[old])


def _is_sane(code: str, before: tuple[float, ...]) -> bool:
    """Whether every step keeps its sign and stays an integer where it was one."""
    values: dict[str, object] = {}
    body = re.sub(r"^print\((.*)\)$", r"z = \1", code, flags=re.MULTILINE)
    try:
        exec(body, {}, values)  # noqa: S102 - our own arithmetic
    except ZeroDivisionError:
        return False
    after = [float(str(v)) for v in values.values()]
    if len(after) != len(before):
        return False
    return all(
        v > 0 and (old != int(old) or abs(v - round(v)) < 1e-9) and v < 1e7
        for v, old in zip(after, before, strict=True)
    )
