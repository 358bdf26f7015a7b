"""Import what mathematical programs import, once, so that every session starts with it."""

from __future__ import annotations

import gc
import importlib
import logging
import warnings

MODULES = (
    *("bisect", "cmath", "collections", "copy", "ctypes", "datetime", "decimal", "fractions", "functools", "heapq"),
    *("io", "itertools", "json", "linecache", "math", "numbers", "operator", "random", "re", "resource", "statistics"),
    *("string", "textwrap", "time", "traceback", "typing", "mpmath", "numpy", "numpy.linalg", "numpy.polynomial"),
    *("scipy.integrate", "scipy.linalg", "scipy.optimize", "scipy.special", "sympy"),
)
"""Imported in this order before the first session; a program's `import` of any of them costs nothing."""


def warm_up() -> None:
    """Import `MODULES` and run each library's slow first steps.

    Raises:
        ImportError: a library is not installed or not visible inside.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # math-verify logs that its time limits are off; the sandbox has its own.
        logging.disable(logging.WARNING)
        for name in MODULES:
            importlib.import_module(name)
        _warm_sympy()
        _warm_grader()
        logging.disable(logging.NOTSET)
    # Objects that live now never die: leaving them out of collections keeps their pages shared between sessions.
    gc.collect()
    gc.freeze()


def _warm_sympy() -> None:
    """SymPy imports several solvers on their first use."""
    import sympy

    x = sympy.Symbol("x")
    sympy.solve(x**2 - 3 * x + 1, x)
    sympy.simplify(sympy.sin(x) ** 2 + sympy.cos(x) ** 2)
    sympy.integrate(x * sympy.exp(x), x)
    sympy.factorint(5040)
    sympy.sqrt(2).evalf(30)


def _warm_grader() -> None:
    """math-verify builds its ANTLR tables at the first parse: 0.3 s that every grading session would pay."""
    from math_verify import parse, verify  # type: ignore[import-not-found, unused-ignore]

    gold = parse(r"$\frac{1}{2}$", parsing_timeout=None)
    verify(gold, parse(r"$0.5$", parsing_timeout=None), timeout_seconds=None)
