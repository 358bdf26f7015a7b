# ruff: noqa: E501 - one phrasing a line, whatever its length
"""Frames about what people have, give, lose and compare: the same facts with many different questions."""

from __future__ import annotations

from training.families.telling import Goal, company, kinds, tell
from training.problem import Draft, family

S = "word problems"
VERBS = [
    {"v": "has", "does": "does", "do": "do", "base": "have"},
    {"v": "counted", "does": "did", "do": "did", "base": "count"},
    {"v": "got", "does": "did", "do": "did", "base": "get"},
    {"v": "saw", "does": "did", "do": "did", "base": "see"},
]
"""What somebody does with things, as fact and as question."""


@family(S, weight=3)
def two_owners_two_kinds(d: Draft) -> None:
    """Two persons with two kinds each; the question picks one relation among the four numbers."""
    a, b, c, e = d.int(10, 90), d.int(2, 90), d.int(2, 9), d.int(2, 90)
    company(d)
    kinds(d, d.rng.choice(["foods", "collectibles", "supplies", "clothes", "goods"]), "oz")
    d.count(a=a, b=b, c=c, e=e)
    facts = [
        "{p} [has|owns|keeps|brought|~stores|found] {a} {o} and {b} {z}",
        "{q} [has|owns|got|brought] [{c} {o} and {e} {z}|{e} {z} and {c} {o}]",
    ]
    tell(d, facts, [
        Goal("how many {o} [do they have|are there|are there between the two of them] <total>", "Only the {o} matter, add them", "{a} + {c}", a + c),
        Goal("how many {z} [do {p} and {q} have|are there] <total>", "Only the {z} matter, add them", "{b} + {e}", b + e),
        Goal("how many more {o} [does {p} have than {q}|than {q} does {p} have]", "Compare the {o}", "{a} - {c}", a - c),
        Goal("how many fewer {o} does {q} have than {p}", "Compare the {o}", "{a} - {c}", a - c),
        Goal("how many [things|items|objects] does {p} have [in all|altogether|counting both kinds]", "Add both kinds of {p}", "{a} + {b}", a + b),
        Goal("how many [things|items] does {q} have [in all|altogether|~when both kinds count]", "Add both kinds of {q}", "{c} + {e}", c + e),
        Goal("[how many [things|items] do they have when everything is put together|what is the number of all {o} and {z} together]", "Add all four numbers", "{a} + {b} + {c} + {e}", a + b + c + e),
    ])  # fmt: skip


@family(S, weight=3)
def two_kinds_used(d: Draft) -> None:
    """Two kinds at the start, some of each used up."""
    a, b = d.int(36, 120), d.int(12, 29)
    x, y = d.int(2, a - b - 1), d.int(2, b - 2)
    company(d)
    kinds(d, "foods", "oz")
    d.count(a=a, b=b, x=x, y=y)
    used = d.rng.choice(["ate", "sold", "gave away", "packed", "used", "dropped"])
    d.show(used=used)
    facts = [
        "[{p} [had|baked|bought|started with] {a} {o} and {b} {z}|there were {a} {o} and {b} {z} in {p}'s [kitchen|basket|shop|~pantry]]",
        "[[during the day|at lunch|] {p} {used} {x} {o} and {y} {z}|{p} {used} {y} {z} and {x} {o}|{p} {used} {x} of the {o} and {y} of the {z}]",
    ]
    tell(d, facts, [
        Goal("how many {o} [are left|does {p} have left|remain]", "Only the {o}: subtract", "{a} - {x}", a - x),
        Goal("how many {z} [are left|does {p} still have|remain|were not touched]", "Only the {z}: subtract", "{b} - {y}", b - y),
        Goal("how many [pieces|items] [are gone|are missing now] [in all|altogether]", "Add what is gone", "{x} + {y}", x + y),
        Goal("how many {o} and {z} [are left|are there now] [in all|altogether|together]", "Take both losses from both kinds", "{a} + {b} - {x} - {y}", a + b - x - y),
        Goal("how many more {o} than {z} [are left|does {p} have now|~are over]", "Find what is left of each and compare", "first = {a} - {x}; second = {b} - {y}; first - second", a - x - b + y),
        Goal("how many more {o} than {z} [were there at first|did {p} have at the start]", "Compare the numbers at the start", "{a} - {b}", a - b),
    ], aside=0.15)  # fmt: skip


