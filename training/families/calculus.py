# ruff: noqa: E501 - one phrasing a line, whatever its length
"""Derivatives, integrals, limits, extrema, series."""

from __future__ import annotations

from fractions import Fraction

from training import polynomials as poly
from training.problem import Draft, family

S = "calculus"


def coefficients(d: Draft, degree: int) -> list[int]:
    """Random coefficients, some of them zero."""
    return [d.nonzero(12) if d.rng.random() < 0.75 else 0 for _ in range(degree)] + [d.nonzero(8)]


def smooth(d: Draft) -> tuple[str, str]:
    """A non-polynomial expression: SymPy code and the way a question shows it."""
    k, n = d.int(2, 6), d.int(2, 4)
    return d.rng.choice([
        (f"sin({k}*x)", f"sin({k}x)"), (f"cos({k}*x)", f"cos({k}x)"), (f"exp({k}*x)", f"e^({k}x)"), ("x*exp(x)", "x e^x"),
        ("x*sin(x)", "x sin(x)"), ("x*cos(x)", "x cos(x)"), (f"x**{n}*log(x)", f"x^{n} ln(x)"), (f"x**{n}*exp(x)", f"x^{n} e^x"),
        ("exp(x)*sin(x)", "e^x sin(x)"), (f"sqrt(x**2 + {k})", f"sqrt(x^2 + {k})"), (f"log(x**2 + {k})", f"ln(x^2 + {k})"),
        (f"sin(x)**{n}", f"sin(x)^{n}"), (f"1/(x + {k})", f"1/(x + {k})"), (f"exp(x) + {k}*x**{n}", f"e^x + {k}x^{n}"), ("tan(x)", "tan(x)"),
        (f"{k}*sin(x) + x**{n}", f"{k} sin(x) + x^{n}"), (f"x/(x + {k})", f"x/(x + {k})"), (f"cos(x**{n})", f"cos(x^{n})"), (f"log({k}*x)", f"ln({k}x)"),
    ])  # fmt: skip


DIFF = "from sympy import *\nx = symbols('x')\n"


@family(S, weight=2)
def derivative_polynomial(d: Draft) -> None:
    """The derivative of a polynomial."""
    c = coefficients(d, d.int(2, 4))
    d.let(e=poly.code(c))
    d.show(s=poly.shown(d.rng, c))
    d.ask(
        "<find> the derivative of {s}<end>", "[Differentiate|~Take the derivative of] {s}[| with respect to x].", "[If|Let|Given] f(x) = {s}, [find|what is] f'(x)<end>",
        "[If|For] y = {s}, [find|what is] dy/dx<end>", "<find> d/dx ({s})<end>", "f(x) = {s}. <find> f'(x)<end>",
    )  # fmt: skip
    d.think("Differentiate with SymPy")
    d.code("from sympy import symbols, diff, expand, latex\nx = symbols('x')\nprint(latex(expand(diff({e}, x))))")
    d.answer(poly.latex(poly.derivative(c)))


@family(S, weight=1.5)
def derivative_smooth(d: Draft) -> None:
    """The derivative of a product, composition or elementary function."""
    e, s = smooth(d)
    d.let(e=e)
    d.show(s=s)
    d.ask(
        "<find> the derivative of {s}<end>",
        "[Differentiate|~Take the derivative of] {s}[| with respect to x].",
        "[If|Let|Given] f(x) = {s}, [find|what is] f'(x)<end>",
        "<find> d/dx ({s})<end>",
    )
    d.think("Differentiate with SymPy")
    d.code(DIFF + "print(latex(diff({e}, x)))")


@family(S, weight=1.5)
def derivative_at(d: Draft) -> None:
    """The derivative or slope at a point."""
    c, x = coefficients(d, d.int(2, 3)), d.int(-4, 6)
    d.let(e=poly.code(c), a=x)
    d.show(s=poly.shown(d.rng, c))
    d.ask(
        "[If|Let|Given] f(x) = {s}, [find|what is] f'({a})<end>",
        "<find> the [derivative of {s}|slope of y = {s}|slope of the tangent to y = {s}] at x = {a}<end>",
        "[How steep is|~What slope has] the curve y = {s} at x = {a}?",
    )
    d.think("Differentiate, then put x = {a}")
    d.code("from sympy import symbols, diff\nx = symbols('x')\nprint(diff({e}, x).subs(x, {a}))")
    d.answer(poly.value(poly.derivative(c), x))


