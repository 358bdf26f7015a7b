# ruff: noqa: E501 - one phrasing a line, whatever its length
"""Scenes with more numbers than needed, in which the question alone decides; legs, averages and parts of a whole."""

from __future__ import annotations

from training.families.composed import S, slot, write
from training.families.telling import Goal, company, kinds, tell
from training.problem import Draft, family

LOSING = (
    ("foods", "ate", "eat"), ("foods", "sold", "sell"), ("foods", "served", "serve"), ("foods", "packed", "pack"),
    ("collectibles", "lost", "lose"), ("collectibles", "traded", "trade"), ("collectibles", "mailed", "mail"),
    ("supplies", "used", "use"), ("supplies", "returned", "return"), ("supplies", "shared", "share"),
    ("plants", "sold", "sell"), ("plants", "cut down", "cut down"), ("goods", "sold", "sell"), ("goods", "broke", "break"),
    ("clothes", "lent", "lend"), ("clothes", "donated", "donate"),
)  # fmt: skip
GAINING = (
    ("foods", "made", "make"), ("foods", "bought", "buy"), ("collectibles", "found", "find"), ("plants", "grew", "grow"),
    ("collectibles", "won", "win"), ("supplies", "ordered", "order"), ("goods", "bought", "buy"), ("clothes", "got", "get"),
    ("clothes", "sewed", "sew"), ("goods", "received", "receive"),
)  # fmt: skip


@family(S, weight=8)
def asked_changes(d: Draft) -> None:
    """Two kinds of things, both changed; one step with two of four numbers answers the question."""
    is_loss = d.rng.random() < 0.6
    kind, past, base = d.rng.choice(LOSING if is_loss else GAINING)
    company(d)
    kinds(d, kind, "oz")
    top = d.rng.choice([20, 60, 99])
    c, e = d.ints(2, 2, top)
    rest_o, rest_z = d.ints(2, 2, top)
    a, b = (c + rest_o, e + rest_z) if is_loss else (rest_o, rest_z)
    d.show(v=past, w=base)
    after_o, after_z = (rest_o, rest_z) if is_loss else (a + c, b + e)
    d.count(a=a, b=b, c=c, e=e, f=after_o, g=after_z)
    sign, back = ("-", "+") if is_loss else ("+", "-")
    (high, low), (x, y) = (("{o}", "{z}"), ("{c}", "{e}")) if c > e else (("{z}", "{o}"), ("{e}", "{c}"))
    changed = "[{p} {v} {c} {o} and {e} {z}|{p} {v} {e} {z} and {c} {o}|~{c} {o} and {e} {z} were what {p} {v}]"
    both = [
        Goal(
            f"how many more {high} than {low} did {{p}} {{w}}",
            "Only the change counts: compare",
            f"{x} - {y}",
            abs(c - e),
        ),
        Goal(
            "how many [{o} and {z}|things] did {p} {w} [in all|altogether|~in sum]",
            "Only the change counts: add",
            "{c} + {e}",
            c + e,
        ),
    ]
    if d.rng.random() < 0.4:
        facts = [
            changed,
            "[now|after that|then] {p} had {f} {o} and {g} {z}[| left]"
            if is_loss
            else "[now|after that|then] {p} had {f} {o} and {g} {z}",
        ]
        tell(d, facts, [
            Goal("how many {o} did {p} have [before|at first|in the beginning|~originally]", "Undo the change of the {o}", f"{{f}} {back} {{c}}", a),
            Goal("how many {z} did {p} have [before|at first|to start with|~originally]", "Undo the change of the {z}", f"{{g}} {back} {{e}}", b),
            Goal("how many {o} and {z} does {p} have now", "Add the two that are there now", "{f} + {g}", after_o + after_z),
            *both,
        ], aside=0.25)  # fmt: skip
        return
    (big, small), (m, n) = (("{o}", "{z}"), ("{a}", "{b}")) if a > b else (("{z}", "{o}"), ("{b}", "{a}"))
    tell(d, ["{p} [had|owned] [{a} {o} and {b} {z}|{b} {z} and {a} {o}]", changed], [
        Goal("how many {o} [does {p} have now|are there now|does {p} end up with]", "Only the {o} count", f"{{a}} {sign} {{c}}", after_o),
        Goal("how many {z} [does {p} have now|are there now|does {p} end up with]", "Only the {z} count", f"{{b}} {sign} {{e}}", after_z),
        Goal(f"how many more {big} than {small} did {{p}} have at first", "Compare the first two numbers", f"{m} - {n}", abs(a - b)),
        Goal("how many {o} and {z} did {p} have [at first|in the beginning]", "Add the first two numbers", "{a} + {b}", a + b),
        *both,
    ], aside=0.25)  # fmt: skip


