# ruff: noqa: E501 - one phrasing a line, whatever its length
"""Polynomials as expressions, functions, inequalities, exponents and logarithms."""

from __future__ import annotations

from training import polynomials as poly
from training.problem import Draft, family

S = "algebra"


@family(S, weight=1.5)
def inequality_linear(d: Draft) -> None:
    """ax + b < c as an interval."""
    a, b, x = d.int(2, 12), d.nonzero(30), d.nonzero(20)
    if d.rng.random() < 0.25:
        a = -a
    op = d.rng.choice(["<", ">", "<=", ">="])
    tex = {"<": "<", ">": ">", "<=": "\\le", ">=": "\\ge"}[op]
    c = a * x + b
    d.let(e=poly.code([b, a]), c=c, op=op)
    d.show(l=poly.plain([b, a], "x", " "), tex=tex)
    d.ask(
        "Solve [the inequality |]{l} {op} {c}[| for x].",
        "Solve ${l} {tex} {c}$.",
        "[For which x|When|~For what values of x] is {l} {op} {c}?",
        "<find> all x with {l} {op} {c}<end>",
        "[Give|Write] the solution [set |]of {l} {op} {c} [as an interval|in interval notation].",
    )
    d.think("Solve the inequality as a set")
    d.code(
        "from sympy import symbols, solveset, S, latex\nx = symbols('x')\nprint(latex(solveset({e} {op} {c}, x, S.Reals)))"
    )
    flip = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
    real = op if a > 0 else flip[op]
    d.answer(
        {
            "<": f"\\left(-\\infty, {x}\\right)",
            "<=": f"\\left(-\\infty, {x}\\right]",
            ">": f"\\left({x}, \\infty\\right)",
            ">=": f"\\left[{x}, \\infty\\right)",
        }[real]
    )


@family(S)
def inequality_quadratic(d: Draft) -> None:
    """A quadratic below zero, as an interval."""
    p, q = sorted(d.ints(2, -9, 9))
    c = poly.product([-p, 1], [-q, 1])
    op = d.rng.choice(["<", "<="])
    d.let(e=poly.code(c), op=op)
    d.show(s=poly.plain(c, "x", " "))
    d.ask(
        "Solve [the inequality |]{s} {op} 0.",
        "[For which x|~For what values of x] is {s} {op} 0?",
        "<find> all x with {s} {op} 0<end>",
        "Solve ${s} {op} 0$.",
    )
    d.think("Solve the inequality as a set")
    d.code(
        "from sympy import symbols, solveset, S, latex\nx = symbols('x')\nprint(latex(solveset({e} {op} 0, x, S.Reals)))"
    )
    d.answer(f"\\left({p}, {q}\\right)" if op == "<" else f"\\left[{p}, {q}\\right]")


@family(S, weight=1.5)
def expand_product(d: Draft) -> None:
    """Expand two binomials or a power."""
    a, b = [d.nonzero(9), d.int(1, 4)], [d.nonzero(9), d.int(1, 3)]
    square = d.rng.random() < 0.35
    f, g = poly.plain(a, "x", " "), poly.plain(b, "x", " ")
    d.let(e=f"({poly.code(a)})**2" if square else f"({poly.code(a)})*({poly.code(b)})")
    s = f"({f})^2" if square else f"({f})({g})"
    d.show(s=s.replace(" ", "") if d.rng.random() < 0.5 else s)
    d.ask(
        "[Expand|Multiply out|Simplify|~Remove the brackets in] [{s}|${s}$]<end>",
        "[What is|Give|Find] the expansion of [{s}|${s}$]<end>",
        "[Write|Express] {s} as a polynomial.",
        "<find> the product {s}<end>" if not square else "<find> {s} in expanded form<end>",
    )
    d.think("Let SymPy expand the product")
    d.code("from sympy import symbols, expand, latex\nx = symbols('x')\nprint(latex(expand({e})))")
    d.answer(poly.latex(poly.product(a, a if square else b)))


@family(S, weight=1.5)
def factor_quadratic(d: Draft) -> None:
    """Factor a quadratic with integer roots."""
    p, q = d.int(-10, 10), d.int(-10, 10)
    c = poly.product([-p, 1], [-q, 1])
    d.let(e=poly.code(c))
    d.show(s=poly.shown(d.rng, c))
    d.ask(
        "[Factor|Factorise|Factorize|Fully factor|~Split into factors] {s}[|.]",
        "[What is|Find|Give] the factorization of {s}<end>",
        "[Write|Express] {s} as a product[| of factors].",
    )
    d.think("Let SymPy factor it")
    d.code("from sympy import symbols, factor, latex\nx = symbols('x')\nprint(latex(factor({e})))")


