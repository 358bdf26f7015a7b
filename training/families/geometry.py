# ruff: noqa: E501 - one phrasing a line, whatever its length
"""Lengths, areas, volumes, angles and coordinates."""

from __future__ import annotations

import math
from fractions import Fraction

from training.problem import Draft, family

S = "geometry"
TRIPLES = [(3, 4, 5), (5, 12, 13), (8, 15, 17), (7, 24, 25), (20, 21, 29), (9, 40, 41), (12, 35, 37)]
UNIT = "[| cm| m| feet| meters| inches| units]"


@family(S, weight=2)
def rectangle(d: Draft) -> None:
    """Area, perimeter, or a side from them."""
    a, b = d.int(2, 60), d.int(2, 40)
    goal = d.rng.choice(["area", "perimeter", "side area", "side perimeter"])
    d.let(a=a, b=b, p=2 * (a + b), q=a * b)
    what = "[a rectangle|a rectangular [garden|field|room|table]|~a rectangular plot]"
    sides = f"[is {{a}} by {{b}}{UNIT}|has length {{a}} and width {{b}}|measures {{a}} x {{b}}|has sides {{a}} and {{b}}|is {{a}} long and {{b}} wide]"
    if goal == "area":
        d.ask(
            f"{what} {sides}. [what is its area?|find its area.|what is the area?]",
            f"<find> the area of {what} with [sides|length and width] {{a}} and {{b}}<end>",
        )
        d.code("print({a} * {b})")
        d.answer(a * b)
        d.think("Area is length times width")
    elif goal == "perimeter":
        d.ask(
            f"{what} {sides}. [what is its perimeter?|find its perimeter.|how much fence goes around it?|how long is its border?]",
            f"<find> the perimeter of {what} with [sides|length and width] {{a}} and {{b}}<end>",
        )
        d.code("print(2 * ({a} + {b}))")
        d.answer(2 * (a + b))
        d.think("Perimeter is twice the sum of the sides")
    elif goal == "side area":
        d.ask(
            f"{what} has area {{q}} and [one side|length|one side of length] {{a}}. [what is the other side?|find the [width|other side].|how long is the other side?]"
        )
        d.code("print({q} / {a})")
        d.answer(b)
        d.think("Divide the area by the side")
    else:
        d.ask(
            f"{what} has perimeter {{p}} and [one side|length|one side of length] {{a}}. [what is the other side?|find the [width|other side].|how long is the other side?]"
        )
        d.code("print({p} / 2 - {a})")
        d.answer(b)
        d.think("Half the perimeter minus the side")


@family(S, weight=1.5)
def square_shape(d: Draft) -> None:
    """A square: area, perimeter, side, or diagonal."""
    a = d.int(2, 60)
    goal = d.rng.choice(["area", "perimeter", "side from area", "side from perimeter"])
    d.let(a=a, q=a * a, p=4 * a)
    if goal in ("area", "perimeter"):
        d.ask(
            f"<find> the {goal} of a square with side [length |]{{a}}<end>",
            f"a [square|square [garden|tile]|~square field] has side {{a}}. [what is|find] its {goal}<end>",
            f"[each|every] side of a square is {{a}}{UNIT}. [what is|find] the {goal}<end>",
        )
        d.code("print({a} ** 2)" if goal == "area" else "print(4 * {a})")
        d.answer(a * a if goal == "area" else 4 * a)
    else:
        src = goal.split()[-1]
        slot = "{q}" if src == "area" else "{p}"
        d.ask(
            f"a square has [{src}|~the {src}] {slot}. [how long is its side?|find its side.|what is the side length?]",
            f"<find> the side of a square with {src} {slot}<end>",
            f"what is the side of a square whose {src} is {slot}?",
        )
        d.code("import math\nprint(math.isqrt({q}))" if src == "area" else "print({p} / 4)")
        d.answer(a)
    d.think("Use the formula for a square")


