"""Matrices and vectors, mostly with NumPy."""

from __future__ import annotations

from training.problem import Draft, family

S = "matrices"
Matrix = list[list[int]]


def shown(d: Draft, m: Matrix) -> str:
    """A matrix as Python lists or LaTeX."""
    if d.rng.random() < 0.6:
        return str(m) if d.rng.random() < 0.5 else str(m).replace(" ", "")
    kind = d.rng.choice(["pmatrix", "bmatrix"])
    rows = " \\\\ ".join(" & ".join(map(str, row)) for row in m)
    return f"$\\begin{{{kind}}} {rows} \\end{{{kind}}}$"


def square(d: Draft, n: int, bound: int = 9) -> Matrix:
    """A random square matrix."""
    return [[d.int(-bound, bound) for _ in range(n)] for _ in range(n)]


def product(a: Matrix, b: Matrix) -> Matrix:
    """The matrix product."""
    return [[sum(x * y for x, y in zip(row, column, strict=True)) for column in zip(*b, strict=True)] for row in a]


def det(m: Matrix) -> int:
    """Determinant by expansion along the first row."""
    if len(m) == 1:
        return m[0][0]
    return sum((-1) ** j * m[0][j] * det([[*row[:j], *row[j + 1 :]] for row in m[1:]]) for j in range(len(m)))


@family(S, weight=1.5)
def determinant(d: Draft) -> None:
    """Determinant of a 2x2 or 3x3 matrix."""
    m = square(d, d.rng.choice([2, 2, 3]))
    d.let(m=m)
    d.show(s=shown(d, m))
    d.ask(
        "<find> the determinant of [the matrix |]{s}<end>",
        "det({s}) = ?",
        "[What is|Find|~Give] det {s}<end>",
        "Let A = {s}. Find det(A).",
    )
    d.think("Let SymPy compute the determinant")
    d.code("from sympy import Matrix\nprint(Matrix({m}).det())")
    d.answer(det(m))


@family(S, weight=1.5)
def matrix_product(d: Draft) -> None:
    """Product or sum of two 2x2 matrices."""
    a, b = square(d, 2), square(d, 2)
    op = d.rng.choice(["@", "@", "+", "-"])
    d.let(a=a, b=b, op=op)
    d.show(
        s=shown(d, a),
        t=shown(d, b),
        w={"@": "product", "+": "sum", "-": "difference"}[op],
        o={"@": "times", "+": "plus", "-": "minus"}[op],
    )
    d.ask(
        "<find> the {w} of [the matrices |]{s} and {t}<end>",
        "<find> {s} {o} {t}<end>",
        "Let A = {s} and B = {t}. [Find|~Give|What is] their {w}<end>",
    )
    d.think("Use NumPy arrays")
    d.code("import numpy as np\na, b = np.array({a}), np.array({b})\nprint((a {op} b).tolist())")
    sign = 1 if op == "+" else -1
    d.answer(
        product(a, b)
        if op == "@"
        else [[x + sign * y for x, y in zip(p, q, strict=True)] for p, q in zip(a, b, strict=True)]
    )


@family(S)
def inverse(d: Draft) -> None:
    """Inverse of a 2x2 matrix."""
    m = square(d, 2)
    while det(m) == 0:
        m = square(d, 2)
    d.let(m=m)
    d.show(s=shown(d, m))
    d.ask(
        "<find> the inverse of [the matrix |]{s}<end>",
        "[Invert|~Find the reciprocal of] the matrix {s}.",
        "Let A = {s}. [Find|What is] A^{-1}<end>",
    )
    d.think("Let SymPy invert the matrix")
    d.code("from sympy import Matrix\nprint(Matrix({m}).inv().tolist())")


