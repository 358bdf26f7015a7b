# ruff: noqa: E501 - one phrasing a line, whatever its length
"""Speed, work, ages, ratios, mixtures, recipes, fractions of a whole."""

from __future__ import annotations

from fractions import Fraction

from training import words
from training.problem import Draft, family

S = "rates"


@family(S, weight=2)
def speed(d: Draft) -> None:
    """Distance, time or speed from the other two."""
    v, t = d.int(5, 120), d.int(2, 12)
    goal = d.rng.choice(["distance", "time", "speed"])
    d.cast(people="p")
    unit = d.rng.choice(
        [
            ("km", "kilometers", "km/h"),
            ("miles", "miles", "mph"),
            ("miles", "miles", "miles per hour"),
            ("km", "kilometers", "kilometers per hour"),
        ]
    )
    d.count(v=v, t=t, s=v * t)
    d.show(u=unit[0], uu=unit[1], vu=unit[2])
    who = "[a <vehicle>|{p}] [travels|drives|moves|goes|runs|~rolls]"
    if goal == "distance":
        d.ask(
            who
            + " [at|with a speed of] {v} {vu} for {t} hours. [how far does it go?|what distance is that?|how many {uu} is that?|find the distance.]",
            "[how far|what distance] [does|will] a <vehicle> [travel|go] in {t} hours at {v} {vu}?",
        )
        d.code("print({v} * {t})")
        d.answer(v * t)
        d.think("Distance is speed times time")
    elif goal == "time":
        d.ask(
            who
            + " [at|with a speed of] {v} {vu}. [how long does it take to [go|travel|cover] {s} {uu}?|how many hours for {s} {uu}?|find the time for {s} {uu}.]",
            "how [long|many hours] does a <vehicle> need for {s} {uu} at {v} {vu}?",
        )
        d.code("print({s} / {v})")
        d.answer(t)
        d.think("Time is distance over speed")
    else:
        d.ask(
            who
            + " {s} {uu} in {t} hours. [what is [the|its] [average |]speed?|how fast is that?|find the speed in {vu}.|how many {uu} per hour is that?]"
        )
        d.code("print({s} / {t})")
        d.answer(v)
        d.think("Speed is distance over time")


@family(S)
def two_vehicles(d: Draft) -> None:
    """Two travellers, opposite or same direction."""
    a, b, t = d.int(10, 90), d.int(10, 90), d.int(2, 9)
    away = d.rng.random() < 0.5
    meet = away and d.rng.random() < 0.5
    if a == b:
        a += 5
    d.let(a=a, b=b, t=t, s=(a + b) * t)
    if meet:
        d.ask(
            "two <vehicle>s are {s} [km|miles] apart and [move|drive|head|~race] toward each other at {a} and {b} [km/h|mph]. [after how many hours do they meet?|when do they meet, in hours?|how long until they meet?]"
        )
        d.code("print({s} / ({a} + {b}))")
        d.answer(t)
    else:
        way = "in opposite directions" if away else "in the same direction"
        d.ask(
            f"two <vehicle>s [start|leave|set off|~depart] from the same [place|city|point] {way} at {{a}} and {{b}} [km/h|mph]. [how far apart are they after {{t}} hours?|find their distance after {{t}} hours.|after {{t}} hours, what is the distance between them?]"
        )
        d.code("print(({a} + {b}) * {t})" if away else "print(abs({a} - {b}) * {t})")
        d.answer((a + b) * t if away else abs(a - b) * t)
    d.think("Opposite ways: add the speeds" if away else "Same way: subtract the speeds")