@family(S, weight=1.5)
def triangle_area(d: Draft) -> None:
    """From base and height, three sides or vertices."""
    kind = d.rng.choice(["height", "heron", "vertices"])
    if kind == "height":
        b, h = d.int(2, 60), d.int(2, 40)
        d.let(b=b, h=h)
        d.ask(
            "<find> the area of a triangle with base {b} and height {h}<end>",
            "a triangle has [a |]base [of |]{b} and [a |]height [of |]{h}. [what is its area?|find its area.|~give its area.]",
            "[what is|find] the area of a right triangle with legs {b} and {h}<end>",
        )
        d.code("print({b} * {h} / 2)")
        value = Fraction(b * h, 2)
        d.answer(value if value.denominator == 1 else float(value))
    elif kind == "heron":
        a, b = d.int(4, 20), d.int(4, 20)
        c = d.int(abs(a - b) + 1, a + b - 1)
        if d.rng.random() < 0.5:
            k = d.int(1, 4)
            a, b, c = (
                k * t
                for t in d.rng.choice([(13, 14, 15), (3, 4, 5), (5, 5, 6), (10, 13, 13), (5, 12, 13), (9, 10, 17)])
            )
        d.let(a=a, b=b, c=c)
        d.ask(
            "<find> the area of a triangle with sides {a}, {b} and {c}<end>",
            "a triangle has sides [of length |]{a}, {b}, {c}. [what is its area?|find its area.|~give its area.]",
        )
        d.code(
            "from sympy import sqrt, Rational, latex\ns = Rational({a} + {b} + {c}, 2)\nprint(latex(sqrt(s * (s - {a}) * (s - {b}) * (s - {c}))))"
        )
    else:
        p = [d.int(-9, 9) for _ in range(6)]
        if (p[2] - p[0]) * (p[5] - p[1]) == (p[4] - p[0]) * (p[3] - p[1]):
            p[5] += 1
            p[4] += 2
        d.let(**dict(zip("abcefg", p, strict=True)))
        d.ask(
            "<find> the area of the triangle with vertices ({a}, {b}), ({c}, {e}) and ({f}, {g})<end>",
            "what is the area of [a|the] triangle [with corners|~spanned by] ({a},{b}), ({c},{e}), ({f},{g})?",
        )
        d.code(
            "x1, y1, x2, y2, x3, y3 = {a}, {b}, {c}, {e}, {f}, {g}\nprint(abs((x2 - x1) * (y3 - y1) - (x3 - x1) * (y2 - y1)) / 2)"
        )
        value = Fraction(abs((p[2] - p[0]) * (p[5] - p[1]) - (p[4] - p[0]) * (p[3] - p[1])), 2)
        d.answer(value if value.denominator == 1 else float(value))
    d.think(
        {
            "height": "Half of base times height",
            "heron": "Heron's formula",
            "vertices": "Half the cross product of two sides",
        }[kind]
    )


@family(S, weight=1.5)
def circle(d: Draft) -> None:
    """Area or circumference, exact with pi."""
    r = d.int(1, 40)
    area, diameter = d.rng.random() < 0.5, d.rng.random() < 0.3
    d.let(r=r, dd=2 * r)
    size = "diameter {dd}" if diameter else "radius {r}"
    what = "area" if area else "[circumference|perimeter]"
    d.ask(
        f"<find> the {what} of a circle [with|of] {size}<end>",
        f"a [circle|round table|circular pond|~disc] has {size}. [what is|find] its [exact |]{what}<end>",
        f"the {size.split()[0]} of a circle is {size.split()[1]}. [what is|find] its {what}<end>",
    )
    d.think("The area is pi r^2" if area else "The circumference is 2 pi r")
    radius = "{dd} / 2" if diameter else "{r}"
    d.code(
        "from sympy import pi, Integer, latex\nr = "
        + ("Integer({dd}) / 2" if diameter else "{r}")
        + "\n"
        + ("print(latex(pi * r**2))" if area else "print(latex(2 * pi * r))")
        if diameter
        else "from sympy import pi, latex\n"
        + (f"print(latex(pi * {radius}**2))" if area else f"print(latex(2 * pi * {radius}))")
    )
    k = r * r if area else 2 * r
    d.answer("\\pi" if k == 1 else f"{k} \\pi")


