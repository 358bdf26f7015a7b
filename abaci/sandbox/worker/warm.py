"""Import what mathematical programs import, once, so that every session starts with it."""

from __future__ import annotations

import ctypes
import gc
import importlib
import logging
import warnings
from dataclasses import dataclass

MODULES = (
    *("bisect", "cmath", "collections", "copy", "ctypes", "datetime", "decimal", "fractions", "functools", "heapq"),
    *("io", "itertools", "json", "linecache", "math", "numbers", "operator", "random", "re", "resource", "statistics"),
    *("string", "textwrap", "time", "traceback", "typing", "mpmath", "numpy", "numpy.linalg", "numpy.polynomial"),
    *("scipy.integrate", "scipy.linalg", "scipy.optimize", "scipy.special", "sympy"),
)
"""Imported in this order before the first session; a program's `import` of any of them costs nothing."""


_REHEARSAL = (
    "from sympy import *\nx, y = symbols('x y')\nstr(solve(x**2 - 3*x + 1, x))",
    "from sympy import *\nx, y = symbols('x y')\nsolve([x + y - 3, x - y - 1], [x, y])\nsolve(Eq(x**3, 8))",
    "from sympy import *\nx = Symbol('x')\nsimplify(sin(x)**2 + cos(x)**2)\nexpand((x + 1)**3)\nfactor(x**2 - 1)",
    "from sympy import *\nx = symbols('x', real=True)\ndiff(x**2 * sin(x), x)\nintegrate(x * exp(x), x)",
    "from sympy import *\nx = Symbol('x', positive=True)\nlimit(sin(x) / x, x, 0)\nseries(exp(x), x, 0, 3)",
    "from sympy import *\nn = symbols('n', integer=True)\nsummation(n**2, (n, 1, 10))\nsolveset(n**2 - 4, n, S.Reals)",
    "from sympy import *\nlatex(Rational(1, 2) + sqrt(2))\nsqrt(2).evalf(30)\nN(pi)\nnsimplify(0.5)",
    "from sympy import *\nfactorint(5040)\nisprime(97)\ndivisors(60)\ngcd(12, 18)\nbinomial(10, 3)\nmod_inverse(3, 7)",
    "from sympy import *\nM = Matrix([[1, 2], [3, 4]])\nM.det(), M.inv(), M.eigenvals(), str(M)",
)
"""What programs often do; nothing of it stays but SymPy's caches and the modules that it imports."""

SPARE_STEPS = (
    "from sympy import *",
    "x = symbols('x')\np = x**2 - 7*x + 10",
    "s = solve(p, x)",
    "t = str(s)",
)
"""What a session does while nobody has asked for it yet, in short steps: see `abaci.sandbox.worker.session`."""

_LARGE_PAGE = 2 << 20
_MADV_COLLAPSE = 25
_PROT_READ, _PROT_WRITE, _PROT_EXEC = 1, 2, 4


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
    _join_mappings()
    _use_large_pages()


def _warm_sympy() -> None:
    """SymPy imports many parts on their first use, and Python fits its bytecode to what it runs: both are done here."""
    for program in _REHEARSAL:
        exec(program, {})  # noqa: S102


def _use_large_pages() -> None:
    """Put our memory into pages of 2 MiB where the kernel has them (6.1 and newer).

    A fork copies the page tables, and the end of a session clears them: one entry instead of 512. What a session
    changes is still copied by 4 KiB.
    """
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for mapping in _mappings():
        if mapping.rights != "rw-p" or mapping.path not in ("", "[heap]"):
            continue
        first, end = -(-mapping.start // _LARGE_PAGE) * _LARGE_PAGE, mapping.end // _LARGE_PAGE * _LARGE_PAGE
        # One by one: the kernel stops at the first that it cannot do.
        for address in range(first, end, _LARGE_PAGE):
            madvise(address, _LARGE_PAGE, _MADV_COLLAPSE)


def _join_mappings() -> None:
    """Give the parts of each library the same rights, so that the kernel keeps two mappings of it instead of five.

    A fork copies every mapping, and the end of a session clears it: with 150 libraries a quarter of the time that the
    two take. Constants become executable, and what the linker made read-only is writable again: only for programs
    that can do no more with it than with memory of their own.
    """
    mprotect = ctypes.CDLL(None).mprotect
    mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    libraries: dict[str, list[_Mapping]] = {}
    for mapping in _mappings():
        if ".so" in mapping.path:
            libraries.setdefault(mapping.path, []).append(mapping)
    for parts in libraries.values():
        # The linker lays out constants, code, constants, then what it makes read-only after relocation, then data.
        code = max((i for i, part in enumerate(parts) if part.rights == "r-xp"), default=None)
        for i, part in enumerate(parts):
            if code is not None and part.rights == "r--p":
                rights = _PROT_READ | (_PROT_EXEC if i <= code + 1 else _PROT_WRITE)
                mprotect(part.start, part.end - part.start, rights)


@dataclass(frozen=True)
class _Mapping:
    start: int
    end: int
    rights: str
    path: str


def _mappings() -> list[_Mapping]:
    """The parts of our address space in order; none where `/proc` is hidden, as under gVisor."""
    try:
        with open("/proc/self/maps", encoding="ascii") as file:
            fields = [line.split(maxsplit=5) for line in file]
    except FileNotFoundError:
        return []
    found = []
    for addresses, rights, _, _, _, *path in fields:
        start, end = (int(address, 16) for address in addresses.split("-"))
        found.append(_Mapping(start, end, rights, "".join(path).strip()))
    return found


def _warm_grader() -> None:
    """math-verify builds its ANTLR tables at the first parse: 0.3 s that every grading session would pay."""
    from math_verify import parse, verify  # type: ignore[import-not-found, unused-ignore]

    gold = parse(r"$\frac{1}{2}$", parsing_timeout=None)
    verify(gold, parse(r"$0.5$", parsing_timeout=None), timeout_seconds=None)
