# ruff: noqa: E501 - one phrasing a line, whatever its length
"""Stories of equal groups: so many in each, shared out, left over, with a following step."""

from __future__ import annotations

from training.families.stories_change import noise
from training.problem import Draft, family

S = "word problems"


@family(S, weight=3)
def groups_total(d: Draft) -> None:
    """n groups of m."""
    n, m = d.int(2, 60), d.int(2, 60)
    d.cast(people="pq", things="oz")
    d.count(n=n, m=m)
    d.ask(
        "[{p} has|there are|the <shop> sells|~one finds] {n} <vessel> [of|with] {o}. "
        + noise(d)
        + " [each|every] [one|of them] [has|holds|contains] {m} {o}. [<howmany> {o} are there <total>?|how many {o} [does {p} have|is that] <total>?|find the number of {o}.]",
        "[each|every] [box|bag|basket|pack|jar|shelf|tray|~bin|row|carton] [has|holds|contains] {m} {o}. [{p} [has|fills|buys]|there are] {n} [of them|boxes|bags|such packs]. [how many {o} [are there|does {p.he} have] <total>?|what is the total number of {o}?]",
        "[{p}|a <worker>] [puts|packs|places|~arranges] {m} {o} [in each|into every] [box|bag|row|page|pile|group]. [how many {o} are in|how many {o} are needed for|find the number of {o} in] {n} [boxes|bags|rows|pages|piles|groups]?",
        "[{n} <group>|there are {n} <group>. they] each [have|bring|get|made|eat|~carry] {m} {o}. [how many {o} [do they have|is that|are needed] <total>?|what is the total number of {o}?]",
        "[how many {o} are in|how many {o} are there in|find how many {o} fit in] {n} <vessel> [if|when] each [holds|has] {m} {o}?",
        "{p} [reads|makes|eats|sells|uses|picks|draws] {m} {o} [a|every|each|per] [day|hour|week]. [how many {o} [is that|does {p.he} do] in {n} [days|hours|weeks]?|how many {o} after {n} [days|hours|weeks]?]",
    )
    d.think("Equal groups: multiply")
    d.code("print({n} * {m})")
    d.answer(n * m)


@family(S, weight=3)
def share_equally(d: Draft) -> None:
    """A total shared among n: the size of a group."""
    n, m = d.int(2, 50), d.int(2, 60)
    d.cast(people="pq", things="oz")
    d.count(n=n, t=n * m)
    d.ask(
        "{p} [has|<has>] {t} {o}. "
        + noise(d)
        + " {p.he} [shares|splits|divides] them [equally|evenly] among {n} <group>. [<howmany> {o} does each [one|person] get?|how many {o} are there for each?|how big is each share?]",
        "{t} {o} [are|were] [put|packed|placed|organized|sorted|~stowed] [equally|evenly|] into {n} <vessel>. "
        + noise(d)
        + " [how many {o} are in [each|every] [one|of them]?|how big is each group of {o}?]",
        "[if|when] {t} {o} are [shared|divided|split|organized] [equally|] [among|into|between] {n} [<group>|<vessel>], how many {o} are [in|for] each?",
        "[a <worker>|{p}] needs to [put|place|pack] {t} {o} in {n} [boxes|bags|rows|shelves] with the same number in each. [how many go in each one?|how many {o} will each hold?]",
        "{p} [made|read|sold|ate|picked|~wrote] {t} {o} in {n} [days|hours|weeks]. [how many {o} [a|per|each] [day|hour|week] is that?|if {p.he} did the same number every time, how many {o} is that each time?]",
        "{n} [of the|] [boxes|bags|packs] hold {t} {o} <total>[, the same number in each|]. how many {o} are [in each|in one] [box|of them|bag]?",
    )
    d.think("Share equally: divide")
    d.code("print({t} / {n})")
    d.answer(m)


@family(S, weight=3)
def number_of_groups(d: Draft) -> None:
    """A total and the size of a group: how many groups."""
    n, m = d.int(2, 50), d.int(2, 60)
    d.cast(people="pq", things="oz")
    d.count(m=m, t=n * m)
    d.ask(
        "{p} [has|<has>] {t} {o}. "
        + noise(d)
        + " [each|every] [box|bag|jar|shelf|page|~bin|pack] [holds|can hold|fits] {m}[| {o}]. [<howmany> [boxes|of them|bags|jars|shelves] [are needed|does {p.he} need]?|how many can {p.he} fill?]",
        "[a <worker>|{p}] [puts|packs|arranges|~groups] {t} {o} [in|into] <vessel> of {m}[| {o}][| each]. [how many [of them|groups] are there?|how many <vessel> is that?|find the number of <vessel>.]",
        "how many [groups|boxes|bags|packs|rows|~teams] of {m}[| {o}] can be made [from|with|out of] {t} {o}?",
        "{p} [reads|makes|uses|eats|sells] {m} {o} [a|every|each|per] [day|hour|week]. [how many [days|hours|weeks] [will it take to do|does {p.he} need for|for] {t} {o}?|in how many [days|hours|weeks] will {p.he} finish {t} {o}?]",
        "there are {t} {o}. [if|when] every [child|student|person|group|player] gets {m}[| {o}], how many [children|students|people|groups|players] [get some|can be served]?",
        "{t} <group> [go on a trip|ride in vans|sit at tables|~travel in cars]. each [car|van|table|boat] [holds|seats|takes] {m}. how many [cars|vans|tables|boats] are needed?",
    )
    d.think("How many groups: divide")
    d.code("print({t} / {m})")
    d.answer(n)