@family(S, weight=3)
def gift_between(d: Draft) -> None:
    """One person gives to the other; the question asks before or after, one or both."""
    a, b = d.int(40, 200), d.int(5, 20)
    c = d.int(2, 9)
    company(d)
    kinds(d, d.rng.choice(["foods", "collectibles", "supplies"]), "o")
    d.count(a=a, b=b, c=c)
    facts = [
        "[{p} has {a} {o} and {q} has {b}|{q} has {b} {o} and {p} has {a}|{p} had {a} {o}, {q} had {b}]",
        "[{p} [gives|gave|handed|sent|passed] {c} [of them |{o} |]to {q}|{q} [gets|got|received|~was given] {c} {o} from {p}|{c} {o} were [given|handed] by {p} to {q}]",
    ]
    tell(d, facts, [
        Goal("how many {o} does {p} have [now|left|after that|then]", "{p} gives some away: subtract", "{a} - {c}", a - c),
        Goal("how many {o} does {q} have [now|after that|then|in the end]", "{q} gets some: add", "{b} + {c}", b + c),
        Goal("how many {o} do [they|the two|{p} and {q}] have together", "The gift does not change the total", "{a} + {b}", a + b),
        Goal("how many more {o} than {q} did {p} have [before that|at first|at the beginning]", "Compare before the gift", "{a} - {b}", a - b),
        Goal("how many more {o} than {q} does {p} have [now|after that]", "Find both new numbers and compare", "first = {a} - {c}; second = {b} + {c}; first - second", a - b - 2 * c),
    ])  # fmt: skip


@family(S, weight=2.5)
def found_and_lost(d: Draft) -> None:
    """A collection with things found and things lost; before, after or the difference."""
    s, a = d.int(10, 300), d.int(20, 90)
    b = d.int(2, a - 1)
    is_before = d.rng.random() < 0.5
    end = s + a - b
    company(d)
    kinds(d, "collectibles", "oz")
    d.count(a=a, b=b, s=s, e=end)
    moved = [
        "[{p} [found|bought|collected|picked up|won] {a} {o}|{a} new {o} were found by {p}]",
        "{p.he} [lost|threw away|traded away|gave away|sold|~discarded] {b} [old ones|of them|{o}]",
    ]
    both = [
        Goal("how many more {o} did {p} [get|gain] than {p.he} [lost|parted with]", "Compare gain and loss", "{a} - {b}", a - b),
        Goal("by how many did {p.his} collection [grow|get larger] in the end", "The growth is the gain minus the loss", "{a} - {b}", a - b),
    ]  # fmt: skip
    if is_before:
        tell(d, [*moved, "[now {p.he} [has|owns] {e} {o}|{p.he} [has|owns] {e} {o} [now|in {p.his} collection]]"], [
            Goal("how many {o} [did {p} have|were in the collection] [at first|before|at the beginning|to begin with]", "Undo both changes", "{e} + {b} - {a}", s),
            *both,
        ])  # fmt: skip
    else:
        tell(d, ["{p} [had|owned|~kept] {s} {o} [in a box|in {p.his} collection|at home|]", *moved], [
            Goal("how many {o} does {p} have [now|in the end|in {p.his} collection now]", "Add the gain, subtract the loss", "{s} + {a} - {b}", end),
            Goal("how many {o} did {p} have before {p.he} lost [any|some]", "Only the gain counts so far", "{s} + {a}", s + a),
            *both,
        ])  # fmt: skip


