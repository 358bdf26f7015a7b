# ruff: noqa: E501 - one phrasing a line, whatever its length
"""Mean, median, spread; sequences."""

from __future__ import annotations

import statistics
from fractions import Fraction

from training import words
from training.problem import Draft, family

S = "statistics"


def number(f: Fraction) -> str:
    """An exact decimal, or the integer."""
    return str(f.numerator) if f.denominator == 1 else str(float(f))


@family(S, weight=2)
def mean_of(d: Draft) -> None:
    """Mean of a list."""
    n = d.rng.choice([2, 3, 4, 5, 5, 6, 8])
    x = [d.int(1, 100) for _ in range(n)]
    x[-1] += (n - sum(x) % n) % n
    d.cast(people="p")
    d.let(x=x)
    d.show(s=", ".join(map(str, x)) if d.rng.random() < 0.6 else ", ".join(map(str, x[:-1])) + f" and {x[-1]}")
    d.ask(
        "<find> the [mean|average|arithmetic mean|~typical value, the mean,] of {s}<end>",
        "[What is|Give] the average of [the numbers |]{s}<end>",
        "{p} [scored|got|has scores of] {s} [in [tests|games]|points]. [what is {p.his} average?|find the mean score.]",
        "[The data are|The values are|Data:] {s}. [What is|Find] the mean<end>",
    )
    d.think("Add the values and divide by their number")
    d.code("x = {x}\nprint(sum(x) / len(x))")
    d.answer(number(Fraction(sum(x), n)))


@family(S, weight=1.5)
def middle_or_spread(d: Draft) -> None:
    """Median, mode or range."""
    x = [d.int(1, 60) for _ in range(d.int(4, 9))]
    goal = d.rng.choice(["median", "mode", "range"])
    if goal == "mode":
        x = list(set(x))
        x.append(d.rng.choice(x))
        d.rng.shuffle(x)
    if goal == "median" and len(x) % 2 == 0 and d.rng.random() < 0.5:
        x.append(d.int(1, 60))
    d.let(x=x)
    d.show(s=", ".join(map(str, x)), g=goal)
    d.ask(
        "<find> the {g} of {s}<end>",
        "[What is|Give|~State] the {g} of [the [numbers|data|list|values] |]{s}<end>",
        "[The data are|The values are|Data:] {s}. [What is|Find] the {g}<end>",
    )
    d.think(
        {
            "median": "The middle of the sorted values",
            "mode": "The most frequent value",
            "range": "Largest minus smallest",
        }[goal]
    )
    d.code(
        "x = {x}\nprint(max(x) - min(x))"
        if goal == "range"
        else "import statistics\nprint(statistics." + goal + "({x}))"
    )
    d.answer(max(x) - min(x) if goal == "range" else statistics.mode(x) if goal == "mode" else statistics.median(x))


@family(S)
def variance(d: Draft) -> None:
    """Population variance or standard deviation."""
    x = [d.int(1, 20) for _ in range(d.int(3, 7))]
    deviation = d.rng.random() < 0.5
    d.let(x=x)
    d.show(s=", ".join(map(str, x)), g="standard deviation" if deviation else "variance")
    d.ask(
        "<find> the [population |]{g} of {s}[, to two decimals|, rounded to 2 decimals|]<end>",
        "[What is|Give|~State] the {g} of [the data |]{s}<end>",
        "The data are {s}. [What is|Find] the {g}<end>",
    )
    d.think("Use NumPy and round")
    d.code("import numpy as np\nprint(round(float(np." + ("std" if deviation else "var") + "({x})), 2))")
    value = statistics.pvariance([Fraction(v) for v in x])
    d.answer(str(round(float(value) ** (0.5 if deviation else 1), 2)).removesuffix(".0"))


@family(S, weight=1.5)
def mean_missing(d: Draft) -> None:
    """The value that brings a mean to a target."""
    n = d.int(3, 6)
    x = [d.int(50, 100) for _ in range(n - 1)]
    m = d.int(60, 95)
    last = n * m - sum(x)
    if last < 0:
        m += (-last) // n + 1
        last = n * m - sum(x)
    d.cast(people="p")
    d.let(x=x, n=n, m=m)
    d.show(s=", ".join(map(str, x)))
    d.ask(
        "{p} has [scores|grades|marks|~points] {s}. what must the next one be so that the average [of all {n} |]is {m}?",
        "the [mean|average] of {n} numbers is {m}. all but one of them are {s}. [find|what is] the [last|missing] [one|number]<end>",
        "[which|what] number [makes|gives] the average {m} together with {s}?",
    )
    d.think("The total must be the mean times the count")
    d.code("x = {x}\nprint({m} * (len(x) + 1) - sum(x))")
    d.answer(last)