@family(S, weight=1.5)
def unit_rate(d: Draft) -> None:
    """If a take b, then c take how many."""
    k, a, c = d.int(2, 30), d.int(2, 12), d.int(2, 40)
    d.cast(people="p", things="oz")
    d.count(a=a, b=k * a, c=c)
    d.ask(
        "[if |]{a} {o} [cost|weigh] {b} [dollars|grams|euros], how [much|many] [do|would|will] {c} {o} [cost|weigh]?",
        "{p} [makes|packs|reads|types|~finishes] {b} {o} in {a} [hours|minutes|days]. how many {o} [in|does {p.he} do in] {c} [hours|minutes|days]?",
        "a [machine|printer|tap|factory] makes {b} {o} [in|every] {a} [minutes|hours]. how many does it make in {c} [minutes|hours]?",
        "{a} [boxes|bags|books] weigh {b} [kg|pounds]. how much do {c} [of them|such ones] weigh?",
    )
    d.think("Find the rate for one, then multiply")
    d.code("one = {b} / {a}\nprint(one * {c})")
    d.answer(k * c)


@family(S, weight=1.5)
def work_together(d: Draft) -> None:
    """Two workers or pipes at once."""
    a, b = d.ints(2, 2, 24)
    d.cast(people="pq")
    d.let(a=a, b=b)
    d.ask(
        "{p} [paints|cleans|finishes|builds] a [room|house|wall|job] in {a} [hours|days] and {q} in {b}. how long [does it take|do they need] together?",
        "[one pipe|the first pump|tap A] fills a [tank|pool] in {a} [hours|minutes], [another|the second|tap B] in {b}. [how long with both open?|in what time do both fill it?|how long do they take together?|~both at once: how long?]",
        "{p} does a job in {a} hours, {q} does it in {b} hours. working together, how [long|many hours] [do they need|does it take]?",
    )
    d.think("Add the rates and invert")
    d.code("from fractions import Fraction\nprint(1 / (Fraction(1, {a}) + Fraction(1, {b})))")
    d.answer(1 / (Fraction(1, a) + Fraction(1, b)))


@family(S)
def workers_days(d: Draft) -> None:
    """More workers, fewer days."""
    a, b, c = d.int(2, 12), d.int(2, 20), d.int(2, 12)
    d.let(a=a, b=b * c, c=c)
    d.ask(
        "{a} [workers|men|machines|painters|~robots] [finish|do|complete] a job in {b} days. [how many days [do|would] {c} [of them |]need?|how long would {c} of them take?|in how many days do {c} finish it?]",
        "if {a} [people|workers] need {b} [hours|days] for a job, how [long|many] would {c} need?",
    )
    d.think("The amount of work stays the same")
    d.code("print({a} * {b} / {c})")
    f = Fraction(a * b)
    d.answer(int(f))
    d.let(b=b * c)
    d.expected = str(a * b)


@family(S, weight=2)
def ages(d: Draft) -> None:
    """Ages now, in some years, or years ago."""
    a, k, n = d.int(4, 40), d.int(2, 20), d.int(2, 15)
    d.cast(people="pq")
    d.count(a=a, k=k, n=n)
    older, future = d.rng.random() < 0.5 or a <= k, d.rng.random() < 0.5
    if not older and a - k <= n:
        future = True
    rel = "{q} is {k} years [older|~senior] than {p}." if older else "{q} is {k} years younger than {p}."
    ask = (
        "[how old will {q} be in {n} years?|in {n} years, how old will {q} be?|what will be {q}'s age in {n} years?]"
        if future
        else "[how old was {q} {n} years ago?|what was {q}'s age {n} years ago?|{n} years ago, how old was {q}?]"
    )
    if older and not future and a + k <= n:
        future, ask = True, "[how old will {q} be in {n} years?|in {n} years, how old will {q} be?]"
    d.rng.random()  # keeps the random stream of the shipped training set
    d.story(["{p} is {a}[| years old][| now].", rel], ask)
    d.think("Find {q}'s age now, then move in time")
    now = a + k if older else a - k
    d.code(f"age = {{a}} {'+' if older else '-'} {{k}}\nprint(age {'+' if future else '-'} {{n}})")
    d.answer(now + n if future else now - n)


