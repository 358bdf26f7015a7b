# ruff: noqa: E501 - one phrasing a line, whatever its length
"""Frames about pages, distances, times, heights, temperatures, scores and recipes."""

from __future__ import annotations

from training.families.telling import Goal, company, kinds, tell
from training.problem import Draft, family

S = "word problems"


@family(S, weight=3)
def pages_of_book(d: Draft) -> None:
    """Reading at a steady pace: read so far, left, days in all, days left."""
    per, n = d.int(4, 45), d.int(4, 30)
    i = d.int(2, n - 1)
    total = per * n
    d.cast(people="p")
    d.count(r=per, n=n, i=i, t=total)
    thing, do, did = d.rng.choice([
        ("pages", "reads", "read"), ("pages", "writes", "write"), ("exercises", "solves", "solve"), ("letters", "sorts", "sort"),
        ("bricks", "lays", "lay"), ("words", "learns", "learn"), ("tiles", "paints", "paint"), ("photos", "scans", "scan"),
    ])  # fmt: skip
    whole = (
        "[the book has {t} pages|a book of {t} pages lies on {p}'s desk|{p} has a {t} page book]"
        if thing == "pages"
        else "[there are {t} {o} [in all|altogether] for {p}|{p} has {t} {o} to do|~{p} faces {t} {o}]"
    )
    d.show(o=thing, do=do, did=did)
    pace = "[{p} {do} {r} {o} [a|every|each|per] day|every day {p} {do} {r} {o}]"
    tell(d, [whole, pace, "[{i} days [have passed|are over]|{p.he} started {i} days ago|it is the evening of day {i}]"], [
        Goal("how many {o} did {p} {did} so far", "Pace times days", "{r} * {i}", per * i),
        Goal("how many {o} are [left|still to be done|still waiting]", "The whole without what is done", "{t} - {r} * {i}", total - per * i),
        Goal("how many days [will it take|does {p} need] [in all|altogether|for everything]", "The whole divided by the pace", "{t} / {r}", n),
        Goal("how many more days [will it take|does {p} need]", "What is left divided by the pace", "left = {t} - {r} * {i}; left / {r}", n - i),
        Goal("how many {o} does {p} {did} in a week", "Seven days of the pace", "7 * {r}", 7 * per),
    ], aside=0.15)  # fmt: skip


@family(S, weight=2)
def pages_in_days(d: Draft) -> None:
    """Totals done in days by two persons: the pace of one, or who was faster and by how much."""
    m, n, a = d.int(2, 15), d.int(2, 15), d.int(8, 60)
    b = d.int(3, a - 1)
    company(d)
    d.count(m=m, n=n, s=a * m, t=b * n)
    o, v, base = d.rng.choice([("pages", "read", "read"), ("miles", "drove", "drive"), ("envelopes", "filled", "fill"), ("cups", "washed", "wash"), ("trees", "planted", "plant"), ("lines", "typed", "type"), ("toys", "built", "build")])  # fmt: skip
    d.show(o=o, v=v, base=base, u=d.rng.choice(["day", "hour", "week"]))
    facts = [
        "[{p} {v} {s} {o} in {m} {u}s|in {m} {u}s {p} {v} {s} {o}|it took {p} {m} {u}s for {s} {o}]",
        "[{q} {v} {t} {o} in {n} {u}s|in {n} {u}s {q} {v} {t} {o}|~{q} needed {n} {u}s for {t} {o}]",
    ]
    tell(d, facts, [
        Goal("how many {o} did {p} {base} [per|each|in one] {u}", "Divide {p}'s total by the {u}s", "{s} / {m}", a),
        Goal("how many {o} did {q} {base} [per|each|in one] {u}", "Divide {q}'s total by the {u}s", "{t} / {n}", b),
        Goal("how many {o} is that [together|altogether]", "Add both totals", "{s} + {t}", a * m + b * n),
        Goal("how many more {o} [per|each] {u} did {p} {base} than {q}", "Find both paces and compare", "first = {s} / {m}; second = {t} / {n}; first - second", a - b),
    ], aside=0.1)  # fmt: skip


