# ruff: noqa: SIM905 - lists of words read best as running text
"""Stories told freely: the files in `stories/`, their numbers, names and things redrawn for every problem.

A story is a line of facts and some questions, each with the expression that answers it, every number after its label:

    Maya baked 24 muffins for the bake sale. She sold 15 of them before lunch, and her brothers ate 2.
    ? How many muffins were left? = baked 24 - sold 15 - ate 2
    ? If a muffin costs 3 dollars, how much money did Maya earn? = sold 15 * costs 3

The labelled expression is the rationale, the same without its labels the program: to write a label is to decide which
quantity is meant, and the number beside it is then only looked up. A number that the text lacks is a word's meaning
(`twice 2`, `dozen 12`) and stays. `python -m training.storybook FILE …` checks files.
"""

from __future__ import annotations

import ast
import random
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from training import words

FOLDER = Path(__file__).with_name("stories")
NUMBER = re.compile(r"(?<![\w.,])\d+(?![\d%]|[.,]\d)")
_TERM = re.compile(r"(?P<label>[A-Za-z][A-Za-z ]*) (?P<number>\d+)|[-+*/()]|\s+")
_LABEL = re.compile(r"[A-Za-z][A-Za-z ]* (?=\d)")
_FOREIGN = re.compile(r"[\[\]{}<>|~=\\\"]|[^\x20-\x7e]|\d[.,]\d|\d%|\b1\b|\b0")
_CONSTANTS = frozenset({*range(1, 13), 24, 30, 52, 60, 100, 365, 1000})
"""What a word may stand for: half, a dozen, the days of a week, minutes of an hour, …"""
_OPENERS = frozenset(
    "The There He She They It A An His Her Their Each Every On In At After Later Then Today Yesterday This That Some"
    " Another During For By With From Both When While Of To".split()
)
"""First words that are written small inside a sentence."""
_CONDITIONS = frozenset("If When Whenever While After Before Since Although Because As Once Until".split())
"""First words of sentences that cannot follow `If`."""
_GROWN = re.compile(r"\b(?:old|older|younger|age|ages|degrees|tall|taller|minutes|hours)\b")
"""Words of quantities that have a natural size."""
_VERBS = frozenset({"watches", "dates", "caps", "belts", "laps", "plates", "cards", "points", "coins"})
"""Plurals of `words.KINDS` that mean something else too: never exchanged."""
_KIND_OF = {many.replace("_", " "): kind for kind, names in words.KINDS.items() for many in names if many not in _VERBS}
_KIND = re.compile(rf"\b({'|'.join(sorted(map(re.escape, _KIND_OF), key=len, reverse=True))})\b")
TRIES = 300


class Unfit(Exception):
    """Numbers for which a story makes no sense."""


@dataclass(frozen=True)
class Question:
    """One question of a story; `plan` is its labelled expression."""

    ask: str
    plan: str

    @property
    def program(self) -> str:
        """The expression alone."""
        return _LABEL.sub("", self.plan)


@dataclass(frozen=True)
class Story:
    """The facts, and the questions that they answer."""

    facts: str
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Problem:
    """One question of a story with numbers of its own."""

    question: str
    plan: str
    program: str
    answer: int


# --- reading and checking ---------------------------------------------------------------------------------------------


def read(path: Path) -> list[Story]:
    """The stories of a file.

    Raises:
        ValueError: a question without an expression, or before its story.
    """
    found = []
    for block in re.split(r"\n\s*\n", path.read_text(encoding="utf-8").strip()):
        facts, *lines = (line.strip() for line in block.splitlines())
        questions = []
        for line in lines:
            ask, equals, plan = line.removeprefix("?").strip().partition(" = ")
            if not line.startswith("?") or not equals:
                raise ValueError(f"{path.name}: not `? question = expression`: {line!r}")
            questions.append(Question(ask.strip(), plan.strip()))
        if facts.startswith("?") or not questions:
            raise ValueError(f"{path.name}: facts on one line, then questions: {block[:80]!r}")
        found.append(Story(facts, tuple(questions)))
    return found