@family(S, weight=2.5)
def compare_chain(d: Draft) -> None:
    """Three persons, each compared with another one."""
    a, m, n = d.int(30, 150), d.int(2, 25), d.int(2, 25)
    from_q = d.rng.random() < 0.5
    d.cast(people="pqr")
    kinds(d, d.rng.choice(["foods", "collectibles", "supplies", "animals"]), "o")
    d.count(a=a, m=m, n=n)
    d.show(**d.rng.choice(VERBS))
    second = a + m
    third = (second if from_q else a) - n
    base = "{q}" if from_q else "{p}"
    steps = "q = {a} + {m}; r = q - {n}" if from_q else "q = {a} + {m}; r = {a} - {n}"
    facts = [
        "{p} {v} {a} {o}",
        "{q} {v} {m} more[ {o}|] than {p}",
        f"{{r}} {{v}} {{n}} [fewer|less]{' {o}' if d.rng.random() < 0.5 else ''} than {base}",
    ]
    tell(d, facts, [
        Goal("how many {o} {does} {q} {base}", "More than means add", "{a} + {m}", second),
        Goal("[how many {o} {does} {r} {base}|how many {o} is that for {r}]", "Go along the chain to {r}", f"{steps}; r", third),
        Goal("how many {o} {do} [the three|all of them|{p}, {q} and {r}] {base} <total>", "Find each one, then add", f"{steps}; {{a}} + q + r", a + second + third),
        Goal("how many {o} {do} {p} and {q} {base} [together|altogether|~jointly]", "Find {q}'s number and add", "q = {a} + {m}; {a} + q", a + second),
        Goal("how many more {o} {does} {q} {base} than {r}", "Find both and compare", f"{steps}; q - r", second - third),
    ], aside=0.15)  # fmt: skip


@family(S, weight=3)
def compare_reversed(d: Draft) -> None:
    """The comparison names the known person first, and a second kind confuses: add or subtract by sense."""
    a, m, b, n = d.int(30, 150), d.int(2, 25), d.int(30, 150), d.int(2, 25)
    company(d)
    kinds(d, d.rng.choice(["foods", "collectibles", "clothes", "animals", "plants"]), "oz")
    d.count(a=a, m=m, b=b, n=n)
    d.show(**d.rng.choice(VERBS))
    facts = [
        "{p} {v} [{a} {o} and {b} {z}|{b} {z} and {a} {o}]",
        "[{p} {v} {m} more {o} [but|and] {n} fewer {z} than {q}|{p} {v} {n} fewer {z} and {m} more {o} than {q}|that is {m} more {o} than {q} {v}, but {n} fewer {z}|~compared with {q}, that is {m} {o} more and {n} {z} fewer]",
    ]
    tell(d, facts, [
        Goal("how many {o} {does} {q} {base}", "{q} has fewer {o} than {p}: subtract", "{a} - {m}", a - m),
        Goal("how many {z} [{does} {q} {base}|is that for {q}]", "{q} has more {z} than {p}: add", "{b} + {n}", b + n),
        Goal("how many {o} {do} {p} and {q} {base} together", "Find {q}'s {o}, then add", "other = {a} - {m}; {a} + other", 2 * a - m),
        Goal("how many {o} and {z} {does} {p} {base}", "Add {p}'s two numbers", "{a} + {b}", a + b),
        Goal("how many {o} and {z} {does} {q} {base}", "Find both numbers of {q} and add", "first = {a} - {m}; second = {b} + {n}; first + second", a - m + b + n),
    ], aside=0.1)  # fmt: skip


@family(S, weight=2.5)
def box_of_colors(d: Draft) -> None:
    """A box with three sorts, one sort taken out or added to."""
    n = [d.int(12, 90) for _ in range(3)]
    k = d.int(2, min(n) - 1)
    company(d)
    kinds(d, "collectibles", "o")
    colors = d.rng.sample(["red", "blue", "green", "yellow", "black", "white", "silver", "purple"], 3)
    d.show(r=colors[0], g=colors[1], y=colors[2])
    d.count(a=n[0], b=n[1], c=n[2], k=k, t=sum(n))
    box = (
        "[a [box|bag|jar|drawer] [holds|contains]|{p} has a [box|bag|jar] with|there are|in a [bowl|basket] there are]"
    )
    listed = f"{box} {{a}} {{r}}, {{b}} {{g}} and {{c}} {{y}} {{o}}"
    total = f"{box} {{t}} {{o}}"
    if d.rng.random() < 0.35:
        tell(d, [total, "{a} of them are {r}, {b} are {g} and the [rest|others] are {y}"], [
            Goal("<howmany> [of them |]are {y}", "Take the known colors from the total", "{t} - {a} - {b}", n[2]),
            Goal("how many are not {r}", "Everything but the {r} ones", "{t} - {a}", n[1] + n[2]),
            Goal("how many are {r} or {g}", "Add the two colors", "{a} + {b}", n[0] + n[1]),
        ], aside=0)  # fmt: skip
        return
    tell(d, [listed, "[{p} takes out|{p} takes away|{p} removes|~{p} pulls] {k} [of the {g} ones|{g} ones]"], [
        Goal("<howmany> {o} are [left|in it now|still there]", "All of them, without those taken", "{a} + {b} + {c} - {k}", sum(n) - k),
        Goal("how many {g} [ones|{o}] are left", "Only the {g} ones change", "{b} - {k}", n[1] - k),
        Goal("how many {r} and {y} [ones|{o}] are there", "Only two colors count", "{a} + {c}", n[0] + n[2]),
        Goal("how many {o} were there [at first|in the beginning|before that]", "Add the three colors", "{a} + {b} + {c}", sum(n)),
        Goal("how many {o} were not {y} [at first|in the beginning]", "Leave out the {y} ones", "{a} + {b}", n[0] + n[1]),
    ], aside=0.1)  # fmt: skip


