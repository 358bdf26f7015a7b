# ruff: noqa: E501 - one phrasing a line, whatever its length
"""Short stories of one or two steps: joining, taking away, comparing, combining, with facts that do not matter."""

from __future__ import annotations

from training import words
from training.problem import Draft, family

S = "word problems"


def noise(d: Draft) -> str:
    """A fact that does not matter (uses slots `{z}`, `{x}`), or nothing."""
    roll = d.rng.random()
    d.cast(things="z")
    d.count(x=d.int(2, 99))
    if roll < 0.6:
        return ""
    return d.rng.choice([
        "{p} also has {x} {z}.", "there [are|were] also {x} {z} there.", "{p} is {x} years old.",
        "{p.he} also saw {x} {z} <day>.", "the room has {x} {z}.", "{x} {z} were there too.", "{p} <buys> {x} {z} as well.",
        "{p.his} friend has {x} {z}.",
    ])  # fmt: skip


@family(S, weight=3)
def change_join(d: Draft) -> None:
    """Start and gain, the result unknown."""
    a, b = d.int(2, 999), d.int(2, 400)
    d.cast(people="pq", things="o")
    d.count(a=a, b=b)
    gain = "[{q} <gives> {p.him} {b} more {o}.|{p.he} [finds|found|picked] {b} more <day>.|<later> {p.he} <buys> {b} [more|other|additional] {o}.|{p.he} got {b} more from {q}.|another {b} {o} were [added|given to {p.him}].|{b} more arrived <later>.]"
    d.story(
        ["{p} <has> {a} {o} <day>.", noise(d), gain],
        "[<howmany> {o} does {p} have <now>?|how many {o} are there <now>?|[Find|What is] the [total |]number of {o} {p.he} has <now>.|how many {o} <total>?|what's {p.his} new total of {o}?]",
    )
    d.think("{p} gets more {o}, so add")
    d.code("print({a} + {b})")
    d.answer(a + b)


@family(S, weight=3)
def change_separate(d: Draft) -> None:
    """Start and loss, the result unknown."""
    a = d.int(10, 999)
    b = d.int(1, a - 1)
    d.cast(people="pq", things="o")
    d.count(a=a, b=b)
    loss = "[{p.he} <gives> {b} [of them|{o}|] to {q}.|{p.he} [lost|used|ate|sold|broke|spent|~misplaced] {b} [of them|{o}|].|{b} of [them|the {o}] [were sold|were broken|were lost|went bad|were taken away].|<later> {q} [took|borrowed|ate] {b} [of them|{o}].]"
    d.story(
        [
            "[{p} <has> {a} {o} <day>.|there were {a} {o} <place>. {p} [takes care of them|owns them].|{p} had {a} {o}.]",
            noise(d),
            loss,
        ],
        "[<howmany> {o} does {p} have <left>?|how many {o} are <left>?|how many [more |]{o} [remain|are there now]?|[Find|What is] the number of {o} <left>.|how many {o} did {p.he} have [left|in the end]?]",
    )
    d.think("Some {o} are gone, so subtract")
    d.code("print({a} - {b})")
    d.answer(a - b)


@family(S, weight=2.5)
def change_unknown(d: Draft) -> None:
    """Start and result known, the change unknown."""
    a, b = d.int(2, 500), d.int(2, 400)
    up = d.rng.random() < 0.5
    start, end = (a, a + b) if up else (a + b, a)
    d.cast(people="pq", things="o")
    d.count(a=start, b=end)
    middle = (
        "[{p.he} <buys> some more <place>.|{q} <gives> {p.him} some more.|{p.he} found some more.|then more {o} came.|{p.he} collected [some|several] more.]"
        if up
        else "[{p.he} <gives> some to {q}.|{p.he} [sold|lost|ate|used] some of them.|some of them were [broken|taken|lost].|{q} took [some|a few].]"
    )
    ask = (
        "[<howmany> {o} did {p} [get|receive|gain]?|how many {o} [were added|came|did {p.he} add]?|how many {o} did {p.he} [buy|find|collect]?]"
        if up
        else "[<howmany> {o} did {p} [give away|lose|use|sell|eat]?|how many {o} [were taken|are gone|are missing|were removed]?]"
    )
    d.story(
        [
            "{p} <has> {a} {o} <day>.",
            middle,
            noise(d),
            "[now|<later>|after that] {p.he} has {b} {o}[| left]."
            if not up
            else "[now|after that] {p.he} has {b} {o}[| in all].",
        ],
        ask,
    )
    d.think("The change is the difference")
    d.code("print({b} - {a})" if up else "print({a} - {b})")
    d.answer(b)