@family(S, weight=1.5)
def pythagoras(d: Draft) -> None:
    """The third side of a right triangle."""
    a, b, c = d.rng.choice(TRIPLES)
    k = d.int(1, 6)
    a, b, c = a * k, b * k, c * k
    if d.rng.random() < 0.25:
        a, b = d.int(1, 12), d.int(1, 12)
        c = 0
    leg = c > 0 and d.rng.random() < 0.4
    d.let(a=a, b=b, c=c)
    if leg:
        d.ask(
            "a right triangle has hypotenuse {c} and one leg {a}. [find the other leg.|how long is the other leg?|what is the other leg?]",
            "a ladder {c} feet long leans on a wall with its foot {a} feet away. how high does it reach?",
            "[what is|find|~give] the [missing|other] leg of a right triangle with leg {a} and hypotenuse {c}<end>",
        )
        d.code("from sympy import sqrt, latex\nprint(latex(sqrt({c}**2 - {a}**2)))")
        d.answer(b)
    else:
        d.ask(
            "a right triangle has legs {a} and {b}. [find the hypotenuse.|how long is the hypotenuse?|what is the length of the hypotenuse?]",
            "[what is|find|~give] the hypotenuse of a right triangle with legs {a} and {b}<end>",
            "how long is the diagonal of a rectangle with sides {a} and {b}?",
            "[somebody walks|a ship sails] {a} km north and {b} km east. how far from the start is [the end|that]?",
        )
        d.code("from sympy import sqrt, latex\nprint(latex(sqrt({a}**2 + {b}**2)))")
        if c:
            d.answer(c)
    d.think("Use the theorem of Pythagoras")


@family(S, weight=1.5)
def two_points(d: Draft) -> None:
    """Distance, midpoint or slope."""
    a, b, c, e = (d.int(-12, 12) for _ in range(4))
    if a == c:
        c += 3
    goal = d.rng.choice(["distance", "midpoint", "slope"])
    d.let(a=a, b=b, c=c, e=e)
    pts = (
        "[({a}, {b}) and ({c}, {e})|({a},{b}) and ({c},{e})|$({a}, {b})$ and $({c}, {e})$|A({a}, {b}) and B({c}, {e})]"
    )
    if goal == "distance":
        d.ask(
            f"<find> the distance between [the points |]{pts}<end>",
            f"how far [apart are|~from each other are] {pts}?",
            f"[what is|find] the length of the segment [between|joining] {pts}<end>",
        )
        d.code("from sympy import sqrt, latex\nprint(latex(sqrt(({c} - ({a}))**2 + ({e} - ({b}))**2)))")
    elif goal == "midpoint":
        d.ask(
            f"<find> the midpoint of [the segment between |]{pts}<end>",
            f"[which|~name the] point [is|lies] halfway between {pts}?",
            f"[what is|find] the midpoint between {pts}<end>",
        )
        d.code("from fractions import Fraction\nprint(f'({Fraction({a} + {c}, 2)}, {Fraction({b} + {e}, 2)})')")
        d.answer(f"({Fraction(a + c, 2)}, {Fraction(b + e, 2)})")
    else:
        d.ask(
            f"<find> the slope of the line through {pts}<end>",
            f"[what is|find|~give] the [slope|gradient] of the line [joining|through|passing through] {pts}<end>",
            f"a line passes through {pts}. [what is its slope?|find its slope.]",
        )
        d.code("from fractions import Fraction\nprint(Fraction({e} - ({b}), {c} - ({a})))")
        d.answer(Fraction(e - b, c - a))
    d.think(
        {
            "distance": "Use the distance formula",
            "midpoint": "Average the coordinates",
            "slope": "Difference in y over difference in x",
        }[goal]
    )


