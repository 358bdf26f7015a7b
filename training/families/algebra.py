# ruff: noqa: E501 - one phrasing a line, whatever its length
"""Equations, inequalities, systems, polynomials, functions, logarithms."""

from __future__ import annotations

from fractions import Fraction

from training import polynomials as poly
from training.problem import Draft, family

S = "algebra"
SOLVE = "from sympy import symbols, solve\n{v} = symbols('{v}')\n"
HEAD = "from sympy import symbols, {f}, latex\nx = symbols('x')\n"


def variable(d: Draft) -> str:
    """The unknown's letter, also as slot `v`."""
    v = d.rng.choice("xxxxynatz")
    d.let(v=v)
    return v


def ask_equation(d: Draft, left: str, right: str) -> None:
    """Ask to solve left = right in one of the usual forms."""
    blank = d.rng.choice(["", " "])
    sides = f"{left}{blank}={blank}{right}".replace(" ", blank) if d.rng.random() < 0.5 else f"{left} = {right}"
    d.show(eq=sides, x=d.values["v"])
    d.ask(
        "<solve> [{eq}|${eq}$]<end>",
        "Solve [{eq}|${eq}$][| for {v}].",
        "[If|Given that|~Knowing that] [{eq}|${eq}$], [find {v}|what is {v}|what is the value of {v}|determine {v}]<end>",
        "[Find|Determine] the [value of {v}|solution] [in|for] {eq}.",
        "{eq}. [Find|Solve for|~Isolate|What is] {v}.",
    )


@family(S, weight=2)
def linear_equation(d: Draft) -> None:
    """ax + b = c, integer or fractional solution."""
    v = variable(d)
    a, b, x = d.nonzero(15), d.nonzero(40), d.nonzero(30)
    a = 2 if a == 1 else a
    c = a * x + b if d.rng.random() < 0.75 else d.int(-50, 50)
    d.let(e=f"{poly.code([b, a], v)} - {c}" if c >= 0 else f"{poly.code([b, a], v)} + {-c}")
    ask_equation(d, poly.plain([b, a], v, " "), str(c))
    d.think("Bring everything to one side and solve")
    d.code(SOLVE + "print(solve({e}, {v})[0])")
    d.answer(Fraction(c - b, a))


@family(S, weight=1.5)
def linear_both_sides(d: Draft) -> None:
    """ax + b = cx + d."""
    v = variable(d)
    a, c = d.ints(2, 1, 15)
    x, b = d.nonzero(20), d.nonzero(40)
    e = a * x + b - c * x
    d.let(l=poly.code([b, a], v), r=poly.code([e, c], v))
    ask_equation(d, poly.plain([b, a], v, " "), poly.plain([e, c], v, " "))
    d.think("Subtract the right side and solve")
    d.code(SOLVE + "print(solve({l} - ({r}), {v})[0])")
    d.answer(x)


@family(S, weight=1.5)
def linear_bracket(d: Draft) -> None:
    """a(x + b) = c or x/a + b = c."""
    v = variable(d)
    a, b, x = d.int(2, 12), d.nonzero(20), d.nonzero(25)
    inner = poly.plain([b, 1], v, " ")
    if d.rng.random() < 0.5:
        c = a * (x + b)
        ask_equation(d, f"{a}({inner})", str(c))
        d.let(e=f"{a}*({poly.code([b, 1], v)})", c=c)
    else:
        x *= a
        c = x // a + b
        ask_equation(d, f"{v}/{a} {'+' if b > 0 else '-'} {abs(b)}", str(c))
        d.let(e=f"{v}/{a} {'+' if b > 0 else '-'} {abs(b)}", c=c)
    d.think("Solve the linear equation with SymPy")
    d.code(SOLVE + "print(solve({e} - ({c}), {v})[0])")
    d.answer(x)