@family(S, weight=2.5)
def start_unknown(d: Draft) -> None:
    """Change and result known, the start unknown."""
    a, b = d.int(2, 500), d.int(2, 400)
    up = d.rng.random() < 0.5
    d.cast(people="pq", things="o")
    d.count(b=b, c=a + b if up else a)
    middle = (
        "[{q} <gives> {p.him} {b} more {o}.|{p.he} <buys> {b} more {o}.|{p.he} found {b} more.]"
        if up
        else "[{p.he} <gives> {b} {o} to {q}.|{p.he} [sold|lost|ate|used] {b} {o}.|{q} took {b} of them.]"
    )
    d.story(
        [
            "{p} had some {o}.",
            middle,
            "[now|<later>|then] {p.he} has {c} {o}[| left]." if not up else "[now|then] {p.he} has {c} {o}.",
            noise(d),
        ],
        "[<howmany> {o} did {p} have [at first|to start with|in the beginning|before|~originally]?|how many {o} were there [at first|at the start|to begin with]?|what was the number of {o} at [first|the beginning]?]",
    )
    d.think("Undo the change: subtract" if up else "Undo the change: add back")
    d.code("print({c} - {b})" if up else "print({c} + {b})")
    d.answer(a if up else a + b)


@family(S, weight=2.5)
def compare_difference(d: Draft) -> None:
    """Two amounts, how many more or fewer."""
    a, b = sorted(d.ints(2, 2, 700), reverse=True)
    d.cast(people="pq", things="oz")
    d.count(a=a, b=b)
    kind = d.rng.choice(["people", "things", "places", "days"])
    if kind == "people":
        facts = [
            "{p} [has|owns|ate|sold|collected|made|read|~holds] {a} {o}.",
            "{q} [has|got|ate|sold|collected|made|read] {b}[| {o}].",
        ]
        ask = "[<howmany> more {o} [does {p} have|did {p} have] than {q}?|how many fewer {o} does {q} have than {p}?|what is the difference between [their amounts|what {p} and {q} have]?|by how many {o} does {p} [beat|exceed] {q}?]"
    elif kind == "things":
        facts = [
            "[there are|{p} has|the <shop> sold|we counted|~one can see] {a} {o} <place>.",
            "[there are|{p} has|they also sold|we also saw] {b} {z} <place>.",
        ]
        ask = "[<howmany> more {o} than {z} [are there|were there|does {p} have]?|how many fewer {z} than {o}[| are there]?|what is the difference between the number of {o} and {z}?]"
    elif kind == "places":
        facts = [
            "the [first|red|big|left|old] [box|bag|shelf|shop|class|team] [has|holds|got] {a} {o}.",
            "the [second|blue|small|right|new] one has {b}[| {o}].",
        ]
        ask = "[<howmany> more {o} [are in|does] the [first|larger] one [|have] than the other?|how many more {o} are in one than in the other?|what is the difference?]"
    else:
        facts = [
            "{p} [sold|picked|made|ate|counted|~baked] {a} {o} on [Monday|Friday|the first day].",
            "{p.he} did {b}[| {o}] on [Tuesday|Sunday|the second day].",
        ]
        ask = "[<howmany> more {o} [on the better day|on the first of these days] than on the other?|how many more {o} did {p.he} have the first time?|what is the difference between the two days?]"
    d.story([*facts, noise(d)], ask)
    d.think("Compare by subtracting")
    d.code("print({a} - {b})")
    d.answer(a - b)