def complaints(story: Story) -> Iterator[str]:
    """What is wrong with a story, in words."""
    if not re.search(r"[.!]$", story.facts):
        yield "the facts end without a full stop"
    if len({question.program for question in story.questions}) < len(story.questions):
        yield "two questions have the same program"
    for question in story.questions:
        text = f"{story.facts} {question.ask}"
        yield from (f"{question.ask!r}: {fault}" for fault in _faults(text, question))


def _faults(text: str, question: Question) -> Iterator[str]:
    if found := _FOREIGN.search(text):
        yield f"the text holds {found.group()!r}"
    if not re.search(r"[.?]$", question.ask):
        yield "the question ends without a mark"
    rest = _TERM.sub("", question.plan)
    if rest or not _LABEL.search(question.plan):
        yield f"the expression holds {rest!r}: each number needs a label of letters before it"
        return
    named = {int(number) for number in NUMBER.findall(text)}
    lower = text.lower()
    terms = set(re.findall(r"([A-Za-z][A-Za-z ]*) (\d+)", question.plan))
    if len({label for label, _ in terms}) < len(terms):
        yield "one label stands before two numbers"
    for label, number in sorted(terms):
        if int(number) in named and not any(word[:4] in lower for word in label.lower().split()):
            yield f"no word of the label {label!r} is in the text"
        if int(number) not in named and int(number) not in _CONSTANTS:
            yield f"{number} is not in the text"
    try:
        value(_tree(question.program), {})
    except (SyntaxError, Unfit) as error:
        yield f"{question.program}: {error}"


def value(tree: ast.expr, change: Mapping[int, int]) -> int:
    """The value of an expression with its literals exchanged.

    Raises:
        Unfit: a result that is not a positive integer.
    """
    if isinstance(tree, ast.Constant) and isinstance(tree.value, int):
        return change.get(tree.value, tree.value)
    if not isinstance(tree, ast.BinOp):
        raise Unfit("only + - * / of numbers")
    left, right = value(tree.left, change), value(tree.right, change)
    match tree.op:
        case ast.Add():
            return left + right
        case ast.Mult():
            return left * right
        case ast.Sub() if left > right:
            return left - right
        case ast.Div() if left % right == 0:
            return left // right
    raise Unfit("a result is not a positive integer")


def _tree(program: str) -> ast.expr:
    return ast.parse(program, mode="eval").body


# --- telling ----------------------------------------------------------------------------------------------------------


def told(story: Story, question: Question, rng: random.Random, before: str = "") -> Problem:
    """The question with new numbers, names and things; `before` is a sentence from elsewhere that does not matter."""
    asked = f"{story.facts} {question.ask}"
    numbers = sorted({int(number) for number in NUMBER.findall(asked)})
    # The story has to make sense, whichever of its questions is asked.
    trees = [_tree(each.program) for each in story.questions if _needs(each.program) <= {*numbers, *_CONSTANTS}]
    fixed = _needs(question.program) - {*numbers}
    change = redrawn(rng, numbers, trees, fixed, is_grown=bool(_GROWN.search(asked)))
    taken = {*change.values(), *fixed}
    others = {int(number) for number in NUMBER.findall(before)}
    free = iter([n for n in rng.sample(range(2, 200), 60) if n not in taken])
    change_before = {n: next(free) for n in sorted(others)}

    facts, ask, plan = _exchanged("\n".join([story.facts, question.ask, question.plan]), rng).split("\n")
    text = _composed(_shown(facts, change, rng), _shown(ask, change, rng), rng)
    text = f"{_shown(before, change_before, rng)} {text}".strip()
    return Problem(
        text, _renumbered(plan, change), _renumbered(question.program, change), value(_tree(question.program), change)
    )


def _renumbered(expression: str, change: Mapping[int, int]) -> str:
    return re.sub(r"\d+", lambda m: str(change.get(int(m.group()), int(m.group()))), expression)


def _needs(program: str) -> set[int]:
    return {int(number) for number in re.findall(r"\d+", program)}


