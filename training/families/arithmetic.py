# ruff: noqa: E501 - one phrasing a line, whatever its length
"""Plain calculation: the four operations, expressions, fractions, decimals, percentages, powers."""

from __future__ import annotations

import math
from fractions import Fraction

from training.problem import Draft, family

S = "arithmetic"


@family(S)
def add_two(d: Draft) -> None:
    """a + b."""
    a, b = d.int(2, 9999), d.int(2, 999)
    d.let(a=a, b=b)
    d.ask(
        "<find> [{a} + {b}|{a}+{b}|$ {a} + {b} $|{a} plus {b}|the sum of {a} and {b}]<end>",
        "[Add|Sum|~Add up] {a} and {b}.",
        "{a} + {b} = ?",
        "[How much|What] is {a} [plus|and|added to] {b}?",
    )
    d.think("Add the two numbers")
    d.code("print({a} + {b})")
    d.answer(a + b)


@family(S)
def subtract_two(d: Draft) -> None:
    """a - b, also negative results."""
    a, b = d.int(2, 5000), d.int(2, 2000)
    d.let(a=a, b=b)
    d.ask(
        "<find> [{a} - {b}|{a}-{b}|$ {a} - {b} $|{a} minus {b}|the difference of {a} and {b}]<end>",
        "[Subtract|Take|~Deduct] {b} from {a}.",
        "{a} - {b} = ?",
        "[How much|What] is {a} [minus|less] {b}?",
    )
    d.think("Subtract {b} from {a}")
    d.code("print({a} - {b})")
    d.answer(a - b)


@family(S)
def multiply_two(d: Draft) -> None:
    """a * b."""
    a, b = d.int(2, 999), d.int(2, 999)
    d.let(a=a, b=b)
    d.ask(
        "<find> [{a} * {b}|{a}*{b}|{a} x {b}|{a}×{b}|$ {a} \\times {b} $|$ {a} \\cdot {b} $|{a} times {b}|the product of {a} and {b}]<end>",
        "[Multiply|~Take the product of] {a} [and|by] {b}.",
        "{a} [*|x|·] {b} = ?",
        "How much is {a} [times|multiplied by] {b}?",
    )
    d.think("Multiply the two numbers")
    d.code("print({a} * {b})")
    d.answer(a * b)


@family(S)
def divide_exact(d: Draft) -> None:
    """a / b with an integer result."""
    b, q = d.int(2, 99), d.int(2, 400)
    d.let(a=b * q, b=b)
    d.rng.random()  # keeps the random stream of the shipped training set
    d.ask(
        "<find> [{a} / {b}|{a}/{b}|{a} ÷ {b}|$ {a} \\div {b} $|{a} divided by {b}|the quotient of {a} and {b}]<end>",
        "[Divide|~Split] {a} by {b}.",
        "{a} [/|÷|:] {b} = ?",
        "How many times does {b} go into {a}?",
    )
    d.think("Divide {a} by {b}")
    d.code("print({a} / {b})")
    d.answer(q)


@family(S)
def divide_remainder(d: Draft) -> None:
    """Quotient and remainder."""
    b, a = d.int(3, 60), d.int(100, 9000)
    d.let(a=a, b=b)
    d.ask(
        "<find> the quotient and remainder [when {a} is divided by {b}|of {a} divided by {b}|~on dividing {a} by {b}]<end>",
        "[Divide|~Split] {a} by {b} and give the quotient and [the |]remainder.",
    )
    d.think("Use divmod")
    d.code("q, r = divmod({a}, {b})\nprint(q, r, sep=', ')")
    d.answer(f"{a // b}, {a % b}")


@family(S, weight=2.0)
def expression(d: Draft) -> None:
    """An expression with several operations and brackets."""
    r = d.rng
    text = str(r.randint(2, 40))
    for _ in range(r.randint(2, 4)):
        op, n = r.choice("+-*"), r.randint(2, 40)
        shape = r.random()
        if shape < 0.55:
            text = f"{text} {op} {n}"
        elif shape < 0.8:
            text = f"({text}) {op} {n}"
        else:
            text = f"{n} {op} ({text})"
    value = eval(text)  # noqa: S307 - our own arithmetic, never model text
    style = r.choice(["plain", "tight", "latex", "times"])
    shown = {
        "plain": text,
        "tight": text.replace(" ", ""),
        "latex": "$" + text.replace("*", r.choice(["\\times", "\\cdot"])) + "$",
        "times": text.replace("*", r.choice(["x", "×"])),
    }[style]
    d.let(t=text)
    d.show(s=shown)
    d.ask(
        "<find> {s}<end>",
        "<find> the value of {s}<end>",
        "[Simplify|~Carry out]: {s}",
        "{s} = ?",
        "What does {s} equal?",
        "What is the result of {s}?",
    )
    d.think("Evaluate the expression")
    d.code("print({t})")
    d.answer(value)