@family(S, weight=2.5)
def quadratic(d: Draft) -> None:
    """Integer roots, leading coefficient 1 or more."""
    v = variable(d)
    p, q = sorted([d.int(-12, 12), d.int(-12, 12)])
    a = d.rng.choice([1, 1, 1, 2, 3])
    c = [a * u for u in poly.product([-p, 1], [-q, 1])]
    moved = d.rng.random() < 0.25 and c[0] != 0
    d.let(e=poly.code(c, v))
    if moved:
        ask_equation(d, poly.plain([0, *c[1:]], v, " "), str(-c[0]))
        d.let(e=poly.code([0, *c[1:]], v) + (f" - {-c[0]}" if c[0] < 0 else f" + {c[0]}"))
    else:
        ask_equation(d, poly.plain(c, v, " "), "0")
    d.think("Solve the quadratic equation with SymPy")
    d.code(SOLVE + "print(*solve({e}, {v}), sep=', ')")
    d.answer(f"{p}, {q}" if p != q else p)


@family(S)
def quadratic_one_root(d: Draft) -> None:
    """The larger, smaller or positive root; sum or product of the roots."""
    p, q = sorted(d.ints(2, -12, 12))
    goal = d.rng.choice(["larger", "smaller", "sum", "product"])
    c = poly.product([-p, 1], [-q, 1])
    d.let(e=poly.code(c))
    d.show(s=poly.shown(d.rng, c), g=goal)
    what = {
        "larger": "[larger|greatest|~bigger] [root|solution]",
        "smaller": "[smaller|least|~lesser] [root|solution]",
        "sum": "sum of the [roots|solutions|~zeros]",
        "product": "product of the [roots|solutions|~zeros]",
    }[goal]
    d.ask(
        f"<find> the {what} of {{s}} = 0<end>",
        f"What is the {what} of the equation {{s}} = 0?",
        f"The equation {{s}} = 0 has two solutions. Find the {what}."
        if goal in ("sum", "product")
        else f"Solve {{s}} = 0 and give the {what}.",
    )
    d.think("Find the roots, then combine them")
    expr = {"larger": "max(roots)", "smaller": "min(roots)", "sum": "sum(roots)", "product": "roots[0] * roots[1]"}[
        goal
    ]
    d.code(f"from sympy import symbols, solve\nx = symbols('x')\nroots = solve({{e}}, x)\nprint({expr})")
    d.answer({"larger": q, "smaller": p, "sum": p + q, "product": p * q}[goal])


@family(S)
def quadratic_irrational(d: Draft) -> None:
    """Roots with a square root or complex roots, exact."""
    v = variable(d)
    c = [d.nonzero(9), d.nonzero(8), d.rng.choice([1, 1, 2, 3])]
    d.let(e=poly.code(c, v))
    ask_equation(d, poly.plain(c, v, " "), "0")
    d.think("Solve the quadratic equation exactly")
    d.code(
        "from sympy import symbols, solve, latex\n{v} = symbols('{v}')\nprint(', '.join(latex(r) for r in solve({e}, {v})))"
    )


@family(S)
def discriminant(d: Draft) -> None:
    """b^2 - 4ac, or the number of real roots."""
    a, b, c = d.int(1, 9), d.nonzero(15), d.nonzero(12)
    d.let(a=a, b=b, c=c)
    d.show(s=poly.shown(d.rng, [c, b, a]))
    d.ask(
        "<find> the discriminant of {s}[| = 0]<end>",
        "What is the discriminant of the [quadratic|~trinomial] {s}?",
        "[Given|For] the quadratic {s}, [find|what is] its discriminant<end>",
    )
    d.think("The discriminant is b^2 - 4ac")
    d.code("a, b, c = {a}, {b}, {c}\nprint(b**2 - 4*a*c)")
    d.answer(b * b - 4 * a * c)