@family(S, weight=2.5)
def there_and_back(d: Draft) -> None:
    """A way gone there and back on several days, at a speed."""
    w, n, k = d.int(2, 40), d.int(2, 7), d.int(2, 6)
    d.cast(people="p")
    d.count(w=w, n=n, k=k)
    how, base, unit = d.rng.choice([("walks", "walk", "blocks"), ("drives", "drive", "miles"), ("cycles", "cycle", "kilometers"), ("jogs", "jog", "kilometers"), ("rides", "ride", "miles")])  # fmt: skip
    where = d.rng.choice(["school", "work", "the library", "the pool", "the lake", "the station", "the farm"])
    d.show(how=how, base=base, u=unit, e=where)
    facts = [
        "[it is {w} {u} from {p}'s [home|house] to {e}|{e} is {w} {u} away from {p}'s [home|house]|the way from {p}'s home to {e} is {w} {u} long]",
        "[{p} {how} there and back [{n} days|{n} times] a week|{n} days a week {p} {how} there in the morning and back in the evening|~on {n} days of the week {p} {how} both ways]",
    ]
    tell(d, facts, [
        Goal("how many {u} does {p} {base} on one of these days", "There and back: twice the way", "2 * {w}", 2 * w),
        Goal("how many {u} does {p} {base} [in a|each|per] week", "Twice the way, times the days", "2 * {w} * {n}", 2 * w * n),
        Goal("how many {u} does {p} {base} in {k} weeks", "Twice the way, times days, times weeks", "week = 2 * {w} * {n}; {k} * week", 2 * w * n * k),
        Goal("how far is it from {p}'s home [one way|if {p.he} does not come back]", "One way only", "{w}", w),
        Goal("how often does {p} go there in {k} weeks", "The distance does not matter: multiply", "{n} * {k}", n * k),
    ], aside=0)  # fmt: skip


@family(S, weight=2.5)
def two_speeds(d: Draft) -> None:
    """Two travellers or two legs: distances, times, which is farther."""
    s, t = d.int(20, 90), d.int(3, 8)
    r, h = d.int(5, 19), d.int(2, 3)
    company(d)
    d.count(s=s, t=t, r=r, h=h, x=s * t)
    one, two, u = d.rng.choice([("drives", "cycles", "miles"), ("rides a train", "runs", "kilometers"), ("takes a bus", "rides a bike", "miles"), ("flies a drone", "paddles a canoe", "kilometers")])  # fmt: skip
    d.show(one=one, two=two, u=u)
    facts = [
        "[{p} {one} for {t} hours at {s} {u} per hour|at {s} {u} an hour {p} {one} for {t} hours]",
        "[{q} {two} for {h} hours at {r} {u} per hour|at {r} {u} an hour {q} {two} for {h} hours|~{q} {two} for {h} hours and makes {r} {u} in each]",
    ]
    tell(d, facts, [
        Goal("how far does {p} [get|go|come]", "Speed times time for {p}", "{s} * {t}", s * t),
        Goal("how far does {q} [get|go|come]", "Speed times time for {q}", "{r} * {h}", r * h),
        Goal("how much farther does {p} [get|go] than {q}", "Find both distances and compare", "first = {s} * {t}; second = {r} * {h}; first - second", s * t - r * h),
        Goal("how many {u} do they [cover|travel] [together|in all]", "Find both distances and add", "{s} * {t} + {r} * {h}", s * t + r * h),
        Goal("how many hours longer does {p} travel than {q}", "Compare the times", "{t} - {h}", t - h),
        Goal("how many {u} per hour is {p} faster than {q}", "Compare the speeds", "{s} - {r}", s - r),
    ], aside=0)  # fmt: skip