@family(S, weight=1.5)
def fractions_two(d: Draft) -> None:
    """Two fractions with + - * /."""
    r = d.rng
    a, b = Fraction(r.randint(1, 12), r.randint(2, 12)), Fraction(r.randint(1, 12), r.randint(2, 12))
    op = r.choice("+-*/")
    value = {"+": a + b, "-": a - b, "*": a * b, "/": a / b}[op]
    word = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}[op]
    sign = {"+": "+", "-": "-", "*": "\\times", "/": "\\div"}[op]
    p, q = a.as_integer_ratio(), b.as_integer_ratio()
    frac = r.choice(["\\frac", "\\frac", "\\dfrac"])
    latex = f"{frac}{{{p[0]}}}{{{p[1]}}} {sign} {frac}{{{q[0]}}}{{{q[1]}}}"
    d.let(p=p[0], q=p[1], u=q[0], v=q[1], op=op)
    d.show(w=word, tex=latex)
    d.ask(
        "<find> [$ {tex} $|{p}/{q} {op} {u}/{v}|({p}/{q}) {op} ({u}/{v})|{p}/{q} {w} {u}/{v}]<end>",
        "[Write|Give|~Express] $ {tex} $ as a [single|simplified|common] fraction.",
        "Simplify {p}/{q} {op} {u}/{v}.",
    )
    d.think("Use exact fractions")
    d.code("from fractions import Fraction\nprint(Fraction({p}, {q}) {op} Fraction({u}, {v}))")
    d.answer(value)