@family(S, weight=2.5)
def compare_other(d: Draft) -> None:
    """One amount and the difference, the other amount or both together."""
    a, b = d.int(20, 500), d.int(2, 19)
    more, both = d.rng.random() < 0.5, d.rng.random() < 0.4
    d.cast(people="pq", things="o")
    d.count(a=a, b=b)
    relation = (
        "{q} [has|got|collected|made] {b} more {o} than {p}."
        if more
        else "{q} [has|got|collected|made] {b} [fewer|less] {o} than {p}."
    )
    facts = ["{p} [has|got|collected|made|~keeps] {a} {o}.", relation]
    if d.rng.random() < 0.3:
        facts.reverse()
    other = a + b if more else a - b
    sign = "+" if more else "-"
    if both:
        d.story(
            [*facts, noise(d)],
            "[<howmany> {o} do they have <total>?|how many {o} do {p} and {q} have <total>?|what is the total number of {o}?]",
        )
        d.think("First find what {q} has, then add both")
        d.code(f"other = {{a}} {sign} {{b}}\nprint({{a}} + other)")
        d.answer(a + other)
    else:
        d.story(
            [*facts, noise(d)],
            "[<howmany> {o} does {q} have?|how many {o} [has|are with] {q}?|find the number of {o} {q} has.|what about {q}, how many {o}?]",
        )
        d.think("{q} has more, so add" if more else "{q} has fewer, so subtract")
        d.code(f"print({{a}} {sign} {{b}})")
        d.answer(other)


@family(S, weight=2)
def combine(d: Draft) -> None:
    """Two or three parts, their total."""
    count = d.rng.choice([2, 2, 3])
    n = [d.int(2, 500) for _ in range(count)]
    d.cast(people="pqr", things="ouv")
    d.count(**dict(zip("abc", n, strict=False)))
    style = d.rng.choice(["people", "things", "days"])
    if style == "people":
        d.story(
            [
                f"{{{w}}} [has|made|picked|ate|~gathered|sold] {{{k}}} {{o}}[.|, ]"
                for w, k in zip("pqr", "abc"[:count], strict=False)
            ],
            "[<howmany> {o} do they have <total>?|how many {o} [are there|is that] <total>?|what is the total number of {o}?|find the total of {o}.]",
        )
    elif style == "things":
        listed = "{a} {o} and {b} {u}" if count == 2 else "{a} {o}, {b} {u} and {c} {v}"
        d.story(
            [f"[{{p}} <has> {listed}.|there are {listed} <place>.|a [box|farm|shop|class|bag|~chest] has {listed}.]"],
            "[<howmany> [things|items|objects] [are there|does {p.he} have|is that] <total>?|what is the total[| number]?|how many are there <total>?]",
        )
    else:
        d.story(
            [
                "{p} [read|walked past|sold|made|counted|~baked] {a} {o} on Monday",
                "and {b} on Tuesday" + ("." if count == 2 else ", and {c} on Wednesday."),
            ],
            "[<howmany> {o} [did {p.he} do|is that] <total>?|what is the total number of {o}?|how many {o} over these days?]",
        )
    d.think("Add the parts")
    d.code("print(" + " + ".join(f"{{{k}}}" for k in "abc"[:count]) + ")")
    d.answer(sum(n))


@family(S, weight=2.5)
def part_unknown(d: Draft) -> None:
    """A total and one or two parts, the remaining part."""
    parts = [d.int(2, 300) for _ in range(d.rng.choice([2, 2, 3]))]
    total = sum(parts)
    d.cast(people="pq", things="ouv")
    d.count(t=total, a=parts[0], b=parts[1])
    three = len(parts) == 3
    known = (
        "{a} [are|were] [{o.one}-shaped|red|girls|old|from {q}|new|broken|~striped] and {b} [are|were] [green|blue|boys|small]"
        if three
        else "{a} of them are [red|girls|old|new|broken|from {q}|~striped|men|boys]"
    )
    d.story(
        [
            "[there are {t} [{o}|<group>|animals] <place>.|{p} has {t} {o}.|a [class|box|bus|farm|team] has {t} [{o}|<group>].]",
            known + ".",
        ],
        "[<howmany> are [not|of another kind|neither of these|different]?|how many [others|other ones] are there?|the rest are [yellow|girls|women|~plain|black]. how many [are|is] that?|how many remain?|find the number of the [others|rest].]",
    )
    d.think("The rest is the total without the known part")
    d.code("print({t} - {a} - {b})" if three else "print({t} - {a})")
    d.answer(total - parts[0] - (parts[1] if three else 0))