@family(S, weight=1.5)
def ages_equation(d: Draft) -> None:
    """k times as old now or then; solve with SymPy."""
    x, n, k = d.int(3, 30), d.int(2, 20), d.int(2, 4)
    d.cast(people="pq")
    d.let(k=k, n=n)
    kind = d.rng.choice(["sum", "difference", "later"])
    d.show(kt=words.times(d.rng, k))
    old = "[{p} is {kt} as old as {q}.|{p}'s age is {kt} {q}'s age.|~{q} is the younger and {p} is {kt} as old.]"
    if kind == "sum":
        d.let(s=(k + 1) * x)
        d.story(
            [old, "[the sum of their ages is {s}.|together they are {s} years old.|their ages add up to {s}.]"],
            "[how old is {q}?|find {q}'s age.|what is {q}'s age?]",
        )
        d.code("from sympy import symbols, solve\nx = symbols('x')\nprint(solve({k}*x + x - {s}, x)[0])")
    elif kind == "difference":
        d.let(s=(k - 1) * x)
        d.story(
            [old, "[{p} is {s} years older than {q}.|the difference of their ages is {s} years.]"],
            "[how old is {q}?|find {q}'s age.|what is {q}'s age?]",
        )
        d.code("from sympy import symbols, solve\nx = symbols('x')\nprint(solve({k}*x - x - {s}, x)[0])")
    else:
        now = k * (x + n) - n
        d.let(m=now - x)
        d.story(
            ["{p} is {m} years older than {q}.", "in {n} years {p} will be [{kt}|~just {kt}] as old as {q}[| then]."],
            "[how old is {q} now?|find {q}'s [present |]age.|what is {q}'s age now?]",
        )
        d.code("from sympy import symbols, solve\nx = symbols('x')\nprint(solve(x + {m} + {n} - {k}*(x + {n}), x)[0])")
    d.think("Let x be {q}'s age and solve the equation")
    d.answer(x)


@family(S, weight=1.5)
def ratio_split(d: Draft) -> None:
    """A total split in a ratio; one part or the difference."""
    a, b = d.ints(2, 1, 9)
    k = d.int(2, 40)
    big = max(a, b)
    goal = d.rng.choice(["first", "second", "larger"])
    d.cast(people="pq", things="o")
    d.let(a=a, b=b, t=(a + b) * k)
    who = {"first": "{p}", "second": "{q}", "larger": "the one with the larger share"}[goal]
    d.ask(
        "{p} and {q} [share|split|divide|~part] [${t}|{t} {o}] in the ratio [{a}:{b}|{a} to {b}|{a} : {b}]. [how much|how many] does "
        + who
        + " get?",
        "[divide|split|share] {t} [between {p} and {q} |]in the ratio {a}:{b}, {p} first. [what is the share of "
        + who
        + "?|what does "
        + who
        + " get?]",
        "the ratio of {p}'s {o} to {q}'s {o} is {a}:{b}. together they have {t}. how many does " + who + " have?",
    )
    part = {"first": "{a}", "second": "{b}", "larger": "max({a}, {b})"}[goal]
    d.think("One part is the total over the sum of the ratio")
    d.code(f"part = {{t}} / ({{a}} + {{b}})\nprint({part} * part)")
    d.answer({"first": a, "second": b, "larger": big}[goal] * k)


@family(S)
def mixture(d: Draft) -> None:
    """Concentration of a mixture."""
    a, b, p, q = d.int(1, 12) * 5, d.int(1, 12) * 5, d.int(1, 19) * 5, d.int(1, 19) * 5
    d.let(a=a, b=b, p=p, q=q)
    d.ask(
        "{a} [liters|ml|ounces] of a {p}% [salt|acid|sugar|alcohol|~brine] solution [is|are] mixed with {b} [liters|ml|ounces] of a {q}% solution. [what [percent|percentage|concentration] is the mixture?|what is the concentration in percent?|find the percentage in the mixture.]",
        "[mix|~blend] {a} liters of {p}% [acid|salt solution] with {b} liters of {q}%[| solution]. what is the concentration of the result in percent?",
    )
    d.think("Add the pure amounts and divide by the total volume")
    d.code("pure = {a} * {p} + {b} * {q}\nprint(round(pure / ({a} + {b}), 2))")
    d.answer(f"{round((a * p + b * q) / (a + b), 2)}".removesuffix(".0"))