@family(S, weight=2)
def groups_leftover(d: Draft) -> None:
    """Left over after equal sharing, or full groups."""
    m, t = d.int(3, 20), d.int(40, 400)
    over = d.rng.random() < 0.6
    d.cast(people="pq", things="oz")
    d.count(m=m, t=t)
    ask = (
        "[how many {o} are left over?|how many are <left>?|how many {o} do not fit?|find the remainder of {o}.]"
        if over
        else "[how many full [boxes|bags|groups] are there?|how many [boxes|bags|groups] can be filled completely?|how many complete ones [does {p.he} get|are there]?]"
    )
    d.ask(
        "{p} has {t} {o} and [packs|puts|~stows] them [in|into] [boxes|bags|groups] of {m}[| each]. " + ask,
        "{t} {o} are [shared|divided] [among|into] [boxes|bags|groups] that hold {m} each. " + ask,
        "[a <worker>|{p}] [has to pack|packs] {t} {o}. Each [box|bag|group] takes {m}. " + ask,
    )
    d.think("The remainder is what is left" if over else "Whole groups: integer division")
    d.code("print({t} % {m})" if over else "print({t} // {m})")
    d.answer(t % m if over else t // m)


@family(S, weight=2.5)
def groups_then_change(d: Draft) -> None:
    """n groups of m, then some more or fewer."""
    n, m, c = d.int(2, 30), d.int(3, 30), 0
    c = d.int(1, n * m - 1)
    up = d.rng.random() < 0.4
    d.cast(people="pq", things="oz")
    d.count(n=n, m=m, c=c)
    change = (
        "[{p.he} also has {c} [more|loose|single] {o}.|{q} <gives> {p.him} {c} more.|there are {c} more {o} [on the table|outside|~on the floor].|then {p.he} <buys> {c} more[| {o}].]"
        if up
        else "[{p.he} <gives> {c} [of them|{o}] [to {q}|away].|{p.he} [used|ate|sold|lost|~dropped] {c}[| of them| {o}].|{c} of the {o} are [broken|gone|bad].|{q} took {c}[| of them].]"
    )
    ask = (
        "[how many {o} does {p} have <now>?|how many {o} [is that|are there] <total>?|find the total number of {o}.]"
        if up
        else "[how many {o} are <left>?|how many {o} does {p} have <left>?|how many {o} remain?]"
    )
    d.story(
        [
            "[{p} [<buys>|has|fills] {n} <vessel> of {o} with {m}[| {o}] in each.|there are {n} <vessel> with {m} {o} each. they belong to {p}.|{p} has {n} <vessel>. each [holds|has|contains] {m} {o}.]",
            change,
        ],
        ask,
    )
    d.think("Multiply for the groups, then add" if up else "Multiply for the groups, then subtract")
    d.code("total = {n} * {m}\nprint(total + {c})" if up else "total = {n} * {m}\nprint(total - {c})")
    d.answer(n * m + c if up else n * m - c)


@family(S, weight=2.5)
def change_then_share(d: Draft) -> None:
    """A total changes, then is shared or grouped."""
    n, m, c = d.int(2, 12), d.int(2, 30), d.int(2, 60)
    up, size = d.rng.random() < 0.4, d.rng.random() < 0.5
    t = n * m - c if up and n * m > c + 1 else n * m + c
    up = t < n * m
    d.cast(people="pq", things="oz")
    d.count(t=t, c=c, n=n)
    box = d.rng.choice(["bag", "jar", "tray", "basket", "crate"])
    d.show(box=box)
    change = (
        "[{p.he} <buys> {c} more.|{q} <gives> {p.him} {c} more.|{p.he} finds another {c}.]"
        if up
        else "[{p.he} [ate|lost|used|sold|~dropped] {c}[| of them].|{c} of them [were bad|were broken|got lost].|{p.he} keeps {c} for {p.him}self.]"
    )
    if size:
        share = "[{p.he} then shares [the rest|them|all] equally among {n} <group>.|[the rest|all of them] go into {n} [boxes|bags|jars], the same number in each.]"
        ask = "[how many {o} does each [one |]get?|how many {o} are in each?|how many is that for each?]"
    else:
        share = "[{p.he} then packs [the rest|them] in {box}s of {n}.|[each|every] {box} gets {n}[| {o}].]"
        ask = "[how many {box}s is that?|how many [groups|{box}s] [can {p.he} make|are there]?|how many {box}s [are there|are needed|can be filled]?]"
    d.story(["{p} <has> {t} {o}.", change, share], ask)
    sign = "+" if up else "-"
    d.think("Find how many there are, then divide")
    d.code(f"rest = {{t}} {sign} {{c}}\nprint(rest / {{n}})")
    d.answer(m)


@family(S, weight=2)
def two_kinds_of_groups(d: Draft) -> None:
    """a groups of m and b groups of n."""
    a, m, b, n = d.int(2, 20), d.int(2, 25), d.int(2, 20), d.int(2, 25)
    less = d.rng.random() < 0.3 and a * m > b * n
    d.cast(people="pq", things="oz")
    d.count(a=a, m=m, b=b, n=n)
    d.ask(
        "{p} has {a} [bags|boxes|packs] with {m} {o} each and {b} [baskets|jars|crates|~tins] with {n} {o} each. "
        + (
            "[how many more {o} are in the first kind|how many more {o} are in the former than in the latter]?"
            if less
            else "[<howmany> {o} does {p.he} have <total>?|how many {o} <total>?|find the total number of {o}.]"
        ),
        "there are {a} [rows|shelves|tables] of {m} {o} and {b} [rows|shelves|tables] of {n} {z}. "
        + (
            "[how many more {o} than {z} are there?|by how many do the {o} exceed the {z}?]"
            if less
            else "[how many [things|items] are there <total>?|how many {o} and {z} are there <total>?|~what do they come to?]"
        ),
        "{p} [buys|made|has] {a} packs of {o} and {b} packs of {z}. [there are|with] {m} {o} in [each|a|one] pack of {o} and {n} {z} in [each|a|one] pack of {z}. "
        + (
            "how many more {o} than {z} [are there|does {p.he} have]?"
            if less
            else "how many [items|things] [is that|are there] <total>?"
        ),
    )
    d.think("Multiply each kind, then subtract" if less else "Multiply each kind, then add")
    d.code(f"first = {{a}} * {{m}}\nsecond = {{b}} * {{n}}\nprint(first {'-' if less else '+'} second)")
    d.answer(a * m - b * n if less else a * m + b * n)


@family(S, weight=1.5)
def nested_groups(d: Draft) -> None:
    """Groups of groups: a * b * c."""
    a, b, c = d.int(2, 15), d.int(2, 15), d.int(2, 20)
    d.cast(people="pq", things="o")
    d.count(a=a, b=b, c=c)
    box, shelf = d.rng.choice(["box", "bag", "crate", "basket"]), d.rng.choice(["shelf", "cart", "truck", "table"])
    d.show(box=box, boxes=box + ("es" if box == "box" else "s"), shelf=shelf, shelves=shelf.replace("lf", "lve") + "s")
    d.ask(
        "[there are|{p} has|~one sees] {a} [shelves|rooms|trucks|floors]. each [one|of them] has {b} [boxes|bags|baskets] [with|of] {c} {o}[| each]. [<howmany> {o} are there <total>?|how many {o} is that?]",
        "{p} [reads|makes|sells|eats] {b} {o} [a|every] day, {c} days [a|each] week. how many {o} [is that|does {p.he} do] in {a} weeks?",
        "[each|every] {box} has {c} {o}, and {b} {boxes} fit on a {shelf}. how many {o} are on {a} {shelves}?",
    )
    d.think("Multiply all three")
    d.code("print({a} * {b} * {c})")
    d.answer(a * b * c)


@family(S, weight=1.5, reserved=True)
def combine_then_share(d: Draft) -> None:
    """Two persons put together and share equally."""
    n, m = d.int(2, 10), d.int(4, 30)
    a = d.int(1, n * m - 1)
    d.cast(people="pq", things="o")
    d.count(a=a, b=n * m - a, n=n)
    d.story(
        [
            "{p} has {a} {o} and {q} has {b}.",
            "they put them together and [share|split] them equally among {n} <group>.",
        ],
        "[how many {o} does each get?|how many {o} are there for each one?|find each share.]",
    )
    d.think("Add, then divide")
    d.code("total = {a} + {b}\nprint(total / {n})")
    d.answer(m)


@family(S, weight=1.5)
def read_rest(d: Draft) -> None:
    """So many a day for some days, how many are left; or how many a day for the rest."""
    per, days, rest_days, rest = d.int(3, 40), d.int(2, 10), d.int(2, 10), d.int(3, 30)
    total = per * days + rest_days * rest
    d.cast(people="p", things="o")
    d.count(per=per, days=days, rd=rest_days, t=total)
    more = d.rng.random() < 0.5
    d.story(
        [
            "[{p} [has to|must|wants to] [read a book of {t} pages|make {t} {o}|paint {t} {o}|~check {t} {o}].|{p} has {t} [pages|{o}] to [read|do|pack].]",
            "{p.he} [does|did|finishes] {per} [a|each|every|per] day for {days} days.",
        ],
        "[how many [a|per|each] day must {p.he} do to finish the rest in {rd} days?|{p.he} wants to finish in {rd} more days. how many is that per day?]"
        if more
        else "[how many are <left>?|how many does {p.he} still have to do?|how many remain?]",
    )
    d.think("Find what is left, then divide by the days" if more else "Multiply for the done part and subtract")
    d.code("left = {t} - {per} * {days}\n" + ("print(left / {rd})" if more else "print(left)"))
    d.answer(rest if more else total - per * days)