@family(S, weight=2.5)
def given_to_two(d: Draft) -> None:
    """Something given to two persons: the start, the rest, one gift or both."""
    b, c, e = d.int(2, 80), d.int(2, 80), d.int(2, 200)
    d.cast(people="pqr")
    kinds(d, d.rng.choice(["foods", "collectibles", "supplies", "clothes", "plants"]), "o")
    d.count(b=b, c=c, e=e, s=b + c + e)
    case = d.rng.choice(["start", "rest", "gift"])
    gave = "[{p} gave {b} [{o} |]to {q} and {c} to {r}|{q} got {b} {o} from {p}, and {r} got {c}|{p} [sold|mailed|~lent] {b} [{o} |]to {q} and {c} [{o} |]to {r}]"
    extra = Goal(
        "how many {o} did {q} and {r} get [together|altogether|in all]", "Add the two gifts", "{b} + {c}", b + c
    )
    if case == "start":
        tell(d, ["{p} [had some|owned several|picked a number of] {o}", gave, "{p} [has {e}[ {o}|] left|kept {e}[ {o}| of them|]|still has {e}[ {o}|]]"], [
            Goal("how many {o} [did {p} have|were there] [at first|at the start|in the beginning|originally]", "Add the gifts back to the rest", "{b} + {c} + {e}", b + c + e),
            extra,
        ])  # fmt: skip
    elif case == "rest":
        tell(d, ["{p} [had|picked|bought|owned] {s} {o}", gave], [
            Goal("how many {o} [did {p} keep|does {p} have left|were left for {p}]", "Subtract both gifts", "{s} - {b} - {c}", e),
            Goal("how many {o} were left after {p} had [served|seen|met] {q} only", "Subtract the first gift only", "{s} - {b}", c + e),
            extra,
        ])  # fmt: skip
    else:
        tell(d, ["{p} [had|owned|bought] {s} {o}", "{p} gave {b} to {q} and some to {r}", "{p} has {e} left"], [
            Goal("how many {o} did {r} [get|receive]", "What is missing went to {r}", "{s} - {b} - {e}", c),
            Goal("how many {o} did {p} give away [in all|altogether]", "The difference was given away", "{s} - {e}", b + c),
        ])  # fmt: skip


