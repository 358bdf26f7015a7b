# ruff: noqa: E501 - one phrasing a line, whatever its length
"""Frames of equal groups: trays, rows, teams, vans, packs and shares, asked for from every side."""

from __future__ import annotations

from training import words
from training.families.telling import Goal, company, kinds, tell
from training.problem import Draft, family

S = "word problems"


@family(S, weight=3)
def trays_and_broken(d: Draft) -> None:
    """n containers of m things, some of them spoilt; total, rest, one container or the number of containers."""
    n, m = d.int(3, 30), d.int(4, 30)
    k = d.int(2, m - 1)
    d.cast(people="p")
    kinds(d, d.rng.choice(["foods", "supplies", "collectibles"]), "o")
    d.count(n=n, m=m, k=k, t=n * m)
    u = d.rng.choice(["tray", "box", "crate", "carton", "basket", "bag", "shelf", "drawer"])
    d.show(u=u, us={"box": "boxes", "shelf": "shelves"}.get(u, u + "s"))
    bad = "[{k} of the {o} [are|were] [broken|spoiled|missing|~ruined]|{p} [takes|took] away {k} of the {o}|{k} {o} [have to be thrown away|fall on the floor]]"
    case = d.rng.choice(["total", "total", "size", "number"])
    if case == "total":
        tell(d, ["[{p} fills {n} {us} with {m} {o} each|there are {n} {us} with {m} {o} in each|each of the {n} {us} [holds|has|contains] {m} {o}|{m} {o} are in each {u}, and {p} has {n} {us}]", bad], [
            Goal("<howmany> {o} [are left|are still good|remain]", "Groups first, then take away", "{n} * {m} - {k}", n * m - k),
            Goal("how many {o} were there [at first|before that|in all at the start]", "Multiply the groups by the size", "{n} * {m}", n * m),
            Goal("how many {o} are in two {us} [at first|to begin with]", "Two groups of that size", "2 * {m}", 2 * m),
        ], aside=0)  # fmt: skip
    elif case == "size":
        tell(d, ["[{p} puts {t} {o} in {n} {us}, the same number in each|{t} {o} are packed equally in {n} {us}|{n} equal {us} hold {t} {o} together]", "[{k} {o} are taken out of one of the {us}|{p} removes {k} {o} from one {u}]"], [
            Goal("<howmany> {o} are in each of the other {us}", "Share equally: divide", "{t} / {n}", m),
            Goal("how many {o} are [left in that {u}|still in the {u} that lost some]", "Divide, then take away", "{t} / {n} - {k}", m - k),
            Goal("how many {o} are [in all the {us} together now|left in all]", "The {us} do not matter: subtract", "{t} - {k}", n * m - k),
        ], aside=0)  # fmt: skip
    else:
        rest = n * m + k
        d.count(t=rest)
        tell(d, ["{p} [has|bought|made|got] {t} {o}", bad, "[the rest are put in {us} of {m}|each {u} takes {m} of the [good|other] {o}|the others are packed in {us} with {m} in each]"], [
            Goal("how many {us} [are needed|are filled|does {p} fill]", "Take away first, then divide", "({t} - {k}) / {m}", n),
            Goal("how many {o} are [packed|put into the {us}]", "Only take away", "{t} - {k}", n * m),
        ], aside=0)  # fmt: skip