@family(S, weight=2)
def solids(d: Draft) -> None:
    """Volume or surface of box, cube, cylinder, sphere, cone."""
    a, b, c = d.int(1, 20), d.int(2, 20), d.int(2, 20)
    kind = d.rng.choice(["box", "cube", "cylinder", "sphere", "cone", "box surface", "cube surface"])
    d.let(a=a, b=b, c=c)
    head = "from sympy import pi, Rational, latex\n"
    table: dict[str, tuple[str, str, str, str, object]] = {
        "box": (
            "volume",
            "a [box|rectangular box|cuboid|~crate] [with sides|measuring|of size]",
            "{a}, {b} and {c}",
            "print({a} * {b} * {c})",
            a * b * c,
        ),
        "cube": ("volume", "a cube [with|of] [side|edge]", "{a}", "print({a} ** 3)", a**3),
        "cylinder": (
            "volume",
            "a [cylinder|~tin can] with radius and height",
            "{a} and {b}",
            head + "print(latex(pi * {a}**2 * {b}))",
            f"{a * a * b} \\pi",
        ),
        "sphere": (
            "volume",
            "a [sphere|ball] [with|of] radius",
            "{a}",
            head + "print(latex(Rational(4, 3) * pi * {a}**3))",
            None,
        ),
        "cone": (
            "volume",
            "a cone with radius and height",
            "{a} and {b}",
            head + "print(latex(Rational(1, 3) * pi * {a}**2 * {b}))",
            None,
        ),
        "box surface": (
            "surface area",
            "a [box|rectangular box|cuboid|~crate] with sides",
            "{a}, {b} and {c}",
            "print(2 * ({a} * {b} + {b} * {c} + {a} * {c}))",
            2 * (a * b + b * c + a * c),
        ),
        "cube surface": ("surface area", "a cube [with|of] [side|edge]", "{a}", "print(6 * {a} ** 2)", 6 * a * a),
    }
    what, solid, sizes, code, value = table[kind]
    d.ask(
        f"<find> the {what} of {solid} {sizes}<end>",
        f"[take|consider|~look at] {solid} {sizes}. [what is its {what}?|find its {what}.]",
        f"[how large is|give] the {what} of {solid} {sizes}<end>",
    )
    d.think(f"Use the formula for the {what}")
    d.code(code)
    if value is not None:
        d.answer(value)