@family(S)
def second_derivative(d: Draft) -> None:
    """The second derivative."""
    c = coefficients(d, d.int(3, 4))
    d.let(e=poly.code(c))
    d.show(s=poly.shown(d.rng, c))
    d.ask(
        "<find> the second derivative of {s}<end>",
        "[If|Let|Given] f(x) = {s}, [find|what is] f''(x)<end>",
        "[Differentiate|~Derive] {s} twice.",
    )
    d.think("Differentiate twice")
    d.code("from sympy import symbols, diff, expand, latex\nx = symbols('x')\nprint(latex(expand(diff({e}, x, 2))))")
    d.answer(poly.latex(poly.derivative(poly.derivative(c))))


@family(S, weight=1.5)
def integral_indefinite(d: Draft) -> None:
    """An antiderivative of a polynomial or an elementary function."""
    if d.rng.random() < 0.7:
        whole = [0, *(d.nonzero(6) if d.rng.random() < 0.8 else 0 for _ in range(d.int(1, 2))), d.nonzero(4)]
        c = poly.derivative(whole)
        e, s = poly.code(c), poly.shown(d.rng, c)
        d.answer(poly.latex(whole))
    else:
        k = d.int(2, 6)
        e, s = d.rng.choice(
            [
                (f"sin({k}*x)", f"sin({k}x)"),
                (f"cos({k}*x)", f"cos({k}x)"),
                (f"exp({k}*x)", f"e^({k}x)"),
                ("x*exp(x)", "x e^x"),
                ("x*cos(x)", "x cos(x)"),
                ("log(x)", "ln(x)"),
                ("1/x", "1/x"),
            ]
        )
    d.let(e=e)
    d.show(s=s)
    d.ask(
        "<find> [the [indefinite |]integral|an antiderivative] of {s}[| with respect to x]<end>",
        "[Integrate|~Antidifferentiate] {s}[| with respect to x| dx].",
        "<find> [∫ ({s}) dx|the integral ∫ {s} dx]<end>",
    )
    d.think("Integrate with SymPy")
    d.code(DIFF + "print(latex(integrate({e}, x)))")


@family(S, weight=2)
def integral_definite(d: Draft) -> None:
    """A polynomial over an interval."""
    c = coefficients(d, d.int(1, 3))
    a, b = sorted(d.ints(2, -3, 6))
    d.let(e=poly.code(c), a=a, b=b)
    d.show(s=poly.shown(d.rng, c), bare=poly.plain(c))
    d.ask(
        "<find> the integral of {s} from {a} to {b}<end>", "[Integrate|~Accumulate] {s} from [x = |]{a} to [x = |]{b}.", "<find> $\\int_{{a}}^{{b}} ({bare}) \\, dx$<end>",
        "<find> the definite integral of {s} over the interval from {a} to {b}<end>",
        "<find> ∫_{a}^{b} ({bare}) dx<end>",
    )  # fmt: skip
    d.think("Integrate between the limits with SymPy")
    d.code("from sympy import symbols, integrate\nx = symbols('x')\nprint(integrate({e}, (x, {a}, {b})))")
    total = sum(Fraction(u, k + 1) * (Fraction(b) ** (k + 1) - Fraction(a) ** (k + 1)) for k, u in enumerate(c))
    d.answer(total)