@family(S, weight=2.5)
def trip_in_vans(d: Draft) -> None:
    """Students and adults ride in vehicles: people, vehicles, free seats."""
    m, a = d.int(5, 45), d.int(15, 200)
    b = d.int(2, 14)
    total = a + b
    full, seats = -(-total // m), -(-total // m) * m
    d.cast(people="p")
    d.count(m=m, a=a, b=b, n=full)
    v = d.rng.choice(["van", "bus", "boat", "tent", "table", "train car"])
    d.show(v=v, vs="buses" if v == "bus" else v + "s")
    facts = [
        "[{a} students and {b} teachers [go on a trip|visit a museum|are at a camp]|{a} children and {b} adults [go to a picnic|travel together|come to a club]|a school trip has {a} children and {b} parents]",
        "[each {v} has {m} seats|every {v} [holds|takes|can seat] {m} people|{m} people fit in [one|a|each] {v}]",
    ]
    goals = [
        Goal("how many people [go|are there|come] <total>", "Add both groups", "{a} + {b}", total),
        Goal(
            "how many {vs} [are needed|do they need|must be rented]",
            "Add the people, divide, round up",
            "people = {a} + {b}; -(-people // {m})",
            full,
        ),
        Goal(
            "how many {vs} can be filled completely",
            "Add the people, divide, round down",
            "people = {a} + {b}; people // {m}",
            total // m,
        ),
        Goal("how many seats are there in {n} {vs}", "Multiply the seats", "{n} * {m}", seats),
        Goal(
            "how many seats stay [empty|free] in {n} {vs}",
            "Seats without the people",
            "seats = {n} * {m}; seats - {a} - {b}",
            seats - total,
        ),
        Goal(
            "how many more young people than [grown-ups|~older ones] are there",
            "Compare the two groups",
            "{a} - {b}",
            a - b,
        ),
    ]
    tell(d, facts, goals, aside=0)


@family(S, weight=2.5)
def rows_in_garden(d: Draft) -> None:
    """Rows of plants or seats: total, rest, or an unknown side."""
    r, c = d.int(3, 30), d.int(3, 30)
    k = d.int(2, r * c // 2)
    d.cast(people="p")
    kinds(d, "plants", "o")
    d.count(r=r, c=c, k=k, t=r * c)
    case = d.rng.choice(["total", "total", "row", "rows"])
    loss = "[{k} of [them|the {o}] [died|did not grow|were eaten by {beast}|froze]|{p} [digs up|gives away|~pulls out] {k} of the {o}]"
    d.show(beast=words.of_kind(d.rng, "animals", 1)[0])
    if case == "total":
        tell(d, ["[{p} plants {r} rows of {o} with {c} in each row|a garden has {r} rows of {c} {o}|in a field there are {r} rows, each with {c} {o}|there are {c} {o} in every row of a garden with {r} rows]", loss], [
            Goal("<howmany> {o} [are left|are alive|are still there]", "Rows times plants, then take away", "{r} * {c} - {k}", r * c - k),
            Goal("how many {o} were [planted|there] [at first|in the beginning]", "Rows times plants in a row", "{r} * {c}", r * c),
            Goal("how many {o} would there have been with one more row", "One more row of that size", "({r} + 1) * {c}", (r + 1) * c),
        ], aside=0)  # fmt: skip
    else:
        known = "in {r} equal rows" if case == "row" else "in rows of {c}"
        goal = (
            Goal("how many {o} [did each row have|were in a row|were in each row] [at first|]", "Divide by the number of rows", "{t} / {r}", c)
            if case == "row"
            else Goal("how many rows [did {p} make|were there]", "Divide by the size of a row", "{t} / {c}", r)
        )  # fmt: skip
        tell(d, [f"[{{p}} [planted|set] {{t}} {{o}} {known}|{{p}} had {{t}} {{o}} and planted them {known}|~{{t}} {{o}} were set {known} by {{p}}]", loss], [
            goal,
            Goal("how many {o} are [left|there now]", "The rows do not matter: subtract", "{t} - {k}", r * c - k),
        ])  # fmt: skip


@family(S, weight=2.5)
def teams_of_players(d: Draft) -> None:
    """Players, some left out, the rest in equal teams."""
    n, m, k = d.int(2, 12), d.int(3, 12), d.int(2, 20)
    t = n * m + k
    d.cast(people="p")
    d.count(t=t, k=k, m=m, n=n)
    by_size = d.rng.random() < 0.5
    game = d.rng.choice(["soccer", "hockey", "basketball", "chess", "volleyball", "quiz", "relay", "dance"])
    d.show(g=game)
    facts = [
        "[{t} [students|children|kids|people] [want to play {g}|came to the {g} day|tried out for the {g} teams]|there were {t} [girls and boys|kids|players] trying out for the {g} teams|coach {p} had {t} players for {g}]",
        "[{k} [were not picked|went home|only watch|~became referees]|only {k} of them [did not make it|were not called back|had to leave]]",
        "the others [are put|were put|are divided] " + ("into teams of {m}" if by_size else "into {n} equal teams"),
    ]
    tell(d, facts, [
        Goal("how many teams [are there|were made]", "Leave some out, then divide", "({t} - {k}) / {m}", n) if by_size
        else Goal("how many [players|people] are [in|on] each team", "Leave some out, then divide", "({t} - {k}) / {n}", m),
        Goal("<howmany> of them [play|were on a team]", "Subtract those who do not play", "{t} - {k}", n * m),
    ], aside=0)  # fmt: skip


@family(S, weight=2.5)
def share_with_self(d: Draft) -> None:
    """Sharing among friends, the sharer included or not."""
    n, m = d.int(2, 11), d.int(2, 20)
    extra = d.rng.choice(["self", "teacher", "none"])
    heads = n + (extra != "none")
    k = d.int(2, 15)
    d.cast(people="p")
    kinds(d, d.rng.choice(["foods", "collectibles", "supplies"]), "o")
    d.count(n=n, k=k, t=heads * m + k)
    among = {
        "self": "[between {p.him}self and {n} [friends|cousins|classmates]|with {n} [friends|neighbors], and everybody including {p} gets the same|among {n} [guests|friends] and {p.him}self]",
        "teacher": "among {n} [classmates|children] and [one|their|the] [teacher|coach|~guide]",
        "none": "among {n} [friends|cousins|classmates|children], keeping none",
    }[extra]
    facts = [
        "{p} [has|bought|baked|found|brought] {t} {o}",
        "[{k} of them [are|were] [broken|bad|lost|spoiled]|{k} {o} are put aside|{k} of the {o} cannot be used]",
        f"{{p}} [shares|divides|splits] the [rest|others|good ones] equally {among}",
    ]
    steps = "heads = {n} + 1; ({t} - {k}) / heads" if heads > n else "({t} - {k}) / {n}"
    plan = "One more person shares: take away, then divide" if heads > n else "Take away, then divide"
    tell(d, facts, [
        Goal("how many {o} does each [person|one] get", plan, steps, m),
        Goal("how many {o} are [shared|handed out]", "Only take away", "{t} - {k}", heads * m),
        Goal("how many [people|persons] get some", "Count the people", "{n} + 1" if heads > n else "{n}", heads),
    ], aside=0.1)  # fmt: skip


@family(S, weight=2.5)
def packs_with_rest(d: Draft) -> None:
    """Full packs, the remainder, packs needed, or how many more fill another pack."""
    m, t = d.int(3, 24), d.int(30, 400)
    t += t % m == 0
    company(d)
    kinds(d, d.rng.choice(["foods", "supplies", "collectibles", "plants", "clothes"]), "o")
    d.count(m=m, t=t)
    u = d.rng.choice(["pack", "bag", "box", "bunch", "jar", "set", "bundle"])
    d.show(u=u, us="boxes" if u == "box" else "bunches" if u == "bunch" else u + "s")
    facts = [
        "[{p} [has|made|picked|counted|ordered] {t} {o}|there are {t} {o} [on a table|in a store|at {p}'s place]|{t} {o} [lie|are] in front of {p}]",
        "[a full {u} [has|holds|takes] {m} {o}|{p} [puts|packs] {m} of them in each {u}|they [are sold|come|are tied] in {us} of {m}|each {u} needs {m}]",
    ]
    tell(d, facts, [
        Goal("how many full {us} [are there|can be made|does {p} get]", "Whole groups: divide and round down", "{t} // {m}", t // m),
        Goal("how many {o} are [left over|left|not in a full {u}|~remaining]", "The remainder is left over", "{t} % {m}", t % m),
        Goal("how many {us} are needed [for all of them|so that every one is packed|if none may be left out]", "Divide and round up", "-(-{t} // {m})", -(-t // m)),
        Goal("how many more {o} [are needed|must {p} get] to fill [one more|the last] {u}", "What the remainder lacks to a full group", "{m} - {t} % {m}", m - t % m),
    ])  # fmt: skip


@family(S, weight=3)
def two_group_sizes(d: Draft) -> None:
    """Two kinds, each in groups of its own; one of four numbers is asked and the other kind confuses."""
    a, m, b, n = d.int(2, 40), d.int(2, 30), d.int(2, 40), d.int(2, 30)
    d.cast(people="p")
    is_alive = d.rng.random() < 0.25
    kinds(d, "animals" if is_alive else d.rng.choice(["foods", "collectibles", "supplies", "plants"]), "oz")
    u, w = d.rng.choice(
        [("groups", "groups"), ("cages", "pens"), ("herds", "flocks"), ("barns", "huts")]
        if is_alive
        else [("groups", "groups"), ("boxes", "bags"), ("piles", "piles"), ("baskets", "jars"), ("rows", "rows"), ("shelves", "drawers")]
    )  # fmt: skip
    d.show(u=u, w=w, one={"boxes": "box", "shelves": "shelf"}.get(u, u[:-1]))
    if d.rng.random() < 0.5:
        d.count(a=a, b=b, s=a * m, t=b * n)
        facts = [
            "[{p} [has|counts|keeps] {s} {o} and {t} {z}|there are {s} {o} and {t} {z} [at {p}'s place|]]",
            "[the {o} are [organized|sorted|put|~grouped] into {a} {u} and the {z} into {b} {w}|there are {a} {u} of {o} and {b} {w} of {z}|{b} {w} hold the {z} and {a} {u} hold the {o}]",
        ]
        tell(d, facts, [
            Goal("how [big is each {one} of {o}|many {o} are in each {one}]", "Divide the {o} by their groups", "{s} / {a}", m),
            Goal("how many {z} are [put|kept] together in one of their {w}", "Divide the {z} by their groups", "{t} / {b}", n),
            Goal("how many {o} and {z} are there <total>", "Add both kinds", "{s} + {t}", a * m + b * n),
        ], aside=0.1)  # fmt: skip
        return
    d.count(m=m, n=n, s=a * m, t=b * n)
    facts = [
        "[{p} [has|counts|keeps] {s} {o} and {t} {z}|there are {s} {o} and {t} {z} [at {p}'s place|]]",
        "[the {o} are [sorted|put|packed|~arranged] in {u} of {m} and the {z} in {w} of {n}|each of the {u} has {m} {o} and each of the {w} for {z} has {n}]",
    ]
    tell(d, facts, [
        Goal("how many {u} of {o} are there", "Divide the {o} by the size of a group", "{s} / {m}", a),
        Goal("how many {w} of {z} are there", "Divide the {z} by the size of a group", "{t} / {n}", b),
        Goal("how many {u} and {w} are there <total>", "Find the groups of each kind, then add", "{s} / {m} + {t} / {n}", a + b),
    ], aside=0.1)  # fmt: skip


@family(S, weight=2)
def animals_on_trees(d: Draft) -> None:
    """The same number on each of n places, some go or come."""
    n, m = d.int(3, 20), d.int(3, 25)
    k = d.int(2, n * m - 2)
    comes = d.rng.random() < 0.5
    kinds(d, "animals", "o")
    d.count(n=n, m=m, k=k)
    u = d.rng.choice(["trees", "ponds", "barns", "hills", "cages", "fields", "islands", "bushes"])
    d.show(u=u)
    d.show(one="bush" if u == "bushes" else u[:-1])
    sign = "+" if comes else "-"
    move = "[come|arrive|join them]" if comes else "[leave|run away|are moved elsewhere|~disappear]"
    facts = [
        "[each of [the |]{n} {u} [has|is home to] {m} {o}|there are {n} {u} with {m} {o} [each|on every one]|on every {one} there are {m} {o}, and there are {n} {u}|{n} {u} have {m} {o} each]",
        f"[{{k}} [more |]{{o}} {move}|[later|at night|in spring] {{k}} [more |]{{o}} {move}]"
        if comes
        else f"[{{k}} [of the |]{{o}} {move}|[later|at night|in winter] {{k}} {{o}} {move}]",
    ]
    tell(d, facts, [
        Goal("how many {o} are there [now|in the end|after that]", "Multiply, then " + ("add" if comes else "subtract"), f"{{n}} * {{m}} {sign} {{k}}", n * m + (k if comes else -k)),
        Goal("how many {o} were there [before that|at first]", "Multiply the groups by the size", "{n} * {m}", n * m),
        Goal("how many {o} are there on [three|3] such {u} at first", "Three groups of that size", "3 * {m}", 3 * m),
    ], aside=0)  # fmt: skip


@family(S, weight=2)
def parts_of_a_group(d: Draft) -> None:
    """A half, third or quarter of a group, then some of the others."""
    v, w = d.rng.choice(
        [(2, "half"), (3, "a third"), (4, "a quarter"), (4, "one fourth"), (5, "a fifth"), (3, "one third")]
    )
    n = v * d.int(4, 40)
    part = n // v
    k = d.int(2, n - part - 2)
    d.cast(people="p")
    kinds(d, d.rng.choice(["foods", "collectibles", "supplies", "plants", "clothes"]), "o")
    d.count(n=n, k=k)
    d.let(v=v)
    d.show(w=w)
    facts = [
        "{p} [had|bought|made|picked|got] {n} {o}",
        "[{p} [gave|sold|mailed] {w} of [them|the {o}] to {p.his} [sister|uncle|neighbor]|{w} of [them|the {o}] were [sold|given away|used]]",
        "[{k} more were [lost|used|taken|~sent off] [after that|]|another {k} were [sold|given away|dropped]|{p.he} also lost {k}]",
    ]
    tell(d, facts, [
        Goal("<howmany> {o} are [left|left in the end|still there]", "Take the part, then take {k} more", "{n} - {n} / {v} - {k}", n - part - k),
        Goal("how many {o} are gone [in all|altogether]", "Add the part and {k}", "{n} / {v} + {k}", part + k),
        Goal("how many {o} [went first|were in that first part]", "Divide by {v}", "{n} / {v}", part),
        Goal("how many {o} were there between the two losses", "Subtract the part only", "{n} - {n} / {v}", n - part),
    ], aside=0.15)  # fmt: skip


@family(S, weight=2)
def percent_in_school(d: Draft) -> None:
    """A percentage of a group, the rest, or both compared."""
    p = d.rng.choice([5, 10, 15, 20, 25, 30, 35, 40, 45])
    n = 20 * d.int(2, 40)
    part = n * p // 100
    d.count(n=n)
    d.let(r=p)
    frame, did, other = d.rng.choice([
        ("[a school has {n} students|there are {n} students in a school]", "[walk to school|play an instrument|learn French]", "do not"),
        ("[a club has {n} members|{n} people are in a club]", "[are under 18|are women|came to the meeting]", "are others"),
        ("[a farm has {n} animals|{n} animals live on a farm]", "[are goats|are hens|are sick]", "are different"),
        ("[a library has {n} books|{n} books stand in a library]", "[are novels|are lent out|are new]", "are something else"),
        ("[{n} people live in a village|~a village counts {n} people]", "[work in town|have a dog|are children]", "do not"),
        ("[a test has {n} points|the test is worth {n} points]", "[are for spelling|are for the essay]", "are for other things"),
    ])  # fmt: skip
    d.show(other=other)
    tell(d, [frame, f"{{r}}[%| percent] of them {did}"], [
        Goal("how many [is that|of them are that]", "Take {r} percent", "{n} * {r} / 100", part),
        Goal("how many {other}", "Take the rest: 100 minus {r} percent", "{n} * (100 - {r}) / 100", n - part),
        Goal("how many more are in the [larger|bigger] part than in the [smaller|other] one", "Find both parts and compare", "part = {n} * {r} / 100; rest = {n} - part; rest - part", n - 2 * part),
        Goal("what percent {other}", "Take it from 100 percent", "100 - {r}", 100 - p),
    ], aside=0)  # fmt: skip


@family(S, weight=2, reserved=True)
def chairs_and_tables(d: Draft) -> None:
    """Two kinds of tables with chairs, guests to be seated."""
    a, m, b, n = d.int(2, 15), d.int(4, 10), d.int(2, 15), d.int(2, 6)
    g = d.int(2, a * m + b * n - 1)
    d.count(a=a, m=m, b=b, n=n, g=g)
    facts = [
        "[a hall|a restaurant|a dining room] has {a} [large|round] tables with {m} chairs each and {b} small tables with {n} chairs each",
        "[{g} guests sit down|{g} of the chairs are taken]",
    ]
    tell(d, facts, [
        Goal("how many chairs are there <total>", "Multiply each kind, then add", "{a} * {m} + {b} * {n}", a * m + b * n),
        Goal("how many chairs are [free|empty]", "Count the chairs, take away the guests", "chairs = {a} * {m} + {b} * {n}; chairs - {g}", a * m + b * n - g),
        Goal("how many tables are there <total>", "Add the tables", "{a} + {b}", a + b),
    ], aside=0)  # fmt: skip