def redrawn(
    rng: random.Random,
    numbers: Sequence[int],
    trees: Sequence[ast.expr],
    fixed: set[int],
    *,
    is_grown: bool = False,
) -> dict[int, int]:
    """New numbers, all different and different from `fixed`, for which every expression is a positive integer.

    Of about the same size where `is_grown`; the old ones where none were found.
    """
    grows = any(isinstance(node, ast.Mult | ast.Div) for tree in trees for node in ast.walk(tree))
    for _ in range(TRIES):
        sizes = [0.8, 1.0, 1.2] if is_grown else [0.5, 1, 1, 1, 2, 3] if grows else [0.5, 1, 1, 1.5, 3, 10]
        scale = rng.choice(sizes)
        change = {n: max(2, round(n * scale * rng.uniform(0.5, 1.7))) for n in numbers}
        try:
            for tree in trees:
                _make_even(tree, change)
            results = [value(tree, change) for tree in trees]
        except Unfit:
            continue
        drawn = set(change.values())
        if len(drawn) == len(numbers) and not drawn & fixed and max(results) < 10**6:
            return change
    return {n: n for n in numbers}


def _make_even(tree: ast.expr, change: dict[int, int]) -> None:
    """Move numbers that are divided to a multiple of their divisor."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and isinstance(node.left, ast.Constant):
            whole = node.left.value
            if isinstance(whole, int) and whole in change:
                part = value(node.right, change)
                change[whole] = max(2, round(change[whole] / part)) * part


def _exchanged(text: str, rng: random.Random) -> str:
    """The text with other first names, and half of the time with other things of the same kind.

    Its last line is the plan, where a name may be written small.
    """
    for name in sorted(set(re.findall(r"\b[A-Z][a-z]+\b", text)) & {*words.SHE, *words.HE}):
        other = rng.choice(words.SHE if name in words.SHE else words.HE)
        if rng.random() < 0.85 and other not in text:
            head, plan = text.rsplit("\n", 1)
            text = re.sub(rf"\b{name}\b", other, head) + "\n" + re.sub(rf"(?i)\b{name}\b", other, plan)
    for many in sorted(set(_KIND.findall(text))):
        other = rng.choice(words.KINDS[_KIND_OF[many]]).replace("_", " ")
        if rng.random() < 0.5 and other not in text:
            text = re.sub(rf"\b{many}\b", other, text)
            text = re.sub(rf"\b{words.singular(many)}\b", words.singular(other), text)
    return text


def _shown(text: str, change: Mapping[int, int], rng: random.Random) -> str:
    """The text with its numbers exchanged, some of them as words."""

    def one(match: re.Match[str]) -> str:
        new = change.get(int(match.group()), int(match.group()))
        is_bare = text[match.start() - 1 : match.start()] != "$" and text[match.end() : match.end() + 1] != "-"
        return words.spoken(rng, new) if is_bare else str(new)

    return NUMBER.sub(one, text)


def _composed(facts: str, ask: str, rng: random.Random) -> str:
    """Facts and question; sometimes the last fact as the question's condition, sometimes without a mark between."""
    *first, last = re.split(r"(?<=[.!]) ", facts)
    roll = rng.random()
    word = last.split(" ", 1)[0]
    if roll < 0.15 and ask.startswith(("How", "What")) and word not in _CONDITIONS and re.search(r"^[^:]*\.$", last):
        last = last.replace(word, word.lower(), 1) if word in _OPENERS else last
        comma = "," if roll < 0.12 else ""
        return " ".join([*first, f"If {last[:-1]}{comma} {ask[0].lower()}{ask[1:]}"])
    return f"{facts} {ask}"


def main() -> None:
    """Check the files named, or all; the exit status is 1 where something is wrong."""
    paths = [Path(name) for name in sys.argv[1:]] or sorted(FOLDER.glob("*.txt"))
    wrong = 0
    for path in paths:
        stories = read(path)
        for story in stories:
            for complaint in complaints(story):
                wrong += 1
                print(f"{path.name}: {story.facts[:60]!r}: {complaint}")
        print(f"{path.name}: {len(stories)} stories, {sum(len(story.questions) for story in stories)} questions")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