@family(S, weight=2)
def system_two(d: Draft) -> None:
    """Two linear equations in two unknowns."""
    x, y = d.int(-9, 12), d.int(-9, 12)
    a, b, c, e = d.nonzero(7), d.nonzero(7), d.nonzero(7), d.nonzero(7)
    if a * e == b * c:
        e += 1 if e != -1 else 2
    if a * e == b * c:
        c += 1 if c != -1 else 2
    one, two = poly.code([0, a], "x") + _plus(b, "y"), poly.code([0, c], "x") + _plus(e, "y")
    p, q = a * x + b * y, c * x + e * y
    d.let(one=one, two=two, p=p, q=q)
    tight = d.rng.random() < 0.4
    s1, s2 = f"{one} = {p}".replace("*", ""), f"{two} = {q}".replace("*", "")
    d.show(s1=s1.replace(" ", "") if tight else s1, s2=s2.replace(" ", "") if tight else s2)
    goal = d.rng.choice(["both", "both", "x", "y", "sum"])
    tail = {"both": "", "x": " [What is|Find] x?", "y": " [What is|Find] y?", "sum": " [What is|Find] x + y?"}[goal]
    d.ask(
        "Solve [the system|the equations|for x and y:|] [{s1}, {s2}|{s1} and {s2}|${s1}$ and ${s2}$|${s1}$, ${s2}$]."
        + tail,
        "[If|Given|~Knowing] {s1} and {s2}, [find x and y|what are x and y]<end>" + tail,
        "[Let|~Assume] {s1} and {s2}. [Find x and y|Solve]." + tail,
    )
    d.think("Solve the two equations together")
    last = {"both": "print(s[x], s[y], sep=', ')", "x": "print(s[x])", "y": "print(s[y])", "sum": "print(s[x] + s[y])"}[
        goal
    ]
    d.code(
        "from sympy import symbols, solve\nx, y = symbols('x y')\ns = solve([{one} - ({p}), {two} - ({q})], [x, y])\n"
        + last
    )
    if a * e != b * c:
        d.answer({"both": f"{x}, {y}", "x": x, "y": y, "sum": x + y}[goal])


def _plus(a: int, x: str) -> str:
    """A further term with its sign."""
    return f" {'+' if a > 0 else '-'} {'' if abs(a) == 1 else f'{abs(a)}*'}{x}"


@family(S, weight=1.5)
def sum_and_difference(d: Draft) -> None:
    """Two numbers from their sum and difference or product."""
    a, b = sorted(d.ints(2, 1, 60), reverse=True)
    product = d.rng.random() < 0.3
    d.let(s=a + b, m=a * b if product else a - b)
    second = "product" if product else "difference"
    ask = d.rng.choice(["larger", "smaller"])
    d.ask(
        f"The sum of two numbers is {{s}} and their {second} is {{m}}. [Find the {ask} number|What is the {ask}[| number|~ of them]]<end>",
        f"Two numbers [add up to|have the sum] {{s}}. Their {second} is {{m}}. [What is|Find] the {ask} one<end>",
        f"Find the {ask} of two numbers whose sum is {{s}} and whose {second} is {{m}}.",
    )
    d.think("Call the numbers x and y and solve the system")
    d.code(
        f"from sympy import symbols, solve\nx, y = symbols('x y')\ns = solve([x + y - {{s}}, x {'*' if product else '-'} y - {{m}}], [x, y], dict=True)\nprint({'max' if ask == 'larger' else 'min'}(s[0][x], s[0][y]))"
    )
    d.answer(a if ask == "larger" else b)


@family(S, weight=1.5)
def heads_and_legs(d: Draft) -> None:
    """Two kinds counted by two totals."""
    a, b = d.int(2, 40), d.int(2, 40)
    first, second, u, w, unit = d.rng.choice([
        ("chickens", "cows", 2, 4, "legs"), ("ducks", "rabbits", 2, 4, "legs"), ("bicycles", "cars", 2, 4, "wheels"),
        ("bicycles", "tricycles", 2, 3, "wheels"), ("adult tickets", "child tickets", 9, 5, "dollars"), ("nickels", "dimes", 5, 10, "cents"),
        ("dimes", "quarters", 10, 25, "cents"), ("spiders", "ants", 8, 6, "legs"), ("tables", "stools", 4, 3, "legs"),
    ])  # fmt: skip
    d.let(n=a + b, t=u * a + w * b, u=u, w=w)
    d.show(f=first, g=second, unit=unit)
    goal = d.rng.random() < 0.5
    d.show(h=first if goal else second)
    price = " [a|each] {f} [counts|has|is] {u} {unit}, a {g} {w}." if first in ("adult tickets",) else ""
    price = " one of the {f} is {u} {unit}, one of the {g} is {w}." if price else ""
    d.ask(
        "[there are|a farmer has|somebody counts|~one finds] {n} {f} and {g}[| together]. <total> they [have|make|come to] {t} {unit}."
        + price
        + " [how many {h} are there?|find the number of {h}.|how many of them are {h}?]",
        "{f} and {g} [make|have|add up to] {t} {unit} <total>, and there are {n} of them."
        + price
        + " [how many are {h}?|what is the number of {h}?]",
    )
    d.think("Let x be the {f} and y the {g}; solve the system")
    d.code(
        "from sympy import symbols, solve\nx, y = symbols('x y')\ns = solve([x + y - {n}, {u}*x + {w}*y - {t}], [x, y])\n"
        + ("print(s[x])" if goal else "print(s[y])")
    )
    d.answer(a if goal else b)


