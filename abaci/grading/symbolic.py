"""The algebra of grading. This file runs inside a sandbox session; the host only reads its text.

It is executed once a session as one program, then `compare_answers` or `compare_texts` is called by a line of its own.
Both give one of three words: "equal", "different", "unparsable". What a library raises on a strange answer ends that
program and is reported by the sandbox; nothing here catches it.
"""

import re
from dataclasses import replace
from typing import Any

import sympy
from antlr4 import Token  # type: ignore[import-untyped]
from latex2sympy2_extended import latex2sympy2
from latex2sympy2_extended.math_normalization import normalize_latex
from math_verify import parse, verify
from math_verify.grader import is_assignment_relation, is_equation, should_treat_as_complex, take_last_relation
from math_verify.parser import LatexExtractionConfig

PARSER = latex2sympy2._Latex2Sympy
CONVERSION = latex2sympy2.ConversionConfig(lowercase_symbols=False)
# The caller has removed units already; done again here, `3t` would lose its `t`.
NORMALIZATION = replace(LatexExtractionConfig().normalization_config, units=False, boxed="none")

SETS = (sympy.FiniteSet,)
ORDERED = (sympy.Tuple, sympy.Interval)
PER_CENT = sympy.UnevaluatedExpr(sympy.Rational(1, 100))

RELATIVE_TOLERANCE = sympy.Float("1e-6")
DIGITS = 30


class WholeTextParser(PARSER):  # type: ignore[misc, valid-type]
    """The LaTeX parser, but text that it did not read is an error: it stops in silence at `4\\sqrt(2)` after the 4."""

    def create_parser(self, latex_str: str) -> Any:
        """The ANTLR parser, checked for having read everything."""
        parser = super().create_parser(latex_str)
        read = parser.math

        def read_to_the_end() -> Any:
            tree = read()
            if parser.getTokenStream().LA(1) != Token.EOF:
                raise ValueError("the expression goes on after what could be parsed")
            return tree

        parser.math = read_to_the_end
        return parser


# Prose is parsed by math-verify itself, which looks the parser up under this name.
latex2sympy2._Latex2Sympy = WholeTextParser


def compare_answers(first: str, second: str, places: int, is_strict: bool) -> str:
    """Whether two canonical answers denote the same; symmetric. The rules are those of `compare_texts`."""
    is_real = not (should_treat_as_complex(first) or should_treat_as_complex(second))
    a, b = parse_answer(first, is_real), parse_answer(second, is_real)
    return "equal" if are_equal(a, b, places, is_strict) else "different"


def parse_answer(text: str, is_real: bool) -> Any:
    """The expression that the whole of `text` denotes.

    Raises:
        Exception: it denotes none; the parser raises nothing more special.
    """
    # `1000(26)` is a product, and is read as 1026 without the sign.
    text = re.sub(r"(?<=[0-9)])\(", r"\\cdot(", text)
    normalized = normalize_latex(text, NORMALIZATION)
    return WholeTextParser(None, is_real, False, config=CONVERSION).parse(normalized)


def are_equal(a: Any, b: Any, places: int, is_strict: bool) -> bool:
    """Equality of two expressions, in either order, without math-verify's known false positives."""
    if is_equation(a) != is_equation(b):
        a, b = unwrap_equation(a), unwrap_equation(b)
        if is_equation(a) or is_equation(b):
            return False
    options = {
        "float_rounding": places,
        "strict": is_strict,
        "allow_set_relation_comp": True,
        "timeout_seconds": None,
    }
    if isinstance(a, SETS) and isinstance(b, ORDERED):
        a, b = b, a
    # Against a tuple a set is read in its written order, which math-verify does for a tuple in the first place only.
    is_one_way = isinstance(a, ORDERED) and isinstance(b, SETS)
    is_equal = verify(a, b, **options) or (not is_one_way and verify(b, a, **options))
    return bool(is_equal) and not are_apart(a, b, places)


def unwrap_equation(expression: Any) -> Any:
    """The value of `x = 5`, `f(x) = 2x` or a true numeric chain `520 - 480 = 40`; other expressions as they are."""
    if not is_equation(expression):
        return expression
    if is_assignment_relation(expression):
        return take_last_relation(expression).rhs
    sides = expression.args if isinstance(expression, sympy.Eq) else ()
    if sides and not expression.free_symbols and sympy.simplify(sides[0] - sides[1]).is_zero:
        return sides[1]
    return expression


def are_apart(a: Any, b: Any, places: int) -> bool:
    """Whether two numbers differ after all: fifteen decimals show no difference between 1/2004! and 1/2006!."""
    if not (isinstance(a, sympy.Expr) and isinstance(b, sympy.Expr) and a.is_number and b.is_number):
        return False
    if a.has(sympy.Float) or b.has(sympy.Float):
        tolerance = max(RELATIVE_TOLERANCE, sympy.Float(10) ** -places)
    else:
        tolerance = RELATIVE_TOLERANCE
    x, y = sympy.N(a.doit(), DIGITS), sympy.N(b.doit(), DIGITS)
    if not (x.is_finite and y.is_finite) or x == 0 or y == 0:
        return False
    # `28\\%` counts as 28 and as 0.28.
    scales = (1, 100, sympy.Rational(1, 100)) if a.has(PER_CENT) or b.has(PER_CENT) else (1,)
    return all(abs(x * scale - y) > tolerance * max(abs(x * scale), abs(y)) for scale in scales)


def compare_texts(gold: str, pred: str, places: int, is_strict: bool) -> str:
    """Whether the answers found in two texts are equal; `places` is how many decimals count where one is written."""
    golds, preds = parse_text(gold), parse_text(pred)
    if not golds or not preds:
        return "unparsable"
    is_equal = any(match(a, b, places, is_strict) for a in golds for b in preds)
    return "equal" if is_equal else "different"


def parse_text(text: str) -> list[Any]:
    """What math-verify finds in a text: an expression and the string it came from, or the string alone."""
    found = parse(text, parsing_timeout=None)
    # A bare equation is misread as its last digit: a zero must be all there is.
    if (
        found
        and found[0] == 0
        and found[-1] == "0"
        and re.search(r"[a-zA-Z]\s*=|=\s*[a-zA-Z]", text)
        and "$" not in text
    ):
        return [text]
    return list(found)


def match(a: Any, b: Any, places: int, is_strict: bool) -> bool:
    """Equality of two findings: expressions by algebra, strings by themselves."""
    if isinstance(a, str) or isinstance(b, str):
        return isinstance(a, str) and isinstance(b, str) and bool(a.strip()) and a.strip() == b.strip()
    return are_equal(a, b, places, is_strict)