@family(S)
def transpose_or_trace(d: Draft) -> None:
    """Transpose or trace."""
    m = square(d, d.rng.choice([2, 3]), 20)
    trace = d.rng.random() < 0.5
    d.let(m=m)
    d.show(s=shown(d, m), w="trace" if trace else "transpose")
    d.ask(
        "<find> the {w} of [the matrix |]{s}<end>",
        "[What is|~Give] the {w} of {s}<end>",
        "Let A = {s}. [Find|What is] its {w}<end>",
    )
    d.think("Use NumPy")
    d.code("import numpy as np\nprint(" + ("np.trace(np.array({m})))" if trace else "np.array({m}).T.tolist())"))
    d.answer(sum(m[i][i] for i in range(len(m))) if trace else [list(r) for r in zip(*m, strict=True)])


@family(S)
def eigenvalues(d: Draft) -> None:
    """Eigenvalues of a 2x2 matrix with integer ones."""
    p, q = sorted(d.ints(2, -8, 9))
    a = d.int(-6, 8)
    e = p + q - a
    # b*c must equal a*e - p*q
    bc = a * e - p * q
    b = d.rng.choice([k for k in range(1, abs(bc) + 1) if bc % k == 0] or [1]) if bc else d.int(1, 5)
    m = [[a, b], [bc // b, e]]
    d.let(m=m)
    d.show(s=shown(d, m))
    d.ask(
        "<find> the eigenvalues of [the matrix |]{s}<end>",
        "[What are|~Name] the eigenvalues of {s}?",
        "Let A = {s}. [Find|What are] its eigenvalues<end>",
    )
    d.think("Let SymPy find the eigenvalues")
    d.code("from sympy import Matrix\nprint(*sorted(Matrix({m}).eigenvals()), sep=', ')")
    d.answer(f"{p}, {q}")


@family(S, weight=1.5)
def vectors(d: Draft) -> None:
    """Dot product, cross product or length."""
    n = d.rng.choice([2, 3])
    a, b = [d.int(-9, 9) for _ in range(n)], [d.int(-9, 9) for _ in range(n)]
    goal = d.rng.choice(["dot", "cross", "length"])
    if goal == "cross":
        a, b = [d.int(-9, 9) for _ in range(3)], [d.int(-9, 9) for _ in range(3)]
    d.let(a=a, b=b)
    style = d.rng.choice(["()", "[]", "<>"])
    s, t = (style[0] + ", ".join(map(str, vector)) + style[1] for vector in (a, b))
    d.show(s=s, t=t)
    if goal == "dot":
        d.ask(
            "<find> the [dot|scalar|inner] product of {s} and {t}<end>",
            "<find> {s} · {t}<end>",
            "[Let|~Take] u = {s} and v = {t}. Find u · v.",
        )
        d.code("import numpy as np\nprint(np.dot({a}, {b}))")
        d.answer(sum(x * y for x, y in zip(a, b, strict=True)))
    elif goal == "cross":
        d.ask(
            "<find> the [cross|vector] product of {s} and {t}<end>",
            "<find> {s} x {t}<end>",
            "[Let|~Take] u = {s} and v = {t}. Find u × v.",
        )
        d.code("import numpy as np\nprint(np.cross({a}, {b}).tolist())")
        d.answer([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])
    else:
        d.ask(
            "<find> the [length|norm|magnitude] of [the vector |]{s}<end>",
            "How long is the vector {s}?",
            "[What is|~Give] the magnitude of {s}?",
        )
        d.code("from sympy import Matrix, latex\nprint(latex(Matrix({a}).norm()))")
    d.think("Use the vectors' coordinates")


@family(S, reserved=True)
def matrix_square(d: Draft) -> None:
    """A squared."""
    m = square(d, 2)
    d.let(m=m)
    d.show(s=shown(d, m))
    d.ask("[Let|~Take] A = {s}. Find A^2.", "<find> the square of the matrix {s}<end>")
    d.think("Multiply the matrix by itself")
    d.code("import numpy as np\na = np.array({m})\nprint((a @ a).tolist())")
    d.answer(product(m, m))