LEVELS = (
    ("[in the morning it was {a} degrees|the day began at {a} degrees]", "[the morning was mild|nobody looked at the thermometer in the morning]",
     "[by noon it was {b} degrees warmer|the temperature rose by {b} degrees]", "[in the evening it was {c} degrees colder than at noon|a shower cooled the air by {c} degrees|~a storm cooled it by {c} degrees]",
     "[at night the thermometer shows {e} degrees|it is {e} degrees at night]", "how many degrees was it [at night|in the end]", "how many degrees was it in the morning", "how many degrees was it at noon"),
    ("[an elevator starts on floor {a}|an elevator is on floor {a}]", "[an elevator starts on some floor|people enter an elevator]",
     "[it goes up {b} floors|it rises {b} floors]", "[it comes down {c} floors|it goes {c} floors down|~it descends {c} floors]",
     "it stops on floor {e}", "on which floor is it [now|in the end]", "on which floor did it start", "what was the highest floor that it reached"),
    ("[a tank has {a} liters of water|{a} liters of water are in a tank]", "[a tank has some water in it|there is a bit of water in a tank]",
     "[{b} liters are poured in|rain adds {b} liters]", "[{c} liters [leak out|are used|~evaporate]]",
     "[{e} liters are left|the tank now has {e} liters]", "how many liters are in the tank [now|in the end]", "how many liters were in the tank at first", "how many liters were in the tank at most"),
    ("[a balloon is {a} meters high|a balloon floats {a} meters above a field]", "[a balloon floats over a field|a balloon has just taken off]",
     "[it climbs {b} meters more|it rises by {b} meters]", "[it sinks by {c} meters|it drops {c} meters|~it comes down by {c} meters]",
     "[it is {e} meters high now|now the height is {e} meters]", "how high is it [now|in the end]", "how high was it at first", "how high was it at most"),
    ("[a bus has {a} passengers|{a} passengers are on a bus]", "[a bus has some passengers|a bus arrives with a few people]",
     "[at the first stop {b} get on|{b} people board it]", "[at the next stop {c} get off|{c} people leave it|~{c} climb out]",
     "[{e} passengers are on the bus now|it goes on with {e} passengers]", "how many passengers are on the bus [now|in the end]", "how many passengers were on the bus at first", "how many passengers were on the bus between the two stops"),
)  # fmt: skip
"""Start, unknown start, rise, fall, known end, and the questions for end, start and top."""


@family(S, weight=2)
def temperature_day(d: Draft) -> None:
    """A level rises and falls: the final or first value, the top, the change in all."""
    a, b, c = d.int(10, 60), d.int(10, 25), d.int(2, 9)
    e = a + b - c
    d.count(a=a, b=b, c=c, e=e)
    start, hidden, up, down, end, ask_end, ask_start, ask_top = d.rng.choice(LEVELS)
    if d.rng.random() < 0.6:
        tell(d, [start, up, down], [
            Goal(ask_end, "Add the rise, subtract the fall", "{a} + {b} - {c}", e),
            Goal(ask_top, "Only the rise so far", "{a} + {b}", a + b),
            Goal("[by how much did the number grow [in all|altogether]|what is the change from start to end]", "Rise minus fall", "{b} - {c}", b - c),
        ], aside=0)  # fmt: skip
        return
    tell(d, [hidden, up, down, end], [
        Goal(ask_start, "Work backwards: undo both changes", "{e} + {c} - {b}", a),
        Goal(ask_top, "Undo the last change only", "{e} + {c}", a + b),
    ], aside=0)  # fmt: skip