@family(S)
def weighted_mean(d: Draft) -> None:
    """Mean of two groups together."""
    a, b, x, y = d.int(2, 30), d.int(2, 30), d.int(40, 99), d.int(40, 99)
    d.let(a=a, b=b, x=x, y=y)
    d.ask(
        "a class of {a} has an average of {x} and a class of {b} has an average of {y}. [what is the average of all[, to two decimals|]?|find the [joint|common|overall] average.]",
        "{a} [people|students|~men] have mean [age|score] {x}, {b} others have mean {y}. [what is|find] the mean of all<end>",
    )
    d.think("Add the totals and divide by the count")
    d.code("total = {a} * {x} + {b} * {y}\nprint(round(total / ({a} + {b}), 2))")
    d.answer(str(round((a * x + b * y) / (a + b), 2)).removesuffix(".0"))


@family("sequences", weight=1.5)
def arithmetic_term(d: Draft) -> None:
    """The nth term of an arithmetic sequence."""
    a, s, n = d.int(-20, 40), d.nonzero(15), d.int(5, 100)
    d.let(a=a, s=s, n=n)
    d.show(l=", ".join(str(a + s * i) for i in range(d.int(3, 5))), nth=words.ordinal(d.rng, n))
    d.ask(
        "<find> the {nth} term of [the [arithmetic |]sequence |]{l}, ...",
        "[What is|~Give] the {nth} term of {l}, ...?",
        "an arithmetic [sequence|progression] starts with {a} and has [common |]difference {s}. [what is|find] [the {nth} term|term number {n}]<end>",
        "[What|~Which number] is term {n} of the sequence {l}, ...?",
    )
    d.think("Term n is the first plus (n - 1) differences")
    d.code(f"print({{a}} + ({{n}} - 1) * ({f'{a + s} - {a}' if '{l}' in d.skeleton else s}))")
    d.answer(a + (n - 1) * s)


@family("sequences", weight=1.5)
def arithmetic_sum(d: Draft) -> None:
    """Sum of an arithmetic sequence, or of integers in a range."""
    a, s, n = d.int(1, 30), d.int(1, 9), d.int(5, 100)
    kind = d.rng.choice(["terms", "integers", "odd", "squares"])
    d.let(a=a, s=s, n=n)
    d.show(l=f"{a}, {a + s}, {a + 2 * s}")
    if kind == "terms":
        d.ask(
            "<find> the sum of the first {n} terms of {l}, ...",
            "[Add|~Total] the first {n} terms of the [arithmetic |]sequence {l}, ...",
            "an arithmetic sequence has first term {a} and difference {s}. [find|what is] the sum of {n} terms<end>",
        )
        step = f"({a + s} - {a})" if "{l}" in d.skeleton else "{s}"
        d.code(f"print(sum({{a}} + {step} * i for i in range({{n}})))")
        d.answer(sum(a + s * i for i in range(n)))
    elif kind == "integers":
        b = a + n
        d.let(b=b, c=a + 1)
        d.ask(
            "<find> the sum of [all |the |][integers|whole numbers|numbers] from {a} to {b}<end>",
            "[Add|~Total] all [integers|numbers] from {a} to {b}.",
            "<find> {a} + {c} + ... + {b}<end>",
        )
        d.code("print(sum(range({a}, {b} + 1)))")
        d.answer(sum(range(a, b + 1)))
    elif kind == "odd":
        even = d.rng.random() < 0.5
        d.show(w="even" if even else "odd")
        d.ask(
            "<find> the sum of the first {n} [positive |]{w} numbers<end>",
            "[Add|~Total] the first {n} {w} [positive |]numbers.",
            "what do the first {n} {w} numbers add up to?",
        )
        d.code(
            "print(sum(2 * k for k in range(1, {n} + 1)))"
            if even
            else "print(sum(2 * k - 1 for k in range(1, {n} + 1)))"
        )
        d.answer(n * (n + 1) if even else n * n)
    else:
        p = d.rng.choice([2, 3])
        d.let(p=p)
        d.show(w="squares" if p == 2 else "cubes")
        d.ask(
            "<find> the sum of the first {n} {w}<end>",
            "<find> 1^{p} + 2^{p} + ... + {n}^{p}<end>",
            "[Add|~Total] the {w} from 1 to {n}.",
        )
        d.code("print(sum(k ** {p} for k in range(1, {n} + 1)))")
        d.answer(sum(k**p for k in range(1, n + 1)))
    d.think("Add the terms in a loop")