@family(S)
def area_between(d: Draft) -> None:
    """The area between a parabola and a line through its two meeting points."""
    p, q = sorted(d.ints(2, -4, 5))
    m, b = d.int(-3, 3), d.int(-5, 5)
    line = [b, m]
    c = poly.product([-p, 1], [-q, 1])
    curve = [c[0] + b, c[1] + m, 1]
    d.let(f=poly.code(curve), g=poly.code(line), a=p, b=q)
    d.show(s=poly.plain(curve, "x", " "), t=poly.plain(line, "x", " "))
    d.ask(
        "<find> the area between y = {s} and y = {t}<end>",
        "[What area do|~How large a region do] y = {s} and y = {t} [enclose|bound]?",
        "<find> the area [enclosed|bounded] by y = {s} and y = {t}<end>",
    )
    d.think("Find where they meet and integrate the difference")
    d.code(
        "from sympy import symbols, solve, integrate\nx = symbols('x')\nf, g = {f}, {g}\na, b = solve(f - g, x)\nprint(abs(integrate(f - g, (x, a, b))))"
    )
    d.answer(Fraction((q - p) ** 3, 6))


@family(S, weight=1.5)
def limit_rational(d: Draft) -> None:
    """A removable singularity, or a limit at infinity."""
    if d.rng.random() < 0.6:
        r, s = d.ints(2, -8, 8)
        top = poly.product([-r, 1], [-s, 1])
        d.let(e=f"({poly.code(top)})/({poly.code([-r, 1])})", a=r)
        d.show(t=f"({poly.plain(top)})/({poly.plain([-r, 1])})", to=r)
        d.show(tex=f"\\frac{{{poly.plain(top)}}}{{{poly.plain([-r, 1])}}}")
        d.answer(r - s)
    else:
        a, b = d.nonzero(9), d.int(1, 9)
        top, low = [d.nonzero(9), d.nonzero(9), a], [d.nonzero(9), d.nonzero(9), b]
        d.let(e=f"({poly.code(top)})/({poly.code(low)})", a="oo")
        d.show(t=f"({poly.plain(top)})/({poly.plain(low)})", to=d.rng.choice(["infinity", "∞", "\\infty"]))
        d.show(tex=f"\\frac{{{poly.plain(top)}}}{{{poly.plain(low)}}}")
        d.answer(Fraction(a, b))
    d.ask(
        "<find> the limit of {t} as x [approaches|goes to|tends to|->] {to}<end>",
        "<find> $\\lim_{x \\to {to}} {tex}$<end>",
        "[What does {t} tend to|~Where does {t} go|What value does {t} approach] as x [approaches|goes to] {to}?",
        "lim x->{to} of {t}[| = ?]",
    )
    d.think("Take the limit with SymPy")
    d.code("from sympy import symbols, limit, oo\nx = symbols('x')\nprint(limit({e}, x, {a}))")


@family(S)
def limit_trigonometric(d: Draft) -> None:
    """Classic limits at zero."""
    a, b = d.int(1, 9), d.int(1, 9)
    e, s = d.rng.choice([
        (f"sin({a}*x)/({b}*x)", f"sin({a}x)/({b}x)"), (f"(1 - cos({a}*x))/x**2", f"(1 - cos({a}x))/x^2"), (f"(exp({a}*x) - 1)/({b}*x)", f"(e^({a}x) - 1)/({b}x)"),
        (f"tan({a}*x)/({b}*x)", f"tan({a}x)/({b}x)"), (f"log(1 + {a}*x)/({b}*x)", f"ln(1 + {a}x)/({b}x)"), (f"sin({a}*x)/sin({b}*x)", f"sin({a}x)/sin({b}x)"),
    ])  # fmt: skip
    d.let(e=e)
    d.show(t=s)
    d.ask(
        "<find> the limit of {t} as x [approaches|goes to|tends to] 0<end>",
        "<find> $\\lim_{x \\to 0} {t}$<end>",
        "[What does {t} tend to|~Where does {t} go] as x [approaches|goes to] 0?",
        "lim x->0 {t}[| = ?]",
    )
    d.think("Take the limit with SymPy")
    d.code("from sympy import *\nx = symbols('x')\nprint(limit({e}, x, 0))")