@family(S, weight=1.5)
def evaluate_polynomial(d: Draft) -> None:
    """A polynomial at a point."""
    c = [d.nonzero(12), d.nonzero(9), d.nonzero(6)] + ([d.nonzero(3)] if d.rng.random() < 0.3 else [])
    x = d.int(-6, 9)
    f = d.rng.choice("fghp")
    d.let(e=poly.code(c), x=x)
    d.show(s=poly.shown(d.rng, c), f=f)
    d.ask(
        "[If|Let|Given] {f}(x) = {s}, [find|what is|compute|~give] {f}({x})<end>",
        "<find> the value of {s} [when|at|for|if] x = {x}<end>",
        "Evaluate {s} [when|at|for] x = {x}.",
        "{f}(x) = {s}. <find> {f}({x})<end>",
    )
    d.think("Put x = {x} into the expression")
    d.code("x = {x}\nprint({e})")
    d.answer(poly.value(c, x))


@family(S)
def compose(d: Draft) -> None:
    """f(g(n))."""
    a, b, n = [d.nonzero(9), d.nonzero(6)], [d.nonzero(9), d.nonzero(5), d.int(0, 2)], d.int(-4, 6)
    d.let(f=poly.code(a), g=poly.code(b), n=n)
    d.show(sf=poly.plain(a, "x", " "), sg=poly.plain(b, "x", " "))
    d.ask(
        "[If|Let|Given|~For] f(x) = {sf} and g(x) = {sg}, [find|what is|compute] f(g({n}))<end>",
        "f(x) = {sf}, g(x) = {sg}. <find> f(g({n}))<end>",
        "[Let|Suppose] $f(x) = {sf}$ and $g(x) = {sg}$. What is $f(g({n}))$?",
    )
    d.think("Apply g first, then f")
    d.code("f = lambda x: {f}\ng = lambda x: {g}\nprint(f(g({n})))")
    d.answer(poly.value(a, poly.value(b, n)))


@family(S)
def inverse_function(d: Draft) -> None:
    """The inverse of a linear function at a value."""
    a, b, x = d.int(2, 9), d.nonzero(20), d.nonzero(15)
    d.let(e=poly.code([b, a]), y=a * x + b)
    d.show(s=poly.plain([b, a], "x", " "))
    d.ask(
        "[If|Let|Given|~For] f(x) = {s}, [find|what is] f^{-1}({y})<end>",
        "[For which|At what|~Where for] x is f(x) = {s} equal to {y}?",
        "f(x) = {s}. Find x [such that|with] f(x) = {y}.",
    )
    d.think("Solve f(x) = {y} for x")
    d.code("from sympy import symbols, solve\nx = symbols('x')\nprint(solve({e} - ({y}), x)[0])")
    d.answer(x)


@family(S)
def exponential_equation(d: Draft) -> None:
    """b^x = n."""
    b, x = d.int(2, 9), d.int(2, 7)
    k = d.rng.choice([0, 0, d.int(1, 3)])
    d.let(b=b, n=b ** (x + k), k=k)
    d.show(ex=f"x+{k}" if k else "x")
    d.ask(
        "[Solve|Solve for x:|Find x:] [{b}^({ex}) = {n}|${b}^{{ex}} = {n}$].",
        "[If|~Knowing that] {b}^({ex}) = {n}, [what is|find] x<end>",
        "For which x is {b}^({ex}) equal to {n}?",
    )
    d.think("Take logarithms to base {b}")
    d.code(
        "from sympy import log, simplify\nprint(simplify(log({n}) / log({b})) - {k})"
        if k
        else "from sympy import log, simplify\nprint(simplify(log({n}) / log({b})))"
    )
    d.answer(x)


@family(S)
def logarithm(d: Draft) -> None:
    """log_b(n), integer."""
    b, x = d.rng.choice([2, 3, 4, 5, 6, 7, 10]), d.int(1, 7)
    d.let(b=b, n=b**x)
    d.ask(
        "<find> [log_{b}({n})|log base {b} of {n}|$\\log_{b} {n}$|$\\log_{{b}} {n}$|$\\log_{{b}}({n})$|the logarithm of {n} to base {b}|~the base {b} log of {n}]<end>",
        "To what power must {b} be raised to give {n}?",
    )
    d.think("The logarithm is the exponent of {b}")
    d.code("from sympy import log, simplify\nprint(simplify(log({n}) / log({b})))")
    d.answer(x)


@family(S)
def absolute_equation(d: Draft) -> None:
    """|ax + b| = c."""
    a, p, h = d.rng.choice([1, 1, 2, 3]), d.int(-9, 9), d.int(1, 12)
    c, b = a * h, -a * p
    d.let(e=poly.code([b, a]), c=c)
    d.show(s="|" + poly.plain([b, a], "x", " ") + "|")
    d.ask(
        "Solve {s} = {c}[| for x].",
        "Solve ${s} = {c}$.",
        "<find> all [real |]x with {s} = {c}<end>",
        "[What are|~Name] the solutions of {s} = {c}?",
    )
    d.think("Solve the equation with the absolute value over the reals")
    d.code(
        "from sympy import symbols, solve, Abs\nx = symbols('x', real=True)\nprint(*sorted(solve(Abs({e}) - {c}, x)), sep=', ')"
    )
    d.answer(f"{p - h}, {p + h}")