@family(S)
def mixture_needed(d: Draft) -> None:
    """How much of a second solution is needed for a target."""
    a, p, q = d.int(1, 20) * 10, d.int(1, 8) * 5, d.int(13, 19) * 5
    r = d.int(p // 5 + 1, q // 5 - 1) * 5
    d.let(a=a, p=p, q=q, r=r)
    d.ask(
        "[how many|~what number of] [liters|ml] of [a |]{q}% [acid|salt|alcohol] solution must be [added to|mixed with] {a} [liters|ml] of [a |]{p}% solution to get [a |]{r}%[| solution]?",
        "you have {a} liters of a {p}% solution. how much of a {q}% solution [makes|gives] a {r}% mixture?",
    )
    d.think("Let x be the amount added; the pure amounts balance")
    d.code("from sympy import symbols, solve\nx = symbols('x')\nprint(solve({p}*{a} + {q}*x - {r}*({a} + x), x)[0])")
    d.answer(Fraction(a * (r - p), q - r))


@family(S, weight=2)
def fraction_of_whole(d: Draft) -> None:
    """A fraction of a group, or the rest of it."""
    v = d.int(2, 10)
    u = d.int(1, v - 1)
    n = v * d.int(2, 60)
    rest = d.rng.random() < 0.5
    d.cast(people="p", things="o")
    d.count(n=n)
    name = {(1, 2): "half", (1, 3): "a third", (2, 3): "two thirds", (1, 4): "a quarter", (3, 4): "three quarters"}.get(
        (u, v), f"{u}/{v}"
    )
    d.let(u=u, v=v)
    d.show(f=name if d.rng.random() < 0.6 else f"{u}/{v}")
    d.story(
        [
            "[{p} has {n} {o}.|there are {n} [{o}|<group>] <place>.|a [class|box|team|~crew] has {n} [{o}|members].]",
            "[{f} of them are [red|new|girls|old|broken].|{p} [gives away|sells|eats|uses] {f} of [them|the {o}].]",
        ],
        "[how many are [left|not]?|how many of the others are there?|how many remain?|find the number of the rest.]"
        if rest
        else "[how many is that?|how many [are they|of them is that]?|find that number.|how many were these?]",
    )
    d.think("Take the fraction and subtract it" if rest else "Multiply by the fraction")
    d.code("part = {n} * {u} / {v}\nprint({n} - part)" if rest else "print({n} * {u} / {v})")
    d.answer(n - n * u // v if rest else n * u // v)


@family(S, weight=1.5)
def percent_of_group(d: Draft) -> None:
    """A percentage of a group, or the rest."""
    p, n = d.int(1, 19) * 5, d.int(1, 40) * 20
    rest = d.rng.random() < 0.5
    d.cast(people="q", things="o")
    d.count(n=n)
    d.let(p=p)
    d.story(
        [
            "[there are {n} [<group>|{o}] <place>.|a school has {n} [students|children].|{q} [has|sold|made|~stores] {n} {o}.]",
            "[{p}% of them are [girls|red|new|adults].|{p} percent [are|were] [sold|broken|green].|{p}% of these are [small|ripe].]",
        ],
        "[how many are not?|how many [are|is] the rest?|how many are left?|find the number of the others.]"
        if rest
        else "[how many is that?|how many [are they|of them is that]?|find that number.]",
    )
    d.think("Take the rest, {p} percent is gone" if rest else "Take {p} percent of the whole")
    d.code("print({n} * (100 - {p}) / 100)" if rest else "print({n} * {p} / 100)")
    d.answer(n * (100 - p) // 100 if rest else n * p // 100)


@family(S)
def recipe(d: Draft) -> None:
    """Scale a recipe."""
    a, k, c = d.int(2, 8), d.int(2, 8), d.int(2, 9)
    d.cast(people="p", things="o")
    d.count(a=a, b=a * k, c=c)
    d.show(cup=d.rng.choice(["cup", "spoon", "ounce"]))
    d.ask(
        "a recipe [for|that makes] {b} [cookies|muffins|{o}|pancakes] needs {c} {cup}s of [flour|sugar|~cocoa|milk]. how many {cup}s for {e} [of them|such]?",
        "{p} [uses|needs] {c} {cup}s of [flour|sugar|~cocoa] for {b} {o}. how many {cup}s for {e}[| {o}]?",
    )
    m = d.int(2, 9)
    d.let(e=a * k * m)
    d.question = d.question.replace("{e}", str(a * k * m))
    d.think("Scale by the number of batches")
    d.code("print({c} * {e} / {b})")
    d.answer(c * m)


@family(S)
def convert_units(d: Draft) -> None:
    """Multiply or divide by a unit's size."""
    _, many, k, small = d.rng.choice([
        ("hour", "hours", 60, "minutes"), ("minute", "minutes", 60, "seconds"), ("day", "days", 24, "hours"),
        ("week", "weeks", 7, "days"), ("kilometer", "kilometers", 1000, "meters"), ("meter", "meters", 100, "centimeters"),
        ("kilogram", "kilograms", 1000, "grams"), ("foot", "feet", 12, "inches"), ("yard", "yards", 3, "feet"),
        ("dozen", "dozen", 12, "eggs"), ("dollar", "dollars", 100, "cents"), ("year", "years", 12, "months"), ("liter", "liters", 1000, "milliliters"),
        ("pound", "pounds", 16, "ounces"), ("gallon", "gallons", 4, "quarts"),
    ])  # fmt: skip
    n = d.int(2, 90)
    back = d.rng.random() < 0.4
    d.let(n=n, k=k, t=n * k)
    d.show(many=many, small=small)
    if back:
        d.ask(
            "how many {many} [are|is|make] {t} {small}?",
            "[convert|change|~turn] {t} {small} [to|into] {many}.",
            "[express|write|give] {t} {small} in {many}.",
        )
        d.code("print({t} / {k})")
    else:
        d.ask(
            "how many {small} [are in|are there in|make] {n} {many}?",
            "[convert|change|~turn] {n} {many} [to|into] {small}.",
            "[express|write|give] {n} {many} in {small}.",
        )
        d.code("print({n} * {k})")
    d.think("One of the {many} is {k} {small}")
    d.answer(n if back else n * k)


@family(S, weight=1.5)
def consumption(d: Draft) -> None:
    """A tank or store filled and emptied at rates."""
    v, r, t = d.int(100, 900), d.int(2, 9), d.int(2, 9)
    fill = d.rng.random() < 0.5
    unit = d.rng.choice(["minute", "hour", "day"])
    d.let(v=v, r=r, t=t, unit=unit)
    d.ask(
        "a [tank|pool|barrel|~cistern] [holds|has|contains] {v} [liters|gallons] of [water|oil|milk]. "
        + ("{r} [liters|gallons] [flow in|are added]" if fill else "{r} [liters|gallons] [flow out|leak out|are used]")
        + " [every|each|per] {unit}. [how much is in it after {t} {unit}s?|what does it hold after {t} {unit}s?|find the amount after {t} {unit}s.]"
    )
    d.think("Rate times time, then " + ("add" if fill else "subtract"))
    d.code(f"print({{v}} {'+' if fill else '-'} {{r}} * {{t}})")
    d.answer(v + r * t if fill else v - r * t)