VESSELS = ("boxes", "bags", "baskets", "jars", "crates", "shelves", "trays", "cartons", "drawers", "buckets", "packs")


@family(S, weight=8)
def asked_groups(d: Draft) -> None:
    """Equal groups among other numbers: multiply, divide either way, compare or add as the question says."""
    groups, each = d.ints(2, 2, d.rng.choice([12, 25]))
    others, more = d.ints(2, 2, 60)
    company(d)
    kinds(d, d.rng.choice(["foods", "collectibles", "supplies", "goods", "clothes"]), "oz")
    first, second = d.rng.sample(VESSELS, 2)
    single = {"shelves": "shelf", "boxes": "box"}.get(first, first[:-1])
    d.show(g=first, s=single, h=second)
    d.count(k=groups, n=each, t=groups * each, y=more)
    # A price keeps its digits.
    d.let(x=others)
    extra = d.say(
        "[{p} also has {x} {z}|there are {x} {h} as well|{q} has {x} {z} in {y} {h}|{y} people came to see them|one {s} costs ${x}|~{x} {h} stood empty]"
    )
    case = d.rng.choice(["total", "each", "groups"])
    if case == "total":
        facts = [
            "[{p} has {k} {g} with {n} {o} in each|there are {k} {g}, each with {n} {o}|{p} put {n} {o} into each of {k} {g}|each {s} holds {n} {o} and {p} filled {k} {g}|~every one of {k} {g} holds {n} {o}]"
        ]
        goals = [
            Goal("how many {o} [are there|are in the {g}|does that make] [in all|altogether|]", "Equal groups: multiply", "{k} * {n}", groups * each),
            Goal("how many {o} are in [half|one half] of the {g}", "Half of the groups", "{k} // 2 * {n}", groups // 2 * each) if groups % 2 == 0
            else Goal("how many {o} are in all but one of the {g}", "One group less", "({k} - 1) * {n}", (groups - 1) * each),
            Goal("how many {o} would there be with one {s} more", "One group more", "({k} + 1) * {n}", (groups + 1) * each),
        ]  # fmt: skip
    elif case == "each":
        facts = [
            "[{p} put {t} {o} equally into {k} {g}|{t} {o} are in {k} {g}, the same number in each|{p} has {t} {o} in {k} equal {g}|~{k} {g} hold {t} {o}, all of them alike]"
        ]
        goals = [
            Goal("how many {o} [are in each {s}|does each {s} hold|are there per {s}]", "Share equally: divide", "{t} // {k}", each),
            Goal("how many {o} are in two [of the |]{g}", "Find one group, then take two", "one = {t} // {k}; 2 * one", 2 * each),
            Goal("how many {o} are left when one {s} is [taken away|sold]", "Take one group away", "{t} - {t} // {k}", (groups - 1) * each),
        ]  # fmt: skip
    else:
        facts = [
            "[{p} has {t} {o}, and {n} fit in each {s}|{p} packs {t} {o} with {n} in each {s}|a {s} holds {n} {o}, and there are {t} {o}|~{n} {o} go into a {s}, and {p} has {t}]"
        ]
        goals = [
            Goal("how many {g} [are needed|does {p} need|can {p} fill|are there]", "How many times does it fit: divide", "{t} // {n}", groups),
            Goal("how many {o} are not yet packed after one {s} is full", "Take one group away", "{t} - {n}", (groups - 1) * each),
            Goal("how many {g} are needed for twice as many {o}", "Double, then divide", "2 * {t} // {n}", 2 * groups),
        ]  # fmt: skip
    facts.insert(d.int(0, 1), extra)
    tell(d, facts, goals, aside=0)


RATES = (
    ("walked", "at [a speed of |]@ miles per hour", "miles"), ("drove", "at @ kilometers per hour", "kilometers"),
    ("rode", "at @ miles an hour", "miles"), ("picked apples", "at @ apples an hour", "apples"),
    ("typed", "at @ pages an hour", "pages"), ("read", "at @ pages per hour", "pages"),
    ("worked", "for $@ an hour", "dollars"), ("packed parcels", "at a rate of @ parcels an hour", "parcels"),
    ("ran", "covering @ kilometers every hour", "kilometers"), ("painted", "doing @ tiles an hour", "tiles"),
)  # fmt: skip


@family(S, weight=6)
def legs_summed(d: Draft) -> None:
    """One to four legs of rate times time: all of it, all but one leg, the hours, or the difference of two legs."""
    count = d.int(1, 4)
    d.cast(people="p")
    verb, worded, unit = d.rng.choice(RATES)
    rates, hours = d.ints(count, 3, 65), [d.int(2, 9) for _ in range(count)]
    d.show(unit=unit)
    facts, codes, times = [], [], []
    for at, (rate, time) in enumerate(zip(rates, hours, strict=True)):
        r, t = slot(d, rate, is_spoken=False), slot(d, time)
        lead = "{p}" if at == 0 else d.say("[then {p.he}|after that {p.he}|then {p}|<later> {p.he}]")
        speed = d.say(f"[{worded}]").replace("@", r)
        is_time_first = d.rng.random() < 0.6
        facts.append(
            f"{lead} {verb} for {t} hours {speed}" if is_time_first else f"{lead} {verb} {speed} for {t} hours"
        )
        codes.append(f"{t} * {r}" if is_time_first else f"{r} * {t}")
        times.append(t)
    amounts = [rate * time for rate, time in zip(rates, hours, strict=True)]
    goal = d.rng.choice(["sum", "sum", "hours", "compare", "skip"]) if count > 1 else "sum"
    if goal == "compare" and amounts[0] == amounts[1]:
        goal = "sum"
    if goal == "hours":
        ask, think, parts, answer = (
            "[how many hours is that in all|how many hours did {p} spend on it|for how many hours was {p} busy]",
            "Only the hours count",
            times,
            sum(hours),
        )
    elif goal == "skip":
        ask, think, parts, answer = (
            "how many {unit} was it [without|not counting|leaving out] the first part",
            "Leave out the first part",
            codes[1:],
            sum(amounts[1:]),
        )
    else:
        ask, think, parts, answer = (
            "[how many {unit} is that <total>|what is the total number of {unit}|how many {unit} was it altogether|~what do the {unit} add up to]",
            "Rate times time for each part, then add",
            codes,
            sum(amounts),
        )
    code = f"print({' + '.join(parts)})"
    if goal == "compare":
        high, low = (0, 1) if amounts[0] > amounts[1] else (1, 0)
        order = ("first", "second")
        ask, think, answer = (
            f"how many more {{unit}} was the {order[high]} part than the {order[low]}",
            "Find both parts and subtract",
            amounts[high] - amounts[low],
        )
        code = f"first = {codes[0]}\nsecond = {codes[1]}\nprint({order[high]} - {order[low]})"
    write(d, ". ".join([*facts, d.say(ask)]) + "?")
    d.think(think)
    d.code(code)
    d.answer(answer)


@family(S, weight=4)
def mean_of_list(d: Draft) -> None:
    """The average of two to six numbers, or the number that is missing for a given average."""
    count = d.int(2, 6)
    mean = d.int(5, 90)
    values = [d.int(1, 2 * mean) for _ in range(count - 1)]
    values.append(count * mean - sum(values))
    if values[-1] < 1:
        values = [mean + (1 if at % 2 else -1) * (at // 2 + 1) for at in range(count // 2 * 2)] + [mean] * (count % 2)
        mean, left = divmod(sum(values), count)
        values[0] += (count - left) % count
        mean = sum(values) // count
    d.cast(people="p")
    slots = [slot(d, value) for value in values]
    what = d.rng.choice(
        ["scored @ points", "sold @ tickets", "read @ pages", "ran @ laps", "picked @ plums", "wrote @ lines"]
    )
    thing = what.split()[-1]
    if d.rng.random() < 0.35:
        listed, m = " and ".join(filter(None, [", ".join(slots[:-2]), slots[-2]])), slot(d, mean)
        d.show(thing=thing, days="one day" if count == 2 else f"{count - 1} days")
        start = d.say("{p} " + what.replace("@", "@L") + " on {days}").replace("@L", listed)
        ask = d.say(
            "[how many {thing} on one more day make the average @|how many {thing} must follow on the next day for an average of @ per day|~which number of {thing} on one more day makes the average @]"
        ).replace("@", m)
        write(d, f"{start}. {ask}?")
        d.think("Average times count is the total needed")
        d.code(f"x = [{', '.join(slots[:-1])}]\nprint({m} * (len(x) + 1) - sum(x))")
        d.answer(values[-1])
        return
    listed = ", ".join(slots[:-1]) + " and " + slots[-1]
    opening = d.say(
        "[<what> the [average|mean|arithmetic mean] of @<end>|{p} "
        + what
        + " on "
        + str(count)
        + " days. [What is the average per day?|How many "
        + thing
        + " is that per day on average?|Find the mean.|~What is it on an average day?]]"
    ).replace("@", listed)
    write(d, opening)
    d.think("Add and divide by the count")
    d.code(f"x = [{', '.join(slots)}]\nprint(sum(x) / len(x))")
    d.answer(mean)


COLORS = ("red", "blue", "green", "yellow", "black", "white", "brown", "gray", "purple")


@family(S, weight=6)
def parts_of_whole(d: Draft) -> None:
    """A whole of two to five parts: the whole, the part not named, or some of the parts."""
    count = d.int(2, 5)
    values = [d.int(2, d.rng.choice([20, 60, 150])) for _ in range(count)]
    d.cast(people="p")
    kinds(d, d.rng.choice(["foods", "collectibles", "supplies", "clothes", "goods"]), "o")
    colors = d.rng.sample(COLORS, count)
    slots = [slot(d, value) for value in values]
    named = [
        f"{number} are {color}" if at else f"{number} of them are {color}"
        for at, (number, color) in enumerate(zip(slots, colors, strict=True))
    ]
    total, last = sum(values), colors[-1]
    goal = d.rng.choice(["missing", "missing", "whole", "some"])
    if goal == "missing":
        whole = slot(d, total)
        first = d.say(
            "[{p} has @ {o}|there are @ {o} [in a box|on a table|in a shop]|a box holds @ {o}|~@ {o} lie in a row]"
        ).replace("@", whole)
        rest = d.say(f"[the rest are {last}|all the others are {last}|the other ones are {last}]")
        ask = d.say(f"[how many are {last}|how many {last} {{o}} are there|what is the number of {last} ones]?")
        write(d, f"{first}. {', '.join(named[:-1])} and {rest}. {ask}")
        d.think("Whole minus the known parts")
        d.code(f"print({whole} - {' - '.join(slots[:-1])})")
        d.answer(values[-1])
        return
    listed = [f"{number} {color}" for number, color in zip(slots, colors, strict=True)]
    first = (
        d.say("[{p} has|there are|in a box there are|{p} sees|~somebody counted] ")
        + ", ".join(listed[:-1])
        + f" and {listed[-1]} {{o}}"
    )
    if goal == "whole" or count == 2:
        used, ask = (
            list(range(count)),
            d.say(
                "[how many {o} are there [<total>|]|what is the total number of {o}|how many {o} is that altogether]?"
            ),
        )
    else:
        used = sorted(d.rng.sample(range(count), d.int(2, count - 1)))
        chosen = [colors[at] for at in used]
        out = [colors[at] for at in range(count) if at not in used]
        ask = d.say(
            f"[how many {{o}} are {', '.join(chosen[:-1])} or {chosen[-1]}|how many {{o}} are neither {' nor '.join(out)}]?"
            if len(out) > 1
            else f"[how many {{o}} are {', '.join(chosen[:-1])} or {chosen[-1]}|how many {{o}} are not {out[0]}]?"
        )
    write(d, f"{first}. {ask}")
    d.think("Add the parts that are asked for")
    d.code(f"print({' + '.join(slots[at] for at in used)})")
    d.answer(sum(values[at] for at in used))