@family(S, weight=2)
def gain_and_loss(d: Draft) -> None:
    """Start, then a gain and a loss in either order."""
    a, b, c = d.int(30, 500), d.int(2, 200), d.int(2, 29)
    d.cast(people="pq", things="o")
    d.count(a=a, b=b, c=c)
    gain = "[{p.he} <buys> {b} more[| {o}] <later>.|{q} <gives> {p.him} {b}[| more].|<later> {p.he} finds {b} more.|{b} more [came|were added].]"
    loss = "[{p.he} <gives> {c} [of them|] to {q}.|{p.he} [loses|sold|used|ate] {c}[| of them].|{c} of them [broke|were sold|were lost].]"
    order = [(gain, "+ {b}"), (loss, "- {c}")]
    d.rng.shuffle(order)
    d.story(
        [
            "[{p} <has> {a} {o} <day>.|there were {a} {o} [in|at] {p}'s [house|room|shop|~shed].]",
            *(text for text, _ in order),
        ],
        "[<howmany> {o} does {p} have <now>?|how many {o} are [there now|left]?|how many {o} remain?|find the final number of {o}.]",
    )
    d.think("Follow the changes in order")
    d.code("print({a} " + " ".join(op for _, op in order) + ")")
    d.answer(a + b - c)


@family(S, weight=1.5, reserved=True)
def two_losses(d: Draft) -> None:
    """Start and two losses."""
    b, c = d.int(2, 60), d.int(2, 60)
    a = b + c + d.int(2, 200)
    d.cast(people="pq", things="o")
    d.count(a=a, b=b, c=c)
    d.story(
        [
            "{p} <has> {a} {o}.",
            "[{p.he} <gives> {b} to {q}.|{p.he} lost {b} of them <day>.]",
            "[then {p.he} sold {c}[| more].|<later> {c} of them broke.]",
        ],
        "[<howmany> {o} does {p} have <left>?|how many {o} are <left>?|how many {o} remain?]",
    )
    d.think("Subtract both losses")
    d.code("print({a} - {b} - {c})")
    d.answer(a - b - c)


@family(S, weight=2)
def times_as_many(d: Draft) -> None:
    """k times as many: the other amount, the total or the difference."""
    k, a = d.int(2, 6), d.int(2, 150)
    d.cast(people="pq", things="o")
    d.count(a=a)
    d.let(k=k)
    d.show(kt=words.times(d.rng, k))
    goal = d.rng.choice(["other", "total", "difference"])
    facts = [
        "{p} [has|made|collected|sold|~saved] {a} {o}.",
        "{q} [has|made|collected|sold|got] {kt} as many[| {o}][| as {p}].",
    ]
    facts[1] = facts[1].replace("[| as {p}]", " as {p}") if d.rng.random() < 0.7 else facts[1]
    ask = {
        "other": "[<howmany> {o} does {q} have?|how many {o} is that for {q}?|find the number of {o} {q} has.]",
        "total": "[<howmany> {o} do they have <total>?|how many {o} do {p} and {q} have <total>?|find their total number of {o}.]",
        "difference": "[<howmany> more {o} does {q} have than {p}?|how many fewer {o} does {p} have than {q}?]",
    }[goal]
    d.story([*facts, noise(d)], ask)
    code = {
        "other": "print({a} * {k})",
        "total": "other = {a} * {k}\nprint({a} + other)",
        "difference": "other = {a} * {k}\nprint(other - {a})",
    }
    d.think(
        {
            "other": "{q} has {kt} as many, so multiply",
            "total": "Find what {q} has, then add",
            "difference": "Find what {q} has, then subtract",
        }[goal]
    )
    d.code(code[goal])
    d.answer({"other": a * k, "total": a * k + a, "difference": a * k - a}[goal])


@family(S, weight=1.5)
def half_as_many(d: Draft) -> None:
    """Half as many: the other amount or the total."""
    a = 2 * d.int(2, 200)
    total = d.rng.random() < 0.5
    d.cast(people="pq", things="o")
    d.count(a=a)
    d.story(
        [
            "{p} [has|sold|made|read|ate|~counted] {a} {o}[| <day>].",
            "[{q} [has|did|sold|made] half as many[| {o}][| as {p}].|{q} has half of that.|{q} only got half as many {o}.]",
        ],
        "[<howmany> {o} do they have <total>?|how many {o} <total>?|find the total number of {o}.]"
        if total
        else "[<howmany> {o} does {q} have?|how many {o} is that for {q}?|find {q}'s number of {o}.]",
    )
    d.think("Halve it, then add both" if total else "Half as many means divide by 2")
    d.code("half = {a} / 2\nprint({a} + half)" if total else "print({a} / 2)")
    d.answer(a + a // 2 if total else a // 2)
