# ruff: noqa: E501 - one phrasing a line, whatever its length
"""Many numbers, each to be carried over exactly or found by its name: what every other kind of problem builds on."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from training import words
from training.problem import Draft, family

S = "readings"
LISTED = ", sep=', '"
"""Printed as a list."""


def _numbers(d: Draft, count: int) -> list[int]:
    """Numbers of mixed lengths, some of them twice."""
    top = d.rng.choice([20, 99, 99, 999, 9999])
    low = -top if d.rng.random() < 0.15 else 0
    found = [d.int(low, top) for _ in range(count)]
    if d.rng.random() < 0.3:
        found[d.int(0, count - 1)] = d.rng.choice(found)
    return found


@family(S, weight=4)
def long_list(d: Draft) -> None:
    """One figure of a long list of numbers."""
    numbers = _numbers(d, d.int(5, 14))
    bound = d.rng.choice(numbers)
    last = len(numbers)
    place = d.int(1, last)
    goals: list[tuple[str, str, str, object]] = [
        ("[sum|total|~grand total]", "Add the whole list", "sum(x)", sum(numbers)),
        ("[largest number|maximum|biggest number]", "Take the largest", "max(x)", max(numbers)),
        ("[smallest number|minimum|~least number]", "Take the smallest", "min(x)", min(numbers)),
        ("[range|spread]", "Largest minus smallest", "max(x) - min(x)", max(numbers) - min(numbers)),
        ("[number of entries|length|~count of entries]", "Count the entries", "len(x)", last),
        ("sum of the squares", "Square each and add", "sum(v**2 for v in x)", sum(v * v for v in numbers)),
        (f"number of entries above {bound}", "Count what is above", f"sum(v > {bound} for v in x)", sum(v > bound for v in numbers)),
        (f"[entry at place {place}|{words.ordinal(d.rng, place)} entry]", "Counting starts at zero", f"x[{place - 1}]", numbers[place - 1]),
        ("list from smallest to largest", "Sort the list", "*sorted(x), sep=', '", ", ".join(map(str, sorted(numbers)))),
        ("list in reverse order", "Reverse the list", "*reversed(x), sep=', '", ", ".join(map(str, reversed(numbers)))),
    ]  # fmt: skip
    if last % 2:
        goals.append(("median", "Sort and take the middle", "sorted(x)[len(x) // 2]", statistics.median(numbers)))
    asked, thought, code, answer = d.rng.choice(goals)
    d.show(a=asked, x=d.rng.choice([", ", ", ", " ", "; "]).join(map(str, numbers)))
    asked = d.say(f"[{asked}]")
    d.let(list="[" + ", ".join(map(str, numbers)) + "]")
    d.ask(
        f"[What is|Find|Compute|Give|~Report] the {asked} [of|for] [the list|the numbers|these numbers:|the data|] {{x}}<end>",
        f"[Given|Take|Here are] the [numbers|values|~readings] {{x}}. [What is|Find|Tell me] the {asked}<end>",
        f"[The list is|Data:|A list holds] {{x}}. [What is|Find|Compute] {d.rng.choice(['its', 'the'])} {asked}<end>",
    )
    d.think(thought)
    d.code(f"x = {{list}}\nprint({code})")
    d.answer(answer)


@family(S, weight=4)
def long_expression(d: Draft) -> None:
    """An expression of many terms, copied and evaluated."""
    times = d.rng.choice(["*", "*", "x", "×", "\\cdot"])
    parts: list[tuple[str, str]] = []
    for _ in range(d.int(3, 8)):
        a, b, c = _numbers(d, 3)
        a, b, c = abs(a), abs(b), abs(c)
        shape = d.int(0, 4)
        if shape < 2:
            parts.append((str(a), str(a)))
        elif shape == 2:
            parts.append((f"{a} {times} {b}", f"{a} * {b}"))
        elif shape == 3:
            parts.append((f"({a} - {b})", f"({a} - {b})"))
        else:
            parts.append((f"{c} {times} ({a} + {b})", f"{c} * ({a} + {b})"))
    said, code = parts[0]
    for shown, written in parts[1:]:
        sign = d.rng.choice("++-")
        said, code = f"{said} {sign} {shown}", f"{code} {sign} {written}"
    if d.rng.random() < 0.3:
        said = said.replace(" ", "")
    d.let(e=said, c=code)
    d.ask(
        "<find> [the value of |the expression |]{e}<end>",
        "{e} = [?|]",
        "[How much is|What do you get for|~What comes out of] {e}?",
        "[Evaluate|Simplify|Work out] {e}<end>",
    )
    d.think("Copy the expression and let Python evaluate it")
    d.code("print({c})")
    d.answer(eval(code))  # noqa: S307 - our own digits and operators


@family(S, weight=6)
def named_numbers(d: Draft) -> None:
    """A table in words: every name has a number; the question names one, two, or all but one."""
    count = d.int(3, 10)
    is_people = d.rng.random() < 0.6
    names = [str(p) for p in words.people(d.rng, count)] if is_people else [str(t) for t in words.things(d.rng, count)]
    if len(set(names)) < count:
        names = [words.invented(d.rng).capitalize() for _ in range(count)]
    numbers = [abs(v) for v in _numbers(d, count)]
    thing = words.things(d.rng, 1)[0]
    unit = f" {thing}" if is_people else ""
    entries = ["{n}: {v}", "{n} {v}", "{v} for {n}", "{n} = {v}", "{n} ({v})"]
    first = d.rng.choice([*entries, *["{n} [has|got|sold|counted] {v}" + unit] * 2 * is_people])
    first = d.say(first)
    joint = d.rng.choice([", ", ", ", "; ", ". "])
    table = joint.join(first.replace("{n}", n).replace("{v}", str(v)) for n, v in zip(names, numbers, strict=True))
    i, j = d.rng.sample(range(count), 2)
    if numbers[i] < numbers[j]:
        i, j = j, i
    some = d.rng.sample(range(count), d.int(2, count))
    d.show(t=table, p=names[i], q=names[j], o=str(thing) if is_people else "number")
    d.show(r=words.listed([names[k] for k in some]))
    every, rest = range(count), [k for k in range(count) if k != i]
    what = "how many {o}" if is_people else "how much"
    goals: list[tuple[str, Sequence[int], str, object]] = [
        (f"[{what} [is|does it say] for {{q}}|what is [the number|the value] of {{q}}|look up {{q}}]", [j], "", numbers[j]),
        (f"[{what} [is that|are there] for {{p}} and {{q}} together|add {{p}} and {{q}}|what is the sum of {{p}} and {{q}}]", [i, j], " + ", numbers[i] + numbers[j]),
        ("[how many more is {p} than {q}|what is the difference between {p} and {q}|by how much is {p} above {q}]", [i, j], " - ", numbers[i] - numbers[j]),
        (f"[{what} is it without {{p}}|what is the total of all but {{p}}|add everything except {{p}}]", rest, " + ", sum(numbers) - numbers[i]),
        (f"[{what} is it [in all|altogether]|what is the total|add all of them]", every, " + ", sum(numbers)),
        ("[multiply {p} by {q}|what is {p} times {q}]", [i, j], " * ", numbers[i] * numbers[j]),
        (f"[{what} is that for {{r}}|add {{r}}|what do {{r}} make together]", some, " + ", sum(numbers[k] for k in some)),
        *[("[what are the numbers of|give the numbers of|look up|list] {r}", some, ", ", ", ".join(str(numbers[k]) for k in some))] * 4,
    ]  # fmt: skip
    ask, chosen, sign, answer = d.rng.choice(goals)
    mark = "?" if (asked := d.say(ask)).startswith(("how", "what", "by")) else "."
    d.ask(
        f"[|Here is a table. |The list says: |~These are the entries: |We have: ]{{t}}. {asked}{mark}",
        f"[Given|Look at this|~Consider]: {{t}}. {asked}{mark}",
    )
    d.think("Look up: " + sign.join(f"{names[k]} {numbers[k]}" for k in chosen))
    d.code(f"print({sign.join(str(numbers[k]) for k in chosen)}{LISTED if sign == ', ' else ''})")
    d.answer(answer)


@family(S, weight=3)
def long_polynomial(d: Draft) -> None:
    """A polynomial of many terms at a point."""
    degree = d.int(2, 5)
    coefficients = {power: d.nonzero(d.rng.choice([9, 30])) for power in range(degree, -1, -1) if d.rng.random() < 0.8}
    coefficients[degree] = d.nonzero(12)
    at = d.nonzero(8)
    letter = d.rng.choice("xxxtyan")
    said = code = ""
    for power in sorted(coefficients, reverse=True):
        value = coefficients[power]
        sign = ("-" if value < 0 else "") if not said else (" - " if value < 0 else " + ")
        size = str(abs(value))
        bare = "" if abs(value) == 1 and power else size
        said += sign + bare + (letter if power else "") + (f"^{power}" if power > 1 else "")
        code += sign + size + (f"*{letter}" if power else "") + (f"**{power}" if power > 1 else "")
    if d.rng.random() < 0.4:
        said = said.replace(" ", "")
    d.let(p=said, c=code, v=at, x=letter)
    d.ask(
        "[Evaluate|Compute|Find|~Work out] [the polynomial |]{p} [at|for|when] {x} = {v}<end>",
        "[If|Let|Given] {x} = {v}[, what is|. Find|. What is] {p}<end>",
        "[What is the value of|Find the value of] {p} [at|for|if] {x}={v}<end>",
    )
    d.think("Put the value in")
    d.code("{x} = {v}\nprint({c})")
    d.answer(sum(value * at**power for power, value in coefficients.items()))