@family(S, weight=2.5)
def exercises_compared(d: Draft) -> None:
    """Two kinds of exercises, the second person compared with the first in both."""
    a, b = d.int(30, 99), d.int(30, 99)
    m, n = d.int(2, 25), d.int(2, 25)
    company(d)
    kinds(d, "exercises", "oz")
    d.count(a=a, b=b, m=m, n=n)
    more = d.rng.random() < 0.5
    first, second = ("more", "fewer") if more else ("fewer", "more")
    s, t = ("+", "-") if more else ("-", "+")
    q1, q2 = (a + m, b - n) if more else (a - m, b + n)
    facts = [
        "{p} [did|managed|made|~completed] {a} {o} and {b} {z} [in gym class|today|at practice|]",
        f"[{{q}} did {{m}} {first} {{o}} but {{n}} {second} {{z}} than {{p}}|{{q}} did {{n}} {second} {{z}} and {{m}} {first} {{o}} than {{p}}]",
    ]
    tell(d, facts, [
        Goal("how many {o} did {q} do", f"{first} than {{p}}: only the {{o}} count", f"{{a}} {s} {{m}}", q1),
        Goal("how many {z} did {q} do", f"{second} than {{p}}: only the {{z}} count", f"{{b}} {t} {{n}}", q2),
        Goal("how many {o} did they do together", "Find {q}'s {o}, then add", f"other = {{a}} {s} {{m}}; {{a}} + other", a + q1),
        Goal("how many {z} did they do together", "Find {q}'s {z}, then add", f"other = {{b}} {t} {{n}}; {{b}} + other", b + q2),
        Goal("how many exercises did {p} do [in all|altogether]", "Add {p}'s two numbers", "{a} + {b}", a + b),
        Goal("how many exercises did {q} do [in all|altogether]", "Find both numbers of {q}, then add", f"first = {{a}} {s} {{m}}; second = {{b}} {t} {{n}}; first + second", q1 + q2),
    ], aside=0.1)  # fmt: skip


