# ruff: noqa: E501 - one phrasing a line, whatever its length
"""Problems composed freely from steps, so that their shape cannot be learnt by heart: chains, sums and expressions.

A step is a pattern such as `@ + {n2}`, in which `@` is the value so far; `program` turns steps into one expression or
into lines. `composed_stories` builds on the same parts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from training import templates
from training.problem import Draft, family

S = "composed problems"


@dataclass(frozen=True)
class Term:
    """A number as it is worded, as it is programmed, and its value. `is_atom` needs no parentheses."""

    said: str
    code: str
    value: int
    is_atom: bool = True


def slot(d: Draft, value: int, *, is_spoken: bool = True) -> str:
    """A new slot `{n1}`, `{n2}`, ... that holds `value`."""
    name = f"n{sum(key[0] == 'n' and key[1:].isdigit() for key in d.values) + 1}"
    if is_spoken:
        d.count(**{name: value})
    else:
        d.let(**{name: value})
    return f"{{{name}}}"


def write(d: Draft, text: str) -> None:
    """Set the question from text whose slots are open."""
    d.skeleton = text
    d.question = templates.sentences(templates.fill(text, d.values))


def size(d: Draft) -> int:
    """A number as problems have them: mostly small, sometimes of three digits."""
    return d.int(2, d.rng.choice([12, 40, 99, 99, 400]))


def folded(steps: list[str]) -> str:
    """The steps as one expression."""
    result = steps[0]
    for step in steps[1:]:
        is_open = step.startswith(("@ +", "@ -")) or step.endswith("+ @") or " " not in result
        result = step.replace("@", result if is_open else f"({result})")
    return result


def program(steps: list[str]) -> str:
    """One or two steps as an expression, more as lines that change a number: no parenthesis has to be foreseen."""
    if len(steps) < 3:
        return f"print({folded(steps)})"
    return "\n".join([*["x = " + step.replace("@", "x") for step in steps], "print(x)"])


STEPS = {
    "+": "[add {k}|add {k} to it|increase it by {k}|plus {k}|add another {k}|~raise it by {k}]",
    "-": "[subtract {k}|take away {k}|subtract {k} from it|decrease it by {k}|minus {k}|remove {k}|~lower it by {k}]",
    "*": "[multiply by {k}|multiply it by {k}|times {k}|multiply the result by {k}]",
    "2": "[double it|multiply by two|take it twice|~make it twice as large]",
    "3": "[triple it|multiply by three|take three times that]",
    "/": "[divide by {k}|divide it by {k}|divide the result by {k}|~split it into {k} equal parts]",
    "h": "[halve it|take half of it|divide by two|take half of that]",
    "r": "[subtract it from {k}|subtract the result from {k}|take it away from {k}]",
}


@family(S, weight=3, reserved=True)
def chain_of_steps(d: Draft) -> None:
    """Two to six operations on one number, in words; sometimes the first number is asked for."""
    start = value = size(d)
    done: list[tuple[str, str]] = []
    back: list[str] = []
    for _ in range(d.int(2, 6)):
        divisors = [k for k in range(2, 13) if value % k == 0]
        sign = d.rng.choice(["+", "-", "+", "-", "*", "2", "3", "/", "/", "h", "r"])
        if (sign in "*23" and value > 900) or (sign == "-" and value < 4) or (sign == "r" and value > 300):
            sign = "+"
        if (sign == "/" and not divisors) or (sign == "h" and value % 2):
            sign = "-" if value > 3 else "+"
        k = {
            "*": d.int(2, 12),
            "2": 2,
            "3": 3,
            "h": 2,
            "r": value + d.int(1, 60),
            "-": d.int(1, max(1, value - 1)),
        }.get(sign, d.rng.choice(divisors) if sign == "/" else size(d))
        named = str(k) if sign in "23h" else slot(d, k)
        said = d.say(STEPS[sign]).replace("{k}", named)
        code, undo, value = {
            "+": (f"@ + {named}", f"@ - {named}", value + k),
            "-": (f"@ - {named}", f"@ + {named}", value - k),
            "r": (f"{named} - @", f"{named} - @", k - value),
        }.get(sign) or (
            (f"@ // {named}", f"@ * {named}", value // k)
            if sign in "/h"
            else (f"@ * {named}", f"@ // {named}", value * k)
        )
        done.append((said, code))
        back.insert(0, undo)
    said = (
        ", ".join(step for step, _ in done[:-1])
        + d.say("[, then | and |, and finally |, and then |, and ]")
        + done[-1][0]
    )
    if d.rng.random() < 0.25:
        end = slot(d, value)
        opening = d.say(
            "[I think of a number|think of a number|take a number|start with some number|~there is a secret number]"
        )
        asking = d.say(
            "[The result is @. What was the number|You get @. What did you start with|If that gives @, what was the first number|I end with @. Which number was it]"
        )
        write(d, f"{opening}, {said}. {asking.replace('@', end)}?")
        d.think("Undo the steps, the last one first")
        d.code(program([end, *back]))
        d.answer(start)
        return
    first = slot(d, start)
    opening = d.say(
        "[start with @|take @|take the number @|begin with @|~let the number be @|I have the number @]"
    ).replace("@", first)
    asking = d.say(
        "[What is the result?|What do you get?|What number is that?|Find the result.|Which number comes out?|~Where do you end?|What is the final number?]"
    )
    write(d, f"{opening}, {said}. {asking}")
    d.think("Do the steps in order")
    d.code(program([first, *[code for _, code in done]]))
    d.answer(value)


@family(S, weight=4)
def terms_in_a_row(d: Draft) -> None:
    """Sums, mixed sums and products of two to six terms, in words or symbols."""
    kind = d.rng.choice(["sum", "sum", "mixed", "mixed", "product"])
    count = d.int(2, 4 if kind == "product" else 6)
    values = [d.int(2, 20) if kind == "product" else size(d) for _ in range(count)]
    is_symbolic = d.rng.random() < 0.5
    slots = [slot(d, value, is_spoken=not is_symbolic) for value in values]
    signs = [{"sum": "+", "product": "*"}.get(kind) or d.rng.choice("+-") for _ in slots[1:]]
    code, value, text = slots[0], values[0], slots[0]
    spoken = {
        "+": d.say("[plus|plus|added to]") if kind == "sum" else "plus",
        "-": "minus",
        "*": d.say("[times|multiplied by]"),
    }
    shown = {"+": "+", "-": "-", "*": d.say("[*|×|\\cdot]")}
    for sign, name, number in zip(signs, slots[1:], values[1:], strict=True):
        code += f" {sign} {name}"
        text += f" {(shown if is_symbolic else spoken)[sign]} {name}"
        value = value + number if sign == "+" else value - number if sign == "-" else value * number
    listed = ", ".join(slots[:-1]) + " and " + slots[-1]
    if kind != "mixed" and d.rng.random() < 0.4:
        text = d.say("[the total of|the sum of]" if kind == "sum" else "the product of") + " " + listed
    if "\\cdot" in text or (is_symbolic and "the " not in text and d.rng.random() < 0.5):
        text = f"${text}$".replace("×", "\\times").replace("*", "\\times")
    write(d, f"{d.say('<what>')} {text}{d.say('<end>')}")
    d.think({"sum": "Add all the terms", "product": "Multiply all of them"}.get(kind, "Go from left to right"))
    d.code(f"print({code})")
    d.answer(value)


def tree(d: Draft, depth: int) -> Term:
    """A random expression in symbols; every division is exact."""
    if depth == 0 or d.rng.random() < 0.15:
        value = d.int(1, d.rng.choice([12, 40, 99]))
        named = slot(d, value, is_spoken=False)
        return Term(named, named, value)
    left, right = tree(d, depth - 1), tree(d, d.int(0, depth - 1))
    sign = d.rng.choice("+-*/+-")
    if sign == "/":
        divisors = [k for k in range(2, 13) if left.value % k == 0] if left.value else []
        if divisors:
            k = d.rng.choice(divisors)
            named = slot(d, k, is_spoken=False)
            right = Term(named, named, k)
        else:
            sign = "+"
    if sign == "*" and abs(left.value * right.value) > 5000:
        sign = "-"
    opened = [term if term.is_atom else Term(f"({term.said})", f"({term.code})", term.value) for term in (left, right)]
    first, second = opened if sign in "*/" else [left, opened[1] if sign == "-" else right]
    result = {"+": left.value + right.value, "-": left.value - right.value, "*": left.value * right.value}.get(sign)
    code = "//" if sign == "/" else sign
    return Term(
        f"{first.said} {sign} {second.said}",
        f"{first.code} {code} {second.code}",
        left.value // right.value if result is None else result,
        is_atom=False,
    )


@family(S, weight=4)
def nested_expression(d: Draft) -> None:
    """A random expression with parentheses, in symbols."""
    found = tree(d, d.int(2, 3))
    while found.is_atom:
        found = tree(d, 2)
    look = d.say("[plain|plain|latex|times]")
    said = found.said
    if look != "plain":
        said = said.replace("*", "\\times" if look == "latex" else "×").replace(
            "/", "\\div" if look == "latex" else "÷"
        )
    if look == "latex":
        said = f"${said}$"
    asking = d.say(
        "[<what> [<expr> |the value of ]@<end>|@ = ?|Evaluate @.|Simplify @.|Compute @.|How much is @?|Calculate the value of @.|~Which number is @?|Solve: @]"
    )
    write(d, asking.replace("@", said))
    d.think("Let Python follow the parentheses")
    d.code(f"print({found.code})")
    d.answer(found.value)


BINARY = {
    "+": "[the sum of A and B|A plus B|A increased by B|B more than A|the total of A and B|~A enlarged by B]",
    "-": "[the difference of A and B|A minus B|A decreased by B|B less than A|B subtracted from A|~A diminished by B]",
    "*": "[the product of A and B|A times B|A multiplied by B|~B taken A times]",
    "/": "[the quotient of A and B|A divided by B]",
    "2": "[twice A|double A|two times A]",
    "h": "[half of A|one half of A]",
    "s": "[the square of A|A squared]",
}


def phrase(d: Draft, depth: int, *, is_top: bool = True) -> Term:
    """A random expression in words; every division is exact and nothing is negative."""
    if depth == 0:
        value = size(d)
        named = slot(d, value)
        return Term(named, named, value)
    left, right = phrase(d, depth - 1, is_top=False), phrase(d, d.int(0, depth - 1), is_top=False)
    sign = d.rng.choice("+-*+-*/2hs")
    if sign == "-" and left.value < right.value:
        left, right = right, left
    if sign == "/" and (not 1 < right.value < 100 or left.value % right.value):
        sign = "+"
    if (sign == "h" and left.value % 2) or (sign in "*s" and max(left.value, right.value) > 400):
        sign = "2"
    # Only `the sum of A and B` leaves no doubt about what belongs together.
    is_plain = is_top and left.is_atom and right.is_atom
    worded = d.say(BINARY[sign]) if is_plain else BINARY[sign][1:].split("|")[0]
    said = re.sub(r"\b[AB]\b", lambda found: left.said if found.group() == "A" else right.said, worded)
    a, b = (term.code if term.is_atom else f"({term.code})" for term in (left, right))
    code, value = {
        "+": (f"{a} + {b}", left.value + right.value),
        "-": (f"{a} - {b}", left.value - right.value),
        "*": (f"{a} * {b}", left.value * right.value),
        "/": (f"{a} // {b}", left.value // (right.value or 1)),
        "2": (f"2 * {a}", 2 * left.value),
        "h": (f"{a} // 2", left.value // 2),
        "s": (f"{a} ** 2", left.value**2),
    }[sign]
    return Term(said, code, value, is_atom=False)


@family(S, weight=4)
def spoken_expression(d: Draft) -> None:
    """An expression of one or two levels in words: "the product of 3 and the sum of 4 and 5"."""
    found = phrase(d, d.rng.choice([1, 1, 2]))
    write(d, f"{d.say('<what>')} {found.said}{d.say('<end>')}")
    d.think("Turn the words into an expression")
    d.code(f"print({found.code})")
    d.answer(found.value)
