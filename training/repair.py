"""Episodes in which the first program fails, the error is read, and a second program is right."""

from __future__ import annotations

import random
import re

from training.execute import run
from training.problem import Row

_MISSPELT = {
    "print(": "prnt(",
    "solve(": "slove(",
    "diff(": "dif(",
    "latex(": "late(",
    "math.": "maths.",
    "len(": "length(",
    "sum(": "summ(",
    "Fraction(": "Fracton(",
}


def break_program(code: str, rng: random.Random) -> str | None:
    """`code` with one typical mistake, or None where none fits."""
    ways = []
    if code.startswith(("from ", "import ")):
        ways.append(code.split("\n", 1)[1])
        ways.append(code.split("\n", 1)[1])
    ways += [code.replace(right, wrong, 1) for right, wrong in _MISSPELT.items() if right in code]
    if code.endswith(")"):
        ways.append(code[:-1])
    assigned = re.search(r"^([a-z]\w*) = .*\n", code, re.MULTILINE)
    if assigned:
        ways.append(code.replace(assigned.group(), "", 1))
    literal = re.search(r"print\((\d+) ([+*-]) ", code)
    if literal:
        ways.append(code.replace(f"print({literal.group(1)} ", f"print('{literal.group(1)}' ", 1))
    ways = [way for way in ways if way and way != code]
    return rng.choice(ways) if ways else None


def explain(error: str) -> str:
    """What the model says about the error before it tries again."""
    name = re.search(r"name '(\w+)' is not defined", error)
    if name:
        return f"The name {name.group(1)} is not defined. I write the program again."
    if error.startswith("SyntaxError"):
        return "The program has a syntax error. I write it again."
    if error.startswith("TypeError"):
        return "A value has the wrong type. I write the program again."
    return "The program failed. I write it again."


def episode(row: Row, rng: random.Random) -> Row | None:
    """`row` with a failing first program, or None where breaking it did not make it fail."""
    if len(row.turns) != 1:
        return None
    right, output = row.turns[0]
    wrong = break_program(right, rng)
    if wrong is None:
        return None
    printed, error = run(wrong)
    if error is None:
        return None
    error = re.sub(r" \(<program>, line \d+\)| \(detected at line \d+\)", "", error)
    shown = f"{printed}\n{error}".strip()
    return Row(
        row.family,
        row.question,
        row.rationale,
        ((wrong, shown), (right, output)),
        row.answer,
        row.skeleton,
        (explain(error),),
    )