@family(S, weight=2.5)
def game_scores(d: Draft) -> None:
    """Points per round, lost points, a second team."""
    p, g = d.int(3, 30), d.int(3, 12)
    lost = d.int(2, p * g // 2)
    o = d.int(2, p * g - lost - 1) if p * g - lost > 3 else 2
    d.cast(people="pq")
    d.count(r=p, g=g, k=lost, e=o)
    d.show(w=d.rng.choice(["round", "game", "level", "set", "quarter"]))
    net = p * g - lost
    facts = [
        "[{p} scored {r} points in each of {g} {w}s|in {g} {w}s {p} scored {r} points [each|each time]|{p} played {g} {w}s and got {r} points in each of them]",
        "[then {p.he} lost {k} points|{k} points were taken from {p.him} [for mistakes|for fouls|]|~a penalty cost {p.him} {k} points]",
        "[{q} has {e} points|{q} got {e} points in all]",
    ]
    tell(d, facts, [
        Goal("how many points does {p} have [now|in the end]", "Points times rounds, minus the loss", "{r} * {g} - {k}", net),
        Goal("how many points did {p} have before [losing any|the loss]", "Points times rounds", "{r} * {g}", p * g),
        Goal("how many points [is {p} ahead of {q}|more than {q} does {p} have now]", "Find {p}'s points, then compare", "points = {r} * {g} - {k}; points - {e}", net - o) if net > o
        else Goal("how many points do both have together now", "Find {p}'s points, then add", "points = {r} * {g} - {k}; points + {e}", net + o),
    ], aside=0)  # fmt: skip


@family(S, weight=3)
def recipe_cups(d: Draft) -> None:
    """A recipe with two or three ingredients, some put in already."""
    a, b = d.int(6, 18), d.int(3, 5)
    x = d.int(2, a - 2)
    k = d.int(2, 6)
    d.cast(people="p")
    d.count(a=a, b=b, x=x, k=k)
    o, z = d.rng.sample(["flour", "sugar", "milk", "oats", "rice", "cocoa", "butter", "nuts", "honey", "corn meal"], 2)
    u = d.rng.choice(["cups", "spoons", "ounces", "scoops"])
    d.show(o=o, z=z, u=u, dish=d.rng.choice(["cake", "bread", "soup", "pudding", "pie", "pancake batter", "granola"]))
    facts = [
        "[the recipe for a {dish} [needs|asks for|says to use|~lists] {a} {u} of {o} and {b} {u} of {z}|{p} makes {dish} with {a} {u} of {o} and {b} {u} of {z}|for a {dish} {p} needs {b} {u} of {z} and {a} {u} of {o}]",
        "[{p} has already put in {x} {u} of {o}|{x} {u} of the {o} [are|were] already in the bowl|so far {p} added {x} {u} of {o} but no {z}]",
    ]
    tell(d, facts, [
        Goal("how many [more |]{u} of {o} [must {p} still add|are still missing]", "Only the {o}: needed minus put in", "{a} - {x}", a - x),
        Goal("how many more {u} of {o} than {z} does the recipe need", "Compare the two ingredients", "{a} - {b}", a - b),
        Goal("how many {u} of {o} and {z} does the recipe need [in all|together]", "Add the two ingredients", "{a} + {b}", a + b),
        Goal("how many {u} of {z} are needed for {k} times the recipe", "Multiply the {z}", "{k} * {b}", k * b),
        Goal("how many [more |]{u} [in all|altogether] must still be added", "What is missing of {o}, and all the {z}", "{a} - {x} + {b}", a - x + b),
    ], aside=0.1)  # fmt: skip


@family(S, weight=2.5)
def taller_longer(d: Draft) -> None:
    """Heights, lengths, weights or depths compared, with a third object."""
    a, m, n = d.int(30, 200), d.int(2, 25), d.int(2, 25)
    unit, more, less, noun, trio = d.rng.choice([
        ("meters", "taller", "shorter", "tall", ("oak", "pine", "birch")), ("centimeters", "longer", "shorter", "long", ("red rope", "blue rope", "green rope")),
        ("kilograms", "heavier", "lighter", "heavy", ("brown dog", "white dog", "black dog")), ("feet", "deeper", "less deep", "deep", ("lake", "pond", "river")),
        ("inches", "wider", "narrower", "wide", ("shelf", "desk", "bench")), ("minutes", "longer", "shorter", "long", ("first song", "second song", "third song")),
        ("years", "older", "younger", "old", ("church", "bridge", "tower")), ("miles", "longer", "shorter", "long", ("north road", "south road", "coast road")),
    ])  # fmt: skip
    up = d.rng.random() < 0.5
    d.count(a=a, m=m, n=n)
    d.show(u=unit, f=noun, x=trio[0], y=trio[1], w=trio[2], hi=more, lo=less)
    s, second = ("+", a + m) if up else ("-", a - m)
    t, third = ("-", second - n) if up else ("+", second + n)
    rel, rel2 = (more, less) if up else (less, more)
    steps = f"y = {{a}} {s} {{m}}; z = y {t} {{n}}"
    gap, big, small = (f"{steps}; {{a}} - z", "{x}", "{w}") if a > third else (f"{steps}; z - {{a}}", "{w}", "{x}")
    facts = [
        "[the {x} is {a} {u} {f}|~measured carefully, the {x} is {a} {u} {f}]",
        f"[the {{y}} is {{m}} {{u}} {rel} than the {{x}}|compared to the {{x}}, the {{y}} is {{m}} {{u}} {rel}]",
        f"[the {{w}} is {{n}} {{u}} {rel2} than the {{y}}|compared to the {{y}}, the {{w}} is {{n}} {{u}} {rel2}]",
    ]
    goals = [
        Goal("how {f} is the {y}", f"{rel} than the {{x}}: one step", f"{{a}} {s} {{m}}", second),
        Goal("how {f} is the {w}", "Two steps along the comparisons", f"{steps}; z", third),
        Goal(
            "how many {u} are the {x} and the {y} together",
            "Find the second one, then add",
            f"y = {{a}} {s} {{m}}; {{a}} + y",
            a + second,
        ),
    ]
    if a != third:
        goals.append(
            Goal(
                f"[by how many {{u}} is the {big} {{hi}} than the {small}|how much {{hi}} is the {big} than the {small}]",
                "Find the last one and compare with the first",
                gap,
                abs(a - third),
            )
        )
    tell(d, facts, goals, aside=0)


@family(S, weight=2)
def growing_plant(d: Draft) -> None:
    """Steady growth or shrinking from a start value."""
    a, r, n = d.int(60, 200), d.int(2, 6), d.int(3, 9)
    up = d.rng.random() < 0.5
    end = a + r * n if up else a - r * n
    d.cast(people="p")
    d.count(a=a, r=r, n=n, e=end)
    t = d.rng.choice(["day", "week", "month"])
    d.show(t=t)
    who, start, change, unit = d.rng.choice([
        ("{p}'s bean plant", "is {a} centimeters high", "grows {r} centimeters", "centimeters"), ("a tree", "is {a} inches tall", "gets {r} inches taller", "inches"),
        ("a pond", "holds {a} buckets of water", "gains {r} buckets", "buckets"), ("{p}'s flock", "has {a} sheep", "gains {r} sheep", "sheep"),
    ] if up else [
        ("a candle", "is {a} millimeters long", "loses {r} millimeters", "millimeters"), ("{p}'s bag of feed", "holds {a} scoops", "loses {r} scoops", "scoops"),
        ("a snow pile", "is {a} inches high", "shrinks by {r} inches", "inches"), ("a phone", "has {a} units of charge", "loses {r} units", "units"),
    ])  # fmt: skip
    d.show(u=unit)
    s = "+" if up else "-"
    word = "more" if up else "fewer"
    tell(d, [f"[{who}|~at the moment {who}] {start}", f"[[every|each] {{t}} it {change}|it {change} [every|each|per|a] {{t}}]"], [
        Goal("how many {u} is it after {n} {t}s", "Start, then the steady change", f"{{a}} {s} {{r}} * {{n}}", end),
        Goal(f"how many {{u}} {word} is it after {{n}} {{t}}s than [now|at the start]", "Only the change counts", "{r} * {n}", r * n),
        Goal("after how many {t}s is it {e} {u}", "The difference over the steady change", "({e} - {a}) / {r}" if up else "({a} - {e}) / {r}", n),
    ], aside=0)  # fmt: skip


@family(S, weight=2)
def rope_pieces(d: Draft) -> None:
    """A rope or ribbon cut into equal pieces, with a rest."""
    n, m, r = d.int(2, 15), d.int(3, 25), d.int(2, 20)
    total = n * m + r
    d.cast(people="p")
    d.count(n=n, m=m, r=r, t=total)
    o, u = d.rng.choice([("rope", "feet"), ("ribbon", "inches"), ("wire", "meters"), ("string", "centimeters"), ("pipe", "feet"), ("cloth", "yards"), ("board", "inches")])  # fmt: skip
    d.show(o=o, u=u)
    have = "[{p} has {t} {u} of {o}|a piece of {o} is {t} {u} long|there are {t} {u} of {o} on a roll]"
    case = d.rng.choice(["rest", "size", "number"])
    if case == "rest":
        tell(d, [have, "[{p} cuts off {n} pieces of {m} {u} each|{n} pieces, each {m} {u} long, are cut from it|~{p} needs {n} lengths of {m} {u}]"], [
            Goal("how many {u} [are left|of {o} remain]", "Take the pieces from the whole", "{t} - {n} * {m}", r),
            Goal("how many {u} are cut off [in all|altogether]", "Pieces times their length", "{n} * {m}", n * m),
        ], aside=0.15)  # fmt: skip
    elif case == "size":
        tell(d, [have, "[{r} {u} are damaged|{p} keeps {r} {u}|{r} {u} cannot be used]", "the rest is cut into {n} equal pieces"], [
            Goal("how long is each piece", "Take away, then divide", "({t} - {r}) / {n}", m),
            Goal("how many {u} are cut into pieces", "Only take away", "{t} - {r}", n * m),
        ], aside=0)  # fmt: skip
    else:
        tell(d, [have, "[{r} {u} are damaged|{p} keeps {r} {u}|{r} {u} cannot be used]", "the rest is cut into pieces of {m} {u}"], [
            Goal("how many pieces [are there|does {p} get]", "Take away, then divide", "({t} - {r}) / {m}", n),
            Goal("how many {u} are cut into pieces", "Only take away", "{t} - {r}", n * m),
        ], aside=0)  # fmt: skip


@family(S, weight=2.5)
def minutes_of_tasks(d: Draft) -> None:
    """Times spent on tasks: in all, one against another, per week, what is left of an hour limit."""
    a, b, n = d.int(31, 60), d.int(5, 30), d.int(2, 7)
    h = (a + b) // 60 + d.int(2, 3)
    d.cast(people="p")
    d.count(a=a, b=b, n=n, h=h)
    o, z = d.rng.sample(
        ["reading", "math", "drawing", "the piano", "chores", "spelling", "chess", "the garden", "cooking", "Spanish"],
        2,
    )
    d.show(o=o, z=z)
    facts = [
        "[{p} spends {a} minutes on {o} and {b} minutes on {z} [every day|each day|a day]|every day {o} takes {p} {a} minutes and {z} takes {b} minutes|~a day of {p} has {a} minutes of {o} and {b} minutes of {z}]",
        "[{p.he} has {h} hours for both|both must fit into {h} hours a day|there are {h} hours for this each day]",
    ]
    tell(d, facts, [
        Goal("how many minutes [a day |]is that [in all|altogether]", "Add the two times", "{a} + {b}", a + b),
        Goal("how many more minutes [a day |]does {p} spend on {o} than on {z}", "Compare the two times", "{a} - {b}", a - b),
        Goal("how many minutes does {p} spend on {z} in {n} days", "Only {z} counts: multiply", "{n} * {b}", n * b),
        Goal("how many minutes does {p} spend on both in {n} days", "Add, then multiply", "({a} + {b}) * {n}", (a + b) * n),
        Goal("how many minutes are [left|still free] each day", "An hour has 60 minutes; subtract both", "{h} * 60 - {a} - {b}", h * 60 - a - b),
    ], aside=0)  # fmt: skip


@family(S, weight=2)
def ages_in_family(d: Draft) -> None:
    """Ages by comparison, now, later or earlier."""
    a, m, n = d.int(12, 40), d.int(2, 9), d.int(2, 8)
    older = d.rng.random() < 0.5
    company(d)
    d.count(a=a, m=m, n=n)
    s, b = ("+", a + m) if older else ("-", a - m)
    word = "older" if older else "younger"
    back = "younger" if older else "older"
    facts = [
        "[{p} is {a} years old|{p} turned {a} [today|last week]|~{p}'s age is {a}]",
        f"[{{q}} is {{m}} years {word} than {{p}}|{{p}} is {{m}} years {back} than {{q}}]",
    ]
    tell(d, facts, [
        Goal("how old is {q} [now|]", f"{{q}} is {word}", f"{{a}} {s} {{m}}", b),
        Goal("how old will {q} be in {n} years", "Find the age now, then add the years", f"age = {{a}} {s} {{m}}; age + {{n}}", b + n),
        Goal("how old was {p} {n} years ago", "Only {p}'s age counts: subtract", "{a} - {n}", a - n),
        Goal("how old was {q} {n} years ago", "Find the age now, then go back", f"age = {{a}} {s} {{m}}; age - {{n}}", b - n) if b - n > 1
        else Goal("how old will {p} be in {n} years", "Only {p}'s age counts: add", "{a} + {n}", a + n),
        Goal("how many years are {p} and {q} together", "Find the second age, then add", f"age = {{a}} {s} {{m}}; {{a}} + age", a + b),
    ], aside=0)  # fmt: skip


@family(S, weight=2, reserved=True)
def weekly_eggs(d: Draft) -> None:
    """A daily yield over weeks, with some used each day."""
    r, k, n = d.int(6, 40), 0, d.int(2, 8)
    k = d.int(2, r - 2)
    d.cast(people="p")
    o, who = d.rng.choice(
        [("eggs", "hens"), ("liters of milk", "cows"), ("jars of honey", "bees"), ("bunches of kale", "fields")]
    )
    d.count(r=r, k=k, n=n)
    d.show(o=o, who=who)
    tell(d, ["[{p}'s {who} give {r} {o} a day|every day {p} gets {r} {o} from the {who}|~the {who} of {p} yield {r} {o} daily]", "{p.he} [keeps|uses] {k} of them each day and sells the rest"], [
        Goal("how many {o} does {p} sell in {n} weeks", "The daily rest times the days", "daily = {r} - {k}; daily * 7 * {n}", (r - k) * 7 * n),
        Goal("how many {o} does {p} get in {n} weeks", "The daily yield times the days", "{r} * 7 * {n}", r * 7 * n),
        Goal("how many {o} are sold each day", "Subtract", "{r} - {k}", r - k),
    ], aside=0)  # fmt: skip