@family(S, weight=2.5)
def log_of_days(d: Draft) -> None:
    """Numbers of three days; the question names which days count."""
    n = sorted(d.ints(3, 5, 150))
    d.rng.shuffle(n)
    d.cast(people="p")
    days = d.rng.choice(
        [["Monday", "Tuesday", "Wednesday"], ["Friday", "Saturday", "Sunday"], ["Thursday", "Friday", "Saturday"]]
    )
    d.show(**dict(zip(("d", "e", "f"), days, strict=True)))
    d.count(a=n[0], b=n[1], c=n[2])
    first, second, third, done = d.rng.choice([
        ("[a museum|a library|the zoo|a small shop|~a cinema] had {a} visitors on {d}", "{b} visitors came on {e}", "on {f} there were {c}", "visitors came"),
        ("{p} sold {a} tickets on {d}", "{p} sold {b} on {e}", "on {f} {p.he} sold {c}", "tickets were sold"),
        ("{p} picked {a} [pounds|baskets] of apples on {d}", "{p} picked {b} on {e}", "on {f} {p.he} picked {c}", "of them were picked"),
        ("a baker made {a} loaves on {d}", "on {e} the baker made {b}", "on {f} the number was {c}", "loaves were made"),
        ("{p} walked {a} blocks on {d}", "on {e} {p.he} walked {b}", "on {f} {p.he} walked {c}", "blocks were walked"),
        ("{p} answered {a} emails on {d}", "{b} emails were answered on {e}", "{c} were answered on {f}", "emails were answered"),
    ])  # fmt: skip
    more = "{a} - {b}" if n[0] > n[1] else "{b} - {a}"
    big, small = ("{d}", "{e}") if n[0] > n[1] else ("{e}", "{d}")
    tell(d, [first, second, third], [
        Goal(f"how many {done} [in all|altogether|on the three days together|over these days]", "Add the three days", "{a} + {b} + {c}", sum(n)),
        Goal(f"how many {done} on {{d}} and {{f}} [together|in all]", "Only two of the days count", "{a} + {c}", n[0] + n[2]),
        Goal(f"how many {done} on the first two days", "Add the first two days", "{a} + {b}", n[0] + n[1]),
        Goal(f"how many more {done} on {big} than on {small}", "Compare the two days", more, abs(n[0] - n[1])),
        Goal(f"how many {done} on the best of the three days", "Take the largest number", "max({a}, {b}, {c})", max(n)),
        Goal(f"how many {done} per day on average", "Add the days and divide by 3", "({a} + {b} + {c}) / 3", sum(n) / 3) if sum(n) % 3 == 0
        else Goal(f"how many {done} from {{e}} on", "Add the last two days", "{b} + {c}", n[1] + n[2]),
    ], aside=0)  # fmt: skip


@family(S, weight=2)
def two_boxes(d: Draft) -> None:
    """Things moved from one place to another."""
    a, b = d.int(30, 150), d.int(30, 150)
    c = d.int(2, 29)
    d.cast(people="p")
    kinds(d, d.rng.choice(["supplies", "collectibles", "clothes", "goods"]), "o")
    d.count(a=a, b=b, c=c)
    u, v = d.rng.choice([("desk", "closet"), ("red box", "blue box"), ("car", "garage"), ("kitchen", "cellar"), ("first shelf", "second shelf"), ("small bag", "large bag"), ("truck", "warehouse")])  # fmt: skip
    d.show(u=u, w=v)
    facts = [
        "[there are {a} {o} in the {u} and {b} in the {w}|the {u} [holds|has] {a} {o} and the {w} [holds|has] {b}|{a} {o} are in the {u}, {b} are in the {w}]",
        "[{p} moves {c} {o} from the {u} to the {w}|{c} {o} are [moved|carried|~shifted] from the {u} to the {w}|{p} takes {c} {o} out of the {u} and puts them in the {w}]",
    ]
    tell(d, facts, [
        Goal("<howmany> {o} are in the {w} [now|after that|then]", "The {w} gains: add", "{b} + {c}", b + c),
        Goal("how many {o} [are in the {u} now|are left in the {u}|remain in the {u}]", "The {u} loses: subtract", "{a} - {c}", a - c),
        Goal("how many {o} are there in both [places |]together", "Moving does not change the total", "{a} + {b}", a + b),
    ], aside=0)  # fmt: skip


@family(S, weight=2)
def still_needed(d: Draft) -> None:
    """A goal, one or two parts reached already: what is missing."""
    a, b, miss = d.int(5, 120), d.int(5, 120), d.int(2, 150)
    company(d)
    kinds(d, d.rng.choice(["foods", "collectibles", "supplies", "plants", "clothes"]), "o")
    d.count(a=a, b=b, g=a + b + miss)
    facts = [
        "[{p} [needs|wants to collect|has to prepare|must deliver|~plans to have] {g} {o} [for a party|for the school fair|by Friday|for a project|]|{g} {o} are needed [for the festival|for a show|for the guests]]",
        "[{p} has {a} and {q} brings {b}|{p} already has {a} {o}, and {q} has {b} more|so far {p} made {a} of them and {q} made {b}|{a} were [ready|done] yesterday and {b} are [ready|done] today]",
    ]
    tell(d, facts, [
        Goal("how many [more |]{o} are [still needed|missing|still to be found]", "Take both parts from the goal", "{g} - {a} - {b}", miss),
        Goal("how many {o} are there [so far|already]", "Add the two parts", "{a} + {b}", a + b),
    ])  # fmt: skip
