# ruff: noqa: E501 - one phrasing a line, whatever its length
"""Stories composed freely: events, comparisons, purchases, legs and parts in any number, with any of many questions."""

from __future__ import annotations

import re
from dataclasses import dataclass

from training import words
from training.families.composed import S, program, slot, write
from training.families.telling import kinds
from training.problem import Draft, family

KINDS = ("foods", "collectibles", "supplies", "goods", "plants")
UP = "[found|bought|got|received|collected|won|~obtained] {k} more|was given {k} more by {q}|[picked up|earned|~acquired] {k} more|got {k} more from {q}"
DOWN = "[lost|sold|gave away|threw away|~dropped] {k} of them|gave {k} to {q}|[sold|mailed|lent|handed] {k} [of them |]to {q}|[used up|ruined|donated] {k}"
SHARES = {
    "2": "doubled [{p.his} collection|the number {p.he} had]|bought as many as {p.he} already had",
    "3": "tripled [{p.his} collection|the number {p.he} had]",
    "h": "[gave half of them to {q}|sold half of them|lost half of them|~parted with half of them]",
    "t": "[gave|sold] a third of them to {q}",
}
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
OTHERS = "[{q} had {x} {z}|{p} had {x} {z}|{p} was {x} years old|there were {x} {z} in the room|{q} bought {x} {z} <day>|~{p} had seen {x} {z} before]"


@dataclass(frozen=True)
class Event:
    """What happened: its clause, the step of a program and the step back, the number before and after it."""

    text: str
    code: str
    undo: str
    sign: str
    before: int
    after: int