@family(S)
def fraction_of(d: Draft) -> None:
    """A fraction of a number."""
    v = d.int(2, 12)
    u = d.int(1, v - 1)
    n = v * d.int(2, 90)
    d.let(u=u, v=v, n=n)
    d.ask(
        "<find> [{u}/{v}|$\\frac{{u}}{{v}}$] of {n}<end>",
        "How much is {u}/{v} of {n}?",
        "[~{u}/{v} of {n} is what number?|What number is {u}/{v} of {n}?]",
    )
    d.think("Multiply {n} by the fraction")
    d.code("print({n} * {u} / {v})")
    d.answer(n * u // v)


@family(S)
def simplify_fraction(d: Draft) -> None:
    """Lowest terms."""
    f = Fraction(d.int(1, 30), d.int(2, 30))
    k = d.int(2, 15)
    d.let(a=f.numerator * k, b=f.denominator * k)
    d.ask(
        "[Simplify|Reduce|~Cancel] [{a}/{b}|the fraction {a}/{b}|$\\frac{{a}}{{b}}$|$\\dfrac{{a}}{{b}}$]<end>",
        "[Write|Express|Give] {a}/{b} in [lowest terms|simplest form].",
        "What is {a}/{b} in [lowest terms|simplest form]?",
    )
    d.think("Fraction reduces by itself")
    d.code("from fractions import Fraction\nprint(Fraction({a}, {b}))")
    d.answer(f)


@family(S)
def decimals_two(d: Draft) -> None:
    """Decimals with + - *."""
    r = d.rng
    a, b, op = r.randint(11, 9999) / 100, r.randint(11, 999) / 10, r.choice("+-*")
    value = round({"+": a + b, "-": a - b, "*": a * b}[op], 4)
    d.let(a=a, b=b, op=op)
    d.show(w={"+": "plus", "-": "minus", "*": "times"}[op])
    d.ask(
        "<find> {a} {op} {b}<end>",
        "{a} {op} {b} = ?",
        "[How much|~Say how much] is {a} {w} {b}?",
        "<find> {a} {w} {b}<end>",
        "<what> the value of {a} {op} {b}?",
    )
    d.think("Calculate with decimals and round off the noise")
    d.code("print(round({a} {op} {b}, 4))")
    d.answer(f"{value}".removesuffix(".0"))


@family(S, weight=1.5)
def percent_of(d: Draft) -> None:
    """p percent of n."""
    p, n = (
        d.rng.choice([5, 10, 12, 15, 18, 20, 25, 30, 35, 40, 45, 50, 60, 65, 70, 75, 80, 90, d.int(1, 99)]),
        d.int(2, 90) * 100,
    )
    d.let(p=p, n=n)
    d.ask(
        "<find> [{p}%|{p} percent|{p} %|~{p} per cent] of {n}<end>",
        "How much is {p}[%| percent] of {n}?",
        "What number is {p}% of {n}?",
        "{p}% of {n} = ?",
        "$ {p}\\% $ of {n} is [what|what number]?",
    )
    d.think("A percentage is a part of 100")
    d.code("print({n} * {p} / 100)")
    d.answer(n * p // 100)


@family(S)
def what_percent(d: Draft) -> None:
    """a is what percent of b."""
    p, b = d.int(1, 150), d.int(1, 40) * 100
    d.let(a=b * p // 100, b=b)
    d.ask(
        "[What percent|What percentage|How many percent|~Which percentage] of {b} is {a}?",
        "{a} is what [percent|percentage] of {b}?",
        "[Express|Write] {a} as a percentage of {b}.",
        "<find> the percentage that {a} is of {b}<end>",
    )
    d.think("Divide by the whole and multiply by 100")
    d.code("print({a} * 100 / {b})")
    d.answer(p)


@family(S)
def percent_whole(d: Draft) -> None:
    """The whole, from a percentage of it."""
    p, n = d.rng.choice([5, 10, 20, 25, 30, 40, 50, 60, 75, 80]), d.int(1, 60) * 20
    d.let(p=p, a=n * p // 100)
    d.ask(
        "{a} is {p}[%| percent] of [what|which|~what other] number?",
        "{p}[%| percent] of a number is {a}. [What is the number?|Find the number.|Find it.|~Name the number.]",
        "If {p}% of [x|a number|n] is {a}, [what is|find] [it|the number]<end>",
    )
    d.think("Divide by the percentage")
    d.code("print({a} * 100 / {p})")
    d.answer(n)


@family(S)
def percent_change(d: Draft) -> None:
    """Increase or decrease a number by a percentage."""
    p, n, up = d.int(1, 18) * 5, d.int(1, 60) * 20, d.rng.random() < 0.5
    d.let(p=p, n=n, s="+" if up else "-")
    word = "[increase|raise|~enlarge]" if up else "[decrease|reduce|~diminish]"
    word2 = "[increased|raised|~enlarged]" if up else "[decreased|reduced|~diminished]"
    d.ask(
        f"{word} {{n}} by {{p}}[%| percent].",
        f"What is {{n}} {word2} by {{p}}[%| percent]?",
        f"A [number|value|quantity] of {{n}} is {word2} by {{p}}%. [Find the new value.|What is the new value?]",
    )
    d.think("Change the number by its percentage")
    d.code("print({n} * (100 {s} {p}) / 100)")
    value = Fraction(n * (100 + p if up else 100 - p), 100)
    d.answer(int(value) if value.denominator == 1 else float(value))


@family(S)
def power(d: Draft) -> None:
    """a to the n."""
    a, n = d.int(2, 20), d.int(2, 9)
    d.let(a=a, n=n)
    d.ask(
        "<find> [{a}^{n}|$ {a}^{n} $|$ {a}^{{n}} $|{a}**{n}|{a} to the power [of |]{n}|~{a} raised to {n}]<end>",
        "{a}^{n} = ?",
        "<find> the value of {a}^{n}<end>",
    )
    d.think("Raise {a} to the power {n}")
    d.code("print({a} ** {n})")
    d.answer(a**n)


@family(S)
def square_root(d: Draft) -> None:
    """Exact square and cube roots."""
    cube = d.rng.random() < 0.4
    n = d.int(2, 40) if cube else d.int(2, 150)
    d.let(a=n**3 if cube else n * n)
    if cube:
        # As a value, because square brackets mean a choice in templates.
        d.show(three="[3]")
        d.ask(
            "<find> the cube root of {a}<end>",
            "<find> $\\sqrt{three}{{a}}$<end>",
            "[Which|~Name the] number cubed [is|gives] {a}?",
        )
        d.code("print(round({a} ** (1 / 3)))")
    else:
        d.ask(
            "<find> the square root of {a}<end>",
            "<find> [sqrt({a})|√{a}|$\\sqrt{{a}}$]<end>",
            "[Which|~Name the] positive number squared [is|gives] {a}?",
        )
        d.code("import math\nprint(math.isqrt({a}))")
    d.think("Take the root")
    d.answer(n)


@family(S)
def simplify_root(d: Draft) -> None:
    """sqrt(n) with the square taken out."""
    k, m = d.int(2, 12), d.rng.choice([2, 3, 5, 6, 7, 10, 11, 13, 14, 15])
    d.let(a=k * k * m)
    d.ask(
        "Simplify [sqrt({a})|√{a}|$\\sqrt{{a}}$|the square root of {a}]<end>",
        "[Write|Express|~Rewrite] [$\\sqrt{{a}}$|sqrt({a})] in simplest [radical |]form.",
        "<find> the exact value of $\\sqrt{{a}}$<end>",
    )
    d.think("SymPy takes squares out of the root")
    d.code("from sympy import sqrt, latex\nprint(latex(sqrt({a})))")
    d.answer(f"{k} \\sqrt{{{m}}}")


@family(S)
def round_number(d: Draft) -> None:
    """Rounding to a place."""
    n, place = d.int(1000, 99999), d.rng.choice([10, 100, 1000])
    if n % place == place // 2:
        n += 1
    d.let(n=n, p=place)
    d.show(w={10: "ten", 100: "hundred", 1000: "thousand"}[place])
    d.ask(
        "Round {n} to the nearest [{w}|{p}].",
        "[What is|Give|~State] {n} rounded to the nearest [{w}|{p}]<end>",
        "To the nearest [{w}|{p}], what is {n}?",
        "{n} to the nearest [{w}|{p}] is [what|how much]?",
    )
    d.think("Divide, round and multiply back")
    d.code("print(round({n} / {p}) * {p})")
    d.answer(round(n / place) * place)


@family(S)
def absolute_difference(d: Draft) -> None:
    """Absolute value of a difference."""
    a, b = d.nonzero(200), d.nonzero(200)
    d.let(a=a, b=b)
    d.ask(
        "<find> [abs({a} - ({b}))|the absolute value of {a} - ({b})|$\\left| {a} - ({b}) \\right|$]<end>",
        "How far apart are {a} and {b} on the number line?",
        "[What is|~Give] the distance between {a} and {b} on the number line?",
    )
    d.think("Take the absolute value of the difference")
    d.code("print(abs({a} - ({b})))")
    d.answer(abs(a - b))


@family(S, reserved=True)
def add_three(d: Draft) -> None:
    """Three summands."""
    a, b, c = (d.int(2, 999) for _ in range(3))
    d.let(a=a, b=b, c=c)
    d.ask("<find> {a} + {b} + {c}<end>", "[Add|~Add up] {a}, {b} and {c}.", "<find> the sum of {a}, {b} and {c}<end>")
    d.think("Add the numbers")
    d.code("print({a} + {b} + {c})")
    d.answer(a + b + c)


@family(S)
def factorial_of(d: Draft) -> None:
    """n!, or a quotient of factorials."""
    n = d.int(3, 15)
    k = d.int(1, 3)
    quotient = d.rng.random() < 0.4
    d.let(n=n, m=n - k if n > k else 1)
    m = n - k if n > k else 1
    if quotient:
        d.ask(
            "<find> [{n}!/{m}!|$\\frac{{n}!}{{m}!}$|{n}! / {m}!|{n}! divided by {m}!|~the ratio of {n}! to {m}!]<end>",
            "Simplify {n}!/{m}!.",
        )
        d.code("import math\nprint(math.factorial({n}) // math.factorial({m}))")
        d.answer(math.factorial(n) // math.factorial(m))
    else:
        d.ask(
            "<find> [{n}!|$ {n}! $|{n} factorial|the factorial of {n}]<end>", "[What is|~How big is] {n}!?", "{n}! = ?"
        )
        d.code("import math\nprint(math.factorial({n}))")
        d.answer(math.factorial(n))
    d.think("Use the factorial")