@family(S, weight=1.5)
def angles(d: Draft) -> None:
    """Angles in triangles and polygons, complements and supplements."""
    a, b, n = d.int(10, 85), d.int(10, 85), d.int(3, 20)
    kind = d.rng.choice(["triangle", "polygon sum", "regular", "complement", "supplement", "quadrilateral"])
    d.let(a=a, b=b, n=n)
    if kind == "triangle":
        d.ask(
            "two angles of a triangle are {a} and {b}[| degrees|°]. [what is|find|~give] the third[| angle]<end>",
            "a triangle has angles of {a}° and {b}°. [what is|find] the third angle<end>",
        )
        d.code("print(180 - {a} - {b})")
        d.answer(180 - a - b)
    elif kind == "polygon sum":
        d.ask(
            "<find> the sum of the [interior |]angles of a polygon with {n} sides<end>",
            "[what do|~to what do] the interior angles of [an {n}-gon|a polygon with {n} sides] add up to?",
        )
        d.code("print(({n} - 2) * 180)")
        d.answer((n - 2) * 180)
    elif kind == "regular":
        n = d.rng.choice([3, 4, 5, 6, 8, 9, 10, 12, 15, 18, 20])
        d.let(n=n)
        d.ask(
            "<find> [each|the] interior angle of a regular polygon with {n} sides<end>",
            "[what is|~give] the interior angle of a regular {n}-gon[| in degrees]?",
        )
        d.code("print(({n} - 2) * 180 / {n})")
        d.answer((n - 2) * 180 // n)
    elif kind == "quadrilateral":
        c = d.int(40, 120)
        d.let(c=c)
        d.ask(
            "three angles of a quadrilateral are {a}, {b} and {c}[| degrees]. [what is|find|~give] the fourth[| angle]<end>"
        )
        d.code("print(360 - {a} - {b} - {c})")
        d.answer(360 - a - b - c)
    else:
        whole = 90 if kind == "complement" else 180
        d.show(k=kind)
        d.let(w=whole)
        d.ask(
            "<find> the {k} of [an angle of |]{a} degrees<end>",
            "an angle [is|measures|~has] {a}°. [what is|find] its {k}<end>",
        )
        d.code("print({w} - {a})")
        d.answer(whole - a)
    d.think(
        {
            "triangle": "The angles add up to 180 degrees",
            "quadrilateral": "The angles add up to 360 degrees",
            "polygon sum": "The sum is (n - 2) times 180",
            "regular": "The sum of the angles over n",
            "complement": "Complements add up to 90",
            "supplement": "Supplements add up to 180",
        }[kind]
    )


@family(S)
def trapezoid(d: Draft) -> None:
    """Area of a trapezoid, parallelogram or rhombus."""
    a, b, h = d.int(2, 30), d.int(2, 30), d.int(1, 15) * 2
    kind = d.rng.choice(["trapezoid", "parallelogram", "rhombus"])
    d.let(a=a, b=b, h=h)
    if kind == "trapezoid":
        d.ask(
            "<find> the area of a [trapezoid|trapezium] with [bases|parallel sides] {a} and {b} and height {h}<end>",
            "a trapezoid has [bases|~parallel edges] {a} and {b} and height {h}. [what is|find] its area<end>",
        )
        d.code("print(({a} + {b}) * {h} / 2)")
        d.answer((a + b) * h // 2)
        d.think("Mean of the bases times the height")
    elif kind == "parallelogram":
        d.ask(
            "<find> the area of a parallelogram with base {a} and height {h}<end>",
            "a parallelogram has base {a} and height {h}. [what is|find|~give] its area<end>",
        )
        d.code("print({a} * {h})")
        d.answer(a * h)
        d.think("Base times height")
    else:
        d.ask(
            "<find> the area of a [rhombus|kite] with diagonals {a} and {h}<end>",
            "a rhombus has diagonals {a} and {h}. [what is|find|~give] its area<end>",
        )
        d.code("print({a} * {h} / 2)")
        d.answer(a * h // 2)
        d.think("Half the product of the diagonals")


@family(S)
def similar(d: Draft) -> None:
    """Shadows and scales."""
    a, k, b = d.int(2, 12), d.int(2, 12), d.int(2, 30)
    d.let(a=a, s=a * k, b=b, t=b * k)
    d.ask(
        "a [pole|tree|person|~mast] {a} feet [high|tall] casts a shadow of {s} feet. how [high|tall] is a [tower|building|house] with a shadow of {t} feet?",
        "two similar triangles have sides {a} and {s}. a side of {b} in the first [is how long in the second|corresponds to what in the second]?"
        if d.rng.random() < 0.5
        else "on a map, {a} cm stand for {s} km. how many km are {b} cm?",
    )
    if "shadow" in d.question:
        d.code("print({a} * {t} / {s})")
        d.answer(b)
    else:
        d.code("print({b} * {s} / {a})")
        d.answer(b * k)
    d.think("Similar figures: equal ratios")


@family(S, reserved=True)
def sector(d: Draft) -> None:
    """Area of a circular sector."""
    r, w = d.int(2, 20), d.rng.choice([30, 45, 60, 90, 120, 180])
    d.let(r=r, w=w)
    d.ask(
        "<find> the area of a sector of {w} degrees in a circle [of|with] radius {r}<end>",
        "a circle has radius {r}. [what is|find|~give] the area of a sector with angle {w} degrees<end>",
    )
    d.think("The fraction of the circle")
    d.code("from sympy import pi, Rational, latex\nprint(latex(pi * {r}**2 * Rational({w}, 360)))")


@family(S, reserved=True)
def cube_diagonal(d: Draft) -> None:
    """Space diagonal of a box."""
    a, b, c = d.rng.choice([(1, 2, 2), (2, 3, 6), (1, 4, 8), (4, 4, 7), (2, 6, 9), (6, 6, 7)])
    k = d.int(1, 5)
    d.let(a=a * k, b=b * k, c=c * k)
    d.ask(
        "how long is the [space |]diagonal of a box with sides {a}, {b} and {c}?",
        "<find> the diagonal of a [box|~cuboid] with sides {a}, {b} and {c}<end>",
    )
    d.think("Pythagoras in space")
    d.code("from sympy import sqrt, latex\nprint(latex(sqrt({a}**2 + {b}**2 + {c}**2)))")
    d.answer(math.isqrt((a * a + b * b + c * c) * k * k))