def happen(d: Draft, value: int, count: int, signs: str) -> list[Event]:
    """`count` events that start from `value` things."""
    result = []
    for _ in range(count):
        sign = d.rng.choice(signs)
        fits = {"h": value % 2 == 0, "t": value % 3 == 0, "-": value > 3, "2": value < 300, "3": value < 200}
        if not fits.get(sign, True) or (sign in "ht" and value < 6):
            sign = "+"
        k = d.int(1, value - 1) if sign == "-" else d.int(2, d.rng.choice([12, 40, 99]))
        named = slot(d, k) if sign in "+-" else ""
        text = d.say(f"[{UP if sign == '+' else DOWN if sign == '-' else SHARES[sign]}]").replace("{k}", named)
        code, undo, after = {
            "+": (f"@ + {named}", f"@ - {named}", value + k),
            "-": (f"@ - {named}", f"@ + {named}", value - k),
            "2": ("@ * 2", "@ // 2", value * 2),
            "3": ("@ * 3", "@ // 3", value * 3),
            "h": ("@ // 2", "@ * 2", value // 2),
            "t": ("@ // 3 * 2", "@ // 2 * 3", value - value // 3),
        }[sign]
        result.append(Event(text, code, undo, sign, value, after))
        value = after
    return result


def cast(d: Draft) -> int:
    """Draw the persons, the things, a number that does not matter; give the number at the start."""
    d.cast(people="pq")
    kinds(d, d.rng.choice(KINDS), "oz")
    d.count(x=d.int(2, 99))
    return d.int(4, d.rng.choice([20, 60, 99, 400]))


def joined(d: Draft, first: str, events: list[str], question: str) -> str:
    """The story as sentences; neighbouring events are sometimes one sentence, an aside is sometimes put in."""
    lines = [first]
    for event in events:
        if len(lines) > 1 and " and then " not in lines[-1] and d.rng.random() < 0.3:
            lines[-1] += f" and then {event}"
        else:
            lines.append(d.say("[{p.he}|{p.he}|then {p.he}|after that {p.he}|<later> {p.he}|{p}]") + f" {event}")
    if d.rng.random() < 0.35:
        lines.insert(0, d.say(OTHERS))
    return ". ".join([*lines, question])


@family(S, weight=8)
def events_end(d: Draft) -> None:
    """One to five events, the number at the end or the sum of what came or went."""
    value = cast(d)
    start = slot(d, value)
    events = happen(d, value, d.int(1, 5), d.rng.choice(["+-", "+-", "+-23ht"]))
    first = d.say(
        "[{p} <has> @ {o}|{p} had @ {o}|there were @ {o} in {p}'s [room|box|bag]|{p} started with @ {o}]"
    ).replace("@", start)
    sign = d.rng.choice("+-")
    chosen = [event for event in events if event.sign == sign]
    if len(chosen) > 1 and len(events) > 2 and all(event.sign in "+-" for event in events) and d.rng.random() < 0.3:
        ask = d.say(
            "[how many {o} did {p} get in all|how many {o} were added altogether]?"
            if sign == "+"
            else "[how many {o} did {p} part with in all|how many {o} were gone altogether]?"
        )
        d.think("Only what came in counts" if sign == "+" else "Only what went away counts")
        steps = [chosen[0].code[4:], *[f"@ + {event.code[4:]}" for event in chosen[1:]]]
        result = sum(abs(event.after - event.before) for event in chosen)
    else:
        ask = d.say(
            "[how many {o} does {p} have [now|in the end|after that|~finally]|how many {o} are there now|what is the number of {o} {p} has now|how many {o} did {p} have in the end|how many {o} is that]?"
        )
        d.think("Follow what happens to the {o}")
        steps = [start, *[event.code for event in events]]
        result = events[-1].after
    write(d, joined(d, first, [event.text for event in events], ask))
    d.code(program(steps))
    d.answer(result)


@family(S, weight=6)
def events_start(d: Draft) -> None:
    """One to five events and the number at the end: the number at the start is asked for."""
    value = cast(d)
    events = happen(d, value, d.int(1, 5), d.rng.choice(["+-", "+-", "+-23ht"]))
    end = slot(d, events[-1].after)
    first = d.say("{p} had [some|a number of|~quite a few] {o}")
    last = d.say("[now {p} has @ {o}|in the end {p} had @ {o}|that left {p} with @ {o}|now there are @]").replace(
        "@", end
    )
    ask = d.say(
        "[how many {o} did {p} have [at first|in the beginning|before all that|to start with|~originally]|how many {o} were there at the start|what was the number of {o} at first]?"
    )
    write(d, joined(d, first, [event.text for event in events], f"{last}. {ask}"))
    d.think("Go back from the end and undo every event")
    d.code(program([end, *[event.undo for event in reversed(events)]]))
    d.answer(value)


@family(S, weight=6)
def events_between(d: Draft) -> None:
    """Events on different days: the number on one of the days, or the size of one change."""
    value = cast(d)
    start = slot(d, value)
    events = happen(d, value, d.int(2, 4), "+-")
    days = sorted(d.rng.sample(range(len(DAYS)), len(events)))
    at = d.int(0, len(events) - 1)
    texts = [event.text for event in events]
    first = d.say("[{p} had @ {o}|{p} [owned|started with] @ {o}|at first {p} had @ {o}]").replace("@", start)
    if d.rng.random() < 0.5:
        d.show(day=DAYS[days[at]])
        ask = d.say(
            "[how many {o} did {p} have [on {day} evening|after {day}|at the end of {day}]|what was the number of {o} on {day} evening|~how many {o} were left when {day} was over]?"
        )
        d.think("Stop after {day}")
        code, answer = program([start, *[event.code for event in events[: at + 1]]]), events[at].after
    else:
        hidden = events[at]
        texts[at] = re.sub(r"\{n\d+\} of them|\{n\d+\}", "some", hidden.text)
        end = slot(d, events[-1].after)
        d.show(day=DAYS[days[at]])
        verb = "get" if hidden.sign == "+" else "part with"
        texts[-1] += d.say("[. Now {p} has @ {o}|. In the end {p} had @ {o}|. That left @ {o}]").replace("@", end)
        ask = d.say(
            f"[how many {{o}} did {{p}} {verb} on {{day}}|{{day}} is not known exactly: how many {{o}} did {{p}} {verb} then|~what number of {{o}} did {{p}} {verb} on {{day}}]?"
        )
        d.think("Count from both ends, the difference is the change")
        before = start + "".join(event.code[1:] for event in events[:at])
        after = end + "".join(event.undo[1:] for event in reversed(events[at + 1 :]))
        big, small = ("after", "before") if hidden.sign == "+" else ("before", "after")
        code = f"before = {before}\nafter = {after}\nprint({big} - {small})"
        answer = abs(hidden.after - hidden.before)
    lines = [f"on {DAYS[day]} {d.say('[{p.he}|{p}]')} {text}" for day, text in zip(days, texts, strict=True)]
    write(d, ". ".join([first, *lines, ask]))
    d.code(code)
    d.answer(answer)


@family(S, weight=8)
def comparison_chain(d: Draft) -> None:
    """Two to five persons compared with each other: one number, the total or a difference."""
    count = d.int(2, 5)
    people = words.people(d.rng, count)
    kinds(d, d.rng.choice(KINDS), "o")
    d.show(**{f"p{at}": person for at, person in enumerate(people)})
    # Names as the story has them: to be copied, not to be matched with letters. "Uncle Bert" is Bert.
    own = [person.name.split()[-1] for person in people]
    if len(set(own)) < count:
        own = list("abcde"[:count])
    verb = d.say("[has|has|owns|collected|bought|got]")
    values = [2 * d.int(2, d.rng.choice([10, 40, 99]))]
    known = slot(d, values[0])
    facts, codes, origin = [f"{{p0}} {verb} {known} {{o}}"], [known], [0]
    for at in range(1, count):
        base = at - 1 if d.rng.random() < 0.7 else d.int(0, at - 1)
        value = values[base]
        sign = d.rng.choice("++--*h")
        if (sign == "*" and value > 150) or (sign == "h" and value % 2) or (sign == "-" and value < 5):
            sign = "+"
        k = d.int(2, value - 2) if sign == "-" else d.int(2, 5) if sign == "*" else d.int(2, 40)
        named = slot(d, k) if sign in "+-" else str(k)
        me, him = f"{{p{at}}}", f"{{p{base}}}"
        more, less = ("more", "fewer") if sign == "+" else ("fewer", "more")
        if sign in "+-":
            straight = f"{me} {verb} {named} {more} {{o}} than {him}"
            facts.append(straight if d.rng.random() < 0.75 else f"{him} {verb} {named} {less} {{o}} than {me}")
        elif sign == "*":
            facts.append(f"{me} {verb} {words.times(d.rng, k)} as many {{o}} as {him}")
        else:
            facts.append(f"{me} {verb} half as many {{o}} as {him}")
        codes.append({"+": f"@ + {named}", "-": f"@ - {named}", "*": f"@ * {k}", "h": "@ // 2"}[sign])
        values.append({"+": value + k, "-": value - k, "*": value * k, "h": value // 2}[sign])
        origin.append(base)
    if d.rng.random() < 0.25:
        facts.append(facts.pop(0))
    lines = [f"{own[at]} = " + codes[at].replace("@", own[origin[at]]) for at in range(count)]
    goal = d.rng.choice(["one", "one", "total", "difference"])
    high, low = sorted(d.rng.sample(range(count), 2), key=lambda at: -values[at])
    needed = (
        set(range(count))
        if goal == "total"
        else {high, low}
        if goal == "difference" and values[high] > values[low]
        else {count - 1}
    )
    asked = sorted(needed)
    do = "does" if verb in ("has", "owns") else "did"
    base_verb = {"has": "have", "owns": "own", "collected": "collect", "bought": "buy", "got": "get"}[verb]
    if len(asked) == 1:
        ask = d.say(
            f"[how many {{o}} {do} {{p{count - 1}}} {base_verb}|what number of {{o}} {do} {{p{count - 1}}} {base_verb}|how many {{o}} is that for {{p{count - 1}}}]?"
        )
        d.think(f"Go along the chain to {{p{count - 1}}}")
        last, answer = own[count - 1], values[-1]
    elif goal == "total":
        ask = d.say(
            f"[how many {{o}} do they have <total>|how many {{o}} do [all of them|the {words.number_word(count)}] have together|what is the total number of {{o}}|~what do all their {{o}} add up to]?"
        )
        d.think("Find each number, then add")
        last, answer = " + ".join(own[:count]), sum(values)
    else:
        ask = d.say(
            f"[how many more {{o}} {do} {{p{high}}} {base_verb} than {{p{low}}}|how many fewer {{o}} {do} {{p{low}}} {base_verb} than {{p{high}}}|by how many {{o}} is {{p{high}}} ahead of {{p{low}}}]?"
        )
        d.think("Find both numbers and subtract")
        last, answer = f"{own[high]} - {own[low]}", values[high] - values[low]
    for at in range(count - 1, 0, -1):
        if at in needed:
            needed.add(origin[at])
    write(d, d.say("[. |. |, and ]").join(facts[:2]) + "".join(f". {fact}" for fact in facts[2:]) + f". {ask}")
    path = [at for at in range(count) if at in needed]
    d.code("\n".join([*[lines[at] for at in path], f"print({last})"]))
    d.answer(answer)


@family(S, weight=8)
def shopping_list(d: Draft) -> None:
    """One to four kinds of things with prices; coupon, change, sharing, a comparison or the count."""
    count = d.int(1, 4)
    d.cast(people="p")
    kinds(d, d.rng.choice(KINDS), "abcdz"[:count] + "z")
    prices, counts = [d.int(1, 25) for _ in range(count)], [d.int(1, 12) for _ in range(count)]
    facts, terms, single = [], [], True
    for letter, price, many in zip("abcd", prices, counts, strict=False):
        cost = slot(d, price, is_spoken=False)
        if many == 1:
            facts.append(f"one {{{letter}.one}} " + d.say("[for|that cost|at]") + f" ${cost}")
            terms.append(cost)
        else:
            number = slot(d, many)
            facts.append(
                f"{number} {{{letter}}} "
                + d.say("[at $@ each|for $@ each|that cost $@ each|at $@ apiece|~priced at $@ each]").replace("@", cost)
            )
            terms.append(f"{number} * {cost}")
            single = False
    costs = [price * many for price, many in zip(prices, counts, strict=True)]
    total = sum(costs)
    bought = ", ".join(facts[:-1]) + (" and " if facts[1:] else "") + facts[-1]
    lines = [d.say("{p} [bought|buys|picked up|got|ordered] ") + bought]
    goal = d.rng.choice(["sum", "sum", "coupon", "percent", "change", "change", "share", "count", "compare"])
    sharers = [k for k in range(2, 9) if total % k == 0]
    percents = [k for k in (10, 20, 25, 50) if total * k % 100 == 0]
    if (
        (goal == "share" and not sharers)
        or (goal == "percent" and not percents)
        or (goal == "count" and (count < 2 or single))
        or (goal == "compare" and (count < 2 or costs[0] == costs[1]))
        or (goal == "coupon" and total < 4)
    ):
        goal = "sum"
    if d.rng.random() < 0.25:
        lines.append(
            d.say(
                "[one {z.one} costs $@|{p} looked at {z} for $@ each but did not buy any|the shop also sells {z} for $@]"
            ).replace("@", str(d.int(2, 60)))
        )
    own = "cost"
    head, last = f"{own} = {' + '.join(terms)}", own
    ask, think, answer = (
        "[how much did {p} [spend|pay]|how much does {p} pay in all|what is the total cost|how many dollars is that|~what does it all come to]",
        "Price times count, then add",
        total,
    )
    if goal == "coupon":
        k = d.int(1, total - 1)
        lines.append(
            d.say("[{p} has a coupon for $@|there is a discount of $@|{p} gets $@ off]").replace(
                "@", slot(d, k, is_spoken=False)
            )
        )
        last, think, answer = f"{own} - {k}", "Find the cost, then take off the discount", total - k
    elif goal == "percent":
        k = d.rng.choice(percents)
        lines.append(
            d.say("[everything is @% off|{p} gets a discount of @%|the cashier takes @% off]").replace("@", str(k))
        )
        last, think, answer = (
            f"{own} - {own} * {k} // 100",
            "Find the cost, then take off the percentage",
            total - total * k // 100,
        )
    elif goal == "change":
        k = d.rng.choice([note for note in (10, 20, 50, 100, 200, 500, 1000, 2000) if note > total][:2])
        lines.append(d.say("[{p} paid with $@|{p} gave the clerk $@|{p} had $@]").replace("@", str(k)))
        last, ask, think, answer = (
            f"{k} - {own}",
            "[how much money [is left|does {p} have left]|how much change does {p} get|~what remains of the money]",
            "Take the cost from the money",
            k - total,
        )
    elif goal == "share":
        k = d.rng.choice(sharers)
        lines.append(
            d.say(
                "[@ friends share the cost equally|the bill is split equally among @ people|@ people pay equal parts]"
            ).replace("@", slot(d, k))
        )
        last, ask, think, answer = (
            f"{own} // {k}",
            "[how much does each [one|of them] pay|what is each one's share|how many dollars does everyone pay]",
            "Find the cost, then divide it",
            total // k,
        )
    elif goal == "count":
        head, ask, think, answer = (
            f"{own} = {' + '.join(term.split(' * ')[0] if ' * ' in term else '1' for term in terms)}",
            "[how many things did {p} get|how many items is that in all|how many things are that <total>]",
            "Only the counts matter",
            sum(counts),
        )
    elif goal == "compare":
        high, low = (0, 1) if costs[0] > costs[1] else (1, 0)
        head, last = f"first = {terms[high]}\nsecond = {terms[low]}", "first - second"
        ask, think, answer = (
            f"[how much more did {{p}} pay for the {{{'ab'[high]}{'.one' if counts[high] == 1 else ''}}} than for the {{{'ab'[low]}{'.one' if counts[low] == 1 else ''}}}|by how much did the cost of the first two kinds differ]",
            "Find both costs and compare",
            costs[high] - costs[low],
        )
    write(d, ". ".join([*lines, d.say(ask)]) + "?")
    d.think(think)
    d.code(f"{head}\nprint({last})" if last != own else f"print({head.split(' = ')[1]})")
    d.answer(answer)