@family(S)
def complex_product(d: Draft) -> None:
    """Multiply or add complex numbers."""
    a, b, c, e = d.nonzero(9), d.nonzero(9), d.nonzero(9), d.nonzero(9)
    op = d.rng.choice(["*", "*", "+", "-"])
    s, t = complex(a, b), complex(c, e)
    z = {"*": s * t, "+": s + t, "-": s - t}[op]
    p, q = (f"({u} {'+' if v > 0 else '-'} {abs(v)}*I)" for u, v in ((a, b), (c, e)))
    first, second = (f"{u} {'+' if v > 0 else '-'} {'' if abs(v) == 1 else abs(v)}i" for u, v in ((a, b), (c, e)))
    d.let(p=p, q=q, op=op)
    d.show(s=first, t=second, o="" if op == "*" else f" {op} ")
    d.ask(
        "<find> ({s}){o}({t})<end>",
        "[Simplify|Expand|~Work through] ({s}){o}({t})<end>",
        "<find> $({s}){o}({t})$<end>",
        "[Write|Express] ({s}){o}({t}) in the form a + bi.",
    )
    d.think("Calculate with the imaginary unit I")
    d.code("from sympy import I, expand, latex\nprint(latex(expand({p} {op} {q})))")
    if z.real and z.imag and abs(z.imag) != 1:
        d.answer(f"{int(z.real)} {'+' if z.imag > 0 else '-'} {abs(int(z.imag))} i")


@family(S)
def vertex(d: Draft) -> None:
    """Minimum or maximum of a quadratic."""
    a, h, k = d.rng.choice([-3, -2, -1, 1, 1, 2, 3]), d.int(-8, 8), d.int(-20, 20)
    c = [a * h * h + k, -2 * a * h, a]
    goal = d.rng.choice(["value", "place"])
    d.let(e=poly.code(c))
    d.show(s=poly.shown(d.rng, c), w="minimum" if a > 0 else "maximum")
    if goal == "value":
        d.ask(
            "<find> the {w}[| value] of {s}<end>",
            "What is the {w} value of [f(x) = |]{s}?",
            "[Consider|~Look at] {s}. Give the {w}.",
        )
    else:
        d.ask(
            "[At|For|~Given] which x does {s} [have|reach|take] its {w}?",
            "<find> the x where {s} is at its {w}<end>",
            "What is the x-coordinate of the vertex of y = {s}?",
        )
    d.think("The derivative is zero at the vertex")
    last = "print(f.subs(x, x0))" if goal == "value" else "print(x0)"
    d.code("from sympy import symbols, diff, solve\nx = symbols('x')\nf = {e}\nx0 = solve(diff(f, x), x)[0]\n" + last)
    d.answer(k if goal == "value" else h)


@family(S)
def polynomial_remainder(d: Draft) -> None:
    """Remainder on division by x - r."""
    c, r = [d.nonzero(9), d.nonzero(9), d.nonzero(6), d.int(1, 3)], d.nonzero(5)
    d.let(e=poly.code(c), r=r, g=poly.code([-r, 1]))
    d.show(s=poly.shown(d.rng, c), t=poly.plain([-r, 1], "x", " "))
    d.ask(
        "<find> the remainder when {s} is divided by {t}<end>",
        "What [is the remainder|remainder is left] when [dividing|you divide|~one divides] {s} by {t}?",
        "Divide {s} by {t}. What is the remainder?",
    )
    d.think("Use polynomial remainder")
    d.code("from sympy import symbols, rem\nx = symbols('x')\nprint(rem({e}, {g}, x))")
    d.answer(poly.value(c, r))


@family(S, reserved=True)
def factor_cubic(d: Draft) -> None:
    """Factor a cubic with integer roots."""
    c = poly.product(poly.product([-d.int(-5, 5), 1], [-d.int(-5, 5), 1]), [-d.int(-5, 5), 1])
    d.let(e=poly.code(c))
    d.show(s=poly.shown(d.rng, c))
    d.ask(
        "[Factor|~Decompose] {s}[|.]",
        "[Factorise|Fully factor|Factor completely:|Find the factors of] {s}[.|]",
        "[Write|Express|Give] {s} as a product[| of factors].",
        "What are the factors of {s}?",
    )
    d.think("Let SymPy factor it")
    d.code("from sympy import symbols, factor, latex\nx = symbols('x')\nprint(latex(factor({e})))")