@family(S)
def critical_points(d: Draft) -> None:
    """Where the derivative of a cubic vanishes."""
    p, q = sorted(d.ints(2, -6, 6))
    if (p + q) % 2:
        q += 1
    c = [d.nonzero(9), 6 * p * q, -3 * (p + q), 2]
    d.let(e=poly.code(c))
    d.show(s=poly.shown(d.rng, c))
    d.ask(
        "<find> the critical points of {s}<end>",
        "[Where|At which x|For what x] is the derivative of {s} [zero|equal to 0]?",
        "[At which x does|~Where might] {s} have [its extrema|a local maximum or minimum]?",
        "Let f(x) = {s}. Solve f'(x) = 0.",
    )
    d.think("Set the derivative to zero and solve")
    d.code("from sympy import symbols, diff, solve\nx = symbols('x')\nprint(*solve(diff({e}, x), x), sep=', ')")
    d.answer(f"{p}, {q}" if p != q else p)


@family(S)
def tangent_line(d: Draft) -> None:
    """The tangent line to a parabola."""
    c, a = coefficients(d, 2), d.int(-4, 5)
    slope = poly.value(poly.derivative(c), a)
    d.let(e=poly.code(c), a=a)
    d.show(s=poly.shown(d.rng, c))
    d.ask(
        "<find> the [equation of the |]tangent line to y = {s} at x = {a}<end>",
        "[What is|Give|~State] the tangent to [the curve |]y = {s} at x = {a}<end>",
        "Let f(x) = {s}. <find> the tangent line at x = {a}<end>",
    )
    d.think("Slope from the derivative, then the line through the point")
    d.code(
        "from sympy import symbols, diff, expand, latex\nx = symbols('x')\nf = {e}\nline = diff(f, x).subs(x, {a}) * (x - ({a})) + f.subs(x, {a})\nprint('y = ' + latex(expand(line)))"
    )
    d.answer("y = " + poly.latex([poly.value(c, a) - slope * a, slope]))


@family(S)
def series_sum(d: Draft) -> None:
    """A finite or geometric infinite sum in sigma notation."""
    if d.rng.random() < 0.5:
        c, n = [d.int(0, 5), d.int(1, 6), d.int(0, 2)], d.int(5, 60)
        d.let(e=poly.code(c, "k"), n=n)
        d.show(s=poly.plain(c, "k"))
        d.ask(
            "<find> the sum of {s} for k from 1 to {n}<end>",
            "<find> $\\sum_{k=1}^{{n}} ({s})$<end>",
            "[Sum|~Total] {s} [from k = 1 to {n}|over k = 1, ..., {n}].",
        )
        d.code("print(sum({e} for k in range(1, {n} + 1)))")
        d.answer(sum(poly.value(c, k) for k in range(1, n + 1)))
    else:
        a, r = d.int(1, 20), Fraction(1, d.int(2, 9))
        d.let(a=a, q=r.denominator)
        d.ask(
            "<find> the sum of the infinite geometric series with first term {a} and ratio 1/{q}<end>",
            "<find> {a} + {a}/{q} + {a}/{q}^2 + ...",
            "<find> $\\sum_{k=0}^{\\infty} {a} (1/{q})^k$<end>",
            "[A|~Some] geometric series starts with {a} and has ratio 1/{q}. What does it sum to?",
        )
        d.code("from fractions import Fraction\nprint({a} / (1 - Fraction(1, {q})))")
        d.answer(Fraction(a) / (1 - r))
    d.think("Add up the terms" if "range" in d.program else "The sum is a / (1 - r)")


@family(S, reserved=True)
def third_derivative(d: Draft) -> None:
    """The third derivative."""
    c = coefficients(d, 4)
    d.let(e=poly.code(c))
    d.show(s=poly.shown(d.rng, c))
    d.ask(
        "<find> the third derivative of {s}<end>",
        "[If|~Supposing] f(x) = {s}, find f'''(x)<end>",
        "Differentiate {s} three times.",
    )
    d.think("Differentiate three times")
    d.code("from sympy import symbols, diff, expand, latex\nx = symbols('x')\nprint(latex(expand(diff({e}, x, 3))))")
    d.answer(poly.latex(poly.derivative(poly.derivative(poly.derivative(c)))))