@family(S, weight=1.5)
def number_riddle(d: Draft) -> None:
    """A number changed in steps; find it."""
    x, a, b = d.int(2, 60), d.int(2, 9), d.int(2, 40)
    minus = d.rng.random() < 0.5
    c = a * x - b if minus else a * x + b
    d.let(a=a, b=b, c=c, s="-" if minus else "+")
    d.ask(
        (
            "[I think of a number|~Choose a number], [multiply it by|times] {a} and [subtract|take away] {b}."
            if minus
            else "[I think of a number|~Choose a number], [multiply it by|times] {a} and add {b}."
        )
        + " [I get|The result is] {c}. [What is the number?|Find the number.|What was it?]",
        ("{b} less than {a} times a number is {c}." if minus else "{b} more than {a} times a number is {c}.")
        + " [What is|Find] the number<end>",
        (
            "If {a} times a number is decreased by {b}, the result is {c}."
            if minus
            else "If {a} times a number is increased by {b}, the result is {c}."
        )
        + " [What is|Find] the number<end>",
    )
    d.think("Call the number x and solve the equation")
    d.code("from sympy import symbols, solve\nx = symbols('x')\nprint(solve({a}*x {s} {b} - {c}, x)[0])")
    d.answer(x)


@family(S)
def consecutive(d: Draft) -> None:
    """Consecutive integers with a known sum."""
    k, step = d.rng.choice([2, 3, 4, 5]), d.rng.choice([1, 1, 2])
    n = d.int(2, 90)
    total = sum(n + step * i for i in range(k))
    kind = "" if step == 1 else "even " if n % 2 == 0 else "odd "
    goal = d.rng.choice(["smallest", "largest"])
    d.let(k=k, t=total)
    d.show(kind=kind, g=goal, w={2: "two", 3: "three", 4: "four", 5: "five"}[k])
    d.ask(
        "The sum of {w} consecutive {kind}[integers|numbers|~whole numbers] is {t}. [What is|Find] the {g}[| of them| one]<end>",
        "[{w}|{k}] consecutive {kind}integers [add up to|have the sum] {t}. [What is|Find] the {g}<end>",
        "Find the {g} of {w} consecutive {kind}integers whose sum is {t}.",
    )
    d.think("Let x be the smallest of {w} numbers in steps of " + str(step))
    terms = " + ".join("x" if i == 0 else f"(x + {step * i})" for i in range(k))
    last = "print(x0)" if goal == "smallest" else f"print(x0 + {step * (k - 1)})"
    d.code(f"from sympy import symbols, solve\nx = symbols('x')\nx0 = solve({terms} - {{t}}, x)[0]\n{last}")
    d.answer(n if goal == "smallest" else n + step * (k - 1))


@family(S, reserved=True)
def system_three(d: Draft) -> None:
    """Three unknowns by pairwise sums."""
    x, y, z = d.int(1, 30), d.int(1, 30), d.int(1, 30)
    d.let(a=x + y, b=y + z, c=x + z)
    d.ask(
        "[Solve|Find x, y, z from|Solve for x, y and z:] [x + y = {a}, y + z = {b}, x + z = {c}|x+y={a}, y+z={b}, x+z={c}]<end>",
        "[If|~Knowing] x + y = {a}, y + z = {b} and x + z = {c}, find x, y and z.",
        "Solve the system x + y = {a}, y + z = {b}, x + z = {c}.",
    )
    d.think("Solve the three equations together")
    d.code(
        "from sympy import symbols, solve\nx, y, z = symbols('x y z')\ns = solve([x + y - {a}, y + z - {b}, x + z - {c}], [x, y, z])\nprint(s[x], s[y], s[z], sep=', ')"
    )
    d.answer(f"{x}, {y}, {z}")