@family("sequences", weight=1.5)
def geometric_term(d: Draft) -> None:
    """The nth term or sum of a geometric sequence."""
    a, q, n = d.int(1, 9), d.int(2, 5), d.int(4, 10)
    total = d.rng.random() < 0.4
    d.let(a=a, q=q, n=n)
    d.show(l=f"{a}, {a * q}, {a * q * q}", nth=words.ordinal(d.rng, n))
    if total:
        d.ask(
            "<find> the sum of the first {n} terms of {l}, ...",
            "a geometric [sequence|progression] has first term {a} and ratio {q}. [find|what is] the sum of {n} terms<end>",
            "[Add|~Total] the first {n} terms of the geometric sequence {l}, ...",
        )
        ratio = f"({a * q} // {a})" if "{l}" in d.skeleton else "{q}"
        d.code(f"print(sum({{a}} * {ratio} ** i for i in range({{n}})))")
        d.answer(sum(a * q**i for i in range(n)))
    else:
        d.ask(
            "<find> the {nth} term of [the [geometric |]sequence |]{l}, ...",
            "a geometric [sequence|progression] starts with {a} and has ratio {q}. [what is|find|~give] [the {nth} term|term number {n}]<end>",
            "a population starts with {a} and grows {q}-fold every hour. how many are there in the {nth} hour?",
        )
        ratio = f"({a * q} // {a})" if "{l}" in d.skeleton else "{q}"
        d.code(f"print({{a}} * {ratio} ** ({{n}} - 1))")
        d.answer(a * q ** (n - 1))
    d.think("Powers of the ratio")


@family("sequences", weight=1.5)
def next_term(d: Draft) -> None:
    """The next number of a simple sequence."""
    a, s = d.int(1, 40), d.int(2, 12)
    geometric = d.rng.random() < 0.35
    q = d.int(2, 4)
    x = [a * q**i for i in range(4)] if geometric else [a + s * i * d.rng.choice([1]) for i in range(d.int(4, 5))]
    if not geometric and d.rng.random() < 0.3:
        x = x[::-1]
    d.let(x=x)
    d.show(s=", ".join(map(str, x)))
    d.ask(
        "[What comes next|What is the next number|Which number follows|~How does this go on]: {s}, ...?",
        "<find> the next [term|number] [in|of] [the sequence |]{s}[, ...|]",
        "[Continue|Extend] the [pattern|sequence] {s}.",
        "{s}, ?",
    )
    d.think("The ratio is constant" if geometric else "The difference is constant")
    d.code("x = {x}\nprint(x[-1] * x[1] // x[0])" if geometric else "x = {x}\nprint(x[-1] + x[1] - x[0])")
    d.answer(x[-1] * q if geometric else x[-1] + x[1] - x[0])


@family("sequences")
def recurrence(d: Draft) -> None:
    """A term of a recurrence, also Fibonacci numbers."""
    n = d.int(4, 30)
    if d.rng.random() < 0.4:
        d.let(n=n)
        d.show(nth=words.ordinal(d.rng, n))
        d.ask(
            "<find> the {nth} Fibonacci number<end>",
            "<find> F({n}) for the Fibonacci numbers<end>",
            "[What is|~Give] Fibonacci number {n}?",
        )
        d.code("a, b = 0, 1\nfor _ in range({n}):\n    a, b = b, a + b\nprint(a)")
        a, b = 0, 1
        for _ in range(n):
            a, b = b, a + b
        d.answer(a)
    else:
        n = d.int(3, 9)
        x, p, q = d.int(0, 6), d.int(1, 4), d.nonzero(9)
        d.let(x=x, p=p, n=n)
        d.show(
            r=f"{'' if p == 1 else p}a_n {'+' if q > 0 else '-'} {abs(q)}",
            r2=f"{'' if p == 1 else p}a_{{n}} {'+' if q > 0 else '-'} {abs(q)}",
        )
        d.let(step=f"{p} * a {'+' if q > 0 else '-'} {abs(q)}")
        d.ask(
            "[Let|Suppose|~Say] a_1 = {x} and a_(n+1) = {r}. [Find|What is] a_{n}<end>",
            "a sequence has a_1 = {x} and a_(n+1) = {r}. <find> a_{n}<end>",
            "a sequence starts with {x}; the next term is {r}. [find|what is] the term a_{n}<end>",
        )
        d.code("a = {x}\nfor _ in range({n} - 1):\n    a = {step}\nprint(a)")
        for _ in range(n - 1):
            x = p * x + q
        d.answer(x)
    d.think("Compute term after term in a loop")


@family(S, reserved=True)
def largest_minus_mean(d: Draft) -> None:
    """How far the largest value is above the mean."""
    x = [d.int(1, 50) for _ in range(4)]
    x[-1] += (4 - sum(x) % 4) % 4
    d.let(x=x)
    d.show(s=", ".join(map(str, x)))
    d.ask(
        "[By how much|~How far] does the largest of {s} exceed their mean?",
        "<find> the difference between the largest of {s} and their average<end>",
    )
    d.think("Largest minus the mean")
    d.code("x = {x}\nprint(max(x) - sum(x) / len(x))")
    d.answer(max(x) - sum(x) // 4)
