# ruff: noqa: E501 - one phrasing a line, whatever its length
"""Frames about buying, selling, saving and collecting money: the question decides which amounts count."""

from __future__ import annotations

from training.families.telling import Goal, company, kinds, tell
from training.problem import Draft, family

S = "money"


def dollars(cents: int) -> str:
    """An amount as prices are written: `4` or `4.25`."""
    return str(cents // 100) if cents % 100 == 0 else f"{cents / 100:.2f}"


def dollars_plain(cents: int) -> str:
    """An amount as Python prints it after rounding."""
    return str(round(cents / 100, 2))


@family(S, weight=3)
def tickets_for_family(d: Draft) -> None:
    """Adult and child tickets: the bill, one part, the change, the difference."""
    a, b = d.int(2, 12), d.int(2, 30)
    y = d.int(2, 12)
    x = y + d.int(2, 15)
    cost = a * x + b * y
    paid = cost + d.int(2, 60)
    d.cast(people="p")
    d.count(a=a, b=b)
    d.let(x=x, y=y, m=paid)
    where = d.rng.choice(
        ["zoo", "museum", "cinema", "circus", "swimming pool", "aquarium", "fair", "theater", "ice rink"]
    )
    d.show(w=where)
    facts = [
        "[a ticket for the {w} costs ${x} for adults and ${y} for children|at the {w} adults pay ${x} and children pay ${y}|the {w} [sells|offers] adult tickets for ${x} and child tickets for ${y}|~entry to the {w} is ${x} for a grown-up and ${y} for a child]",
        "[{a} adults and {b} children go there|a group of {b} children and {a} adults [comes|goes in]|{p} buys tickets for {a} adults and {b} children]",
    ]
    tell(d, facts, [
        Goal("[how much do they pay|how much do all the tickets cost|what is the cost of all tickets] <total>", "Multiply each kind, then add", "{a} * {x} + {b} * {y}", cost),
        Goal("how much do the tickets for the children cost", "Only the children count", "{b} * {y}", b * y),
        Goal("how much is paid for the adults [alone|only|]", "Only the adults count", "{a} * {x}", a * x),
        Goal("how much change [is there|do they get] from ${m}", "Find the cost and subtract it", "cost = {a} * {x} + {b} * {y}; {m} - cost", paid - cost),
        Goal("how many tickets [are bought|is that] <total>", "Prices do not matter: add the people", "{a} + {b}", a + b),
        Goal("how much more [does|is] an adult ticket [cost |]than a child ticket", "Compare the two prices", "{x} - {y}", x - y),
    ], aside=0)  # fmt: skip


@family(S, weight=3)
def two_prices(d: Draft) -> None:
    """One price, the other by comparison; a bill, a difference, change."""
    x, k = d.int(12, 90), d.int(2, 11)
    n = d.int(2, 9)
    more = d.rng.random() < 0.5
    y = x + k if more else x - k
    paid = x + y + d.int(2, 40)
    d.cast(people="p")
    kinds(d, d.rng.choice(["goods", "clothes"]), "oz")
    d.count(n=n)
    d.let(x=x, k=k, m=paid)
    s = "+" if more else "-"
    word = "[more|more expensive]" if more else "[less|cheaper|~less expensive]"
    relation = "a {z.one} [costs|is] ${k} " + ("more" if more else "less") + " than a {o.one}"
    if d.rng.random() < 0.4:
        relation = (
            f"the price of a {{z.one}} is {{k}} dollars [{'higher' if more else 'lower'}|{'more' if more else 'less'}]"
        )
    elif d.rng.random() < 0.4:
        relation = f"a {{z.one}} is ${{k}} {word.replace('more|', '').replace('less|', '')}"
    tell(d, ["[a {o.one} costs ${x}|the price of a {o.one} is ${x}|{p} [looks at|wants] a {o.one} for ${x}|one {o.one} sells for {x} dollars]", relation], [
        Goal("[how much does a {z.one} cost|what is the price of [one|a] {z.one}]", "Start from the other price", f"{{x}} {s} {{k}}", y),
        Goal("how much do a {o.one} and a {z.one} cost together", "Find the second price, then add", f"other = {{x}} {s} {{k}}; {{x}} + other", x + y),
        Goal("how much do {n} {z} cost", "Find one price, then multiply", f"other = {{x}} {s} {{k}}; {{n}} * other", n * y),
        Goal("how much do {n} {o} cost", "Only the {o} count: multiply", "{n} * {x}", n * x),
        Goal("{p} buys one of each and pays with ${m}. how much [change|money] does {p.he} get back", "Find both prices, subtract them", f"other = {{x}} {s} {{k}}; {{m}} - {{x}} - other", paid - x - y),
    ], aside=0.15)  # fmt: skip


@family(S, weight=3)
def purse(d: Draft) -> None:
    """Money at the start, two purchases, some earned: the question picks."""
    m, e = d.int(100, 400), d.int(5, 30)
    x, y = d.int(30, 50), d.int(3, 29)
    company(d)
    kinds(d, d.rng.choice(["goods", "clothes", "supplies"]), "oz")
    d.let(m=m, x=x, y=y, e=e)
    facts = [
        "{p} [had|took|started with|saved] ${m}",
        "[{p.he} spent ${x} on [a {o.one}|{o}] and ${y} on [a {z.one}|{z}]|{p.he} paid ${y} for [a {z.one}|{z}] and ${x} for [a {o.one}|{o}]|a {o.one} cost {p.him} ${x}, and a {z.one} cost {p.him} ${y}|~the {o} took ${x} of it and the {z} ${y}]",
        "[{q} gave {p.him} ${e}|{p.he} earned ${e} by [helping {q}|washing cars|selling lemonade]|{p.he} found ${e}]",
    ]
    tell(d, facts, [
        Goal("how much [money |]does {p} have [now|in the end|left]", "Subtract what was spent, add what came in", "{m} - {x} - {y} + {e}", m - x - y + e),
        Goal("how much [money |]did {p} spend [in all|altogether|on both]", "Add the two purchases", "{x} + {y}", x + y),
        Goal("how much more did the {o} cost than the {z}", "Compare the two amounts", "{x} - {y}", x - y),
        Goal("how much [money |]did {p} have [right |]after [the shopping|buying these things] and before [getting|receiving] more", "Only subtract the purchases", "{m} - {x} - {y}", m - x - y),
        Goal("by how much is the money at the end less than at the start", "Purchases minus what came in", "{x} + {y} - {e}", x + y - e),
    ], aside=0.1)  # fmt: skip


@family(S, weight=2.5)
def change_from_bills(d: Draft) -> None:
    """n things at a price with cents, paid with bills."""
    n, v = d.int(2, 9), d.rng.choice([5, 10, 20, 50])
    price = d.int(2, 40) * 25
    cost = n * price
    k = cost // (100 * v) + 1
    d.cast(people="p")
    kinds(d, d.rng.choice(["foods", "supplies", "goods"]), "o")
    d.count(n=n)
    d.let(c=dollars(price), k=k, v=v)
    bills = "a ${v} bill" if k == 1 else "{k} ${v} bills"
    back = k * v * 100 - cost
    tell(d, ["[{p} [buys|bought|picked] {n} {o}|{n} {o} are in {p}'s cart]", "[each {o.one} costs ${c}|the {o} cost ${c} each|one of them costs ${c}]", f"{{p}} pays with {bills}"], [
        Goal("how much change does {p} [get|receive|~take back]", "Find the cost, subtract it from the money", "paid = {k} * {v}; round(paid - {n} * {c}, 2)", dollars_plain(back)),
        Goal("how much do the {o} cost <total>", "Multiply the number by the price", "round({n} * {c}, 2)", dollars_plain(cost)),
        Goal("how much money did {p} hand over", "Number of bills times their value", "{k} * {v}", k * v),
    ], aside=0.15)  # fmt: skip


@family(S, weight=2.5)
def saving_by_week(d: Draft) -> None:
    """Saving a steady amount for something that costs a given price."""
    w, n, have = d.int(3, 40), d.int(3, 20), d.int(5, 90)
    i = d.int(2, n - 1)
    cost = have + w * n
    d.cast(people="p")
    kinds(d, "goods", "o")
    d.count(i=i)
    d.let(w=w, c=cost, h=have)
    unit = d.rng.choice(["week", "month", "day"])
    d.show(u=unit, us=unit + "s")
    facts = [
        "{p} [wants to buy|is saving for|dreams of] a {o.one} [that costs|for|at] ${c}",
        "[{p} already has ${h}|so far {p} has ${h}|{p} [got ${h} for a birthday|found ${h} in a drawer]]",
        "{p} [saves|puts aside|earns|~sets apart] ${w} [every|each|a|per] {u}",
    ]
    tell(d, facts, [
        Goal("how many {us} [does {p} need|must {p} save|will it take]", "What is missing, divided by the rate", "({c} - {h}) / {w}", n),
        Goal("how much money will {p} have [after|in] {i} {us}", "Start plus rate times time", "{h} + {i} * {w}", have + i * w),
        Goal("how much is [still |]missing [now|at first|today]", "Price minus what is there", "{c} - {h}", cost - have),
        Goal("how much is [still |]missing after {i} {us}", "Price minus all that was saved", "{c} - {h} - {i} * {w}", cost - have - i * w),
        Goal("how much does {p} save in {i} {us}", "Rate times time", "{i} * {w}", i * w),
    ], aside=0.1)  # fmt: skip


@family(S, weight=2.5)
def reduced_items(d: Draft) -> None:
    """Several items with a flat or percentage reduction each."""
    n, c = d.int(2, 12), d.int(2, 15) * 10
    is_flat = d.rng.random() < 0.5
    off = d.int(2, c - 3) if is_flat else d.rng.choice([10, 20, 30, 40, 50])
    new = c - off if is_flat else c * (100 - off) // 100
    d.cast(people="p")
    kinds(d, d.rng.choice(["clothes", "goods"]), "o")
    d.count(n=n)
    d.let(c=c, f=off)
    cut = (
        "[today each one is ${f} cheaper|there is a discount of ${f} on each|with a coupon every {o.one} is ${f} less]"
        if is_flat
        else "[today they are {f}% off|the shop takes {f} percent off every {o.one}|there is a {f}% discount on each]"
    )
    one = "{c} - {f}" if is_flat else "{c} * (100 - {f}) / 100"
    saved = "{n} * {f}" if is_flat else "{n} * {c} * {f} / 100"
    tell(d, ["[a {o.one} [normally|usually] costs ${c}|the normal price of a {o.one} is ${c}|{o} are sold at ${c} each]", cut, "{p} [buys|takes|orders|~needs] {n} of them"], [
        Goal("how much does {p} [pay|spend] [in all|altogether|for all]", "Find the new price, then multiply", f"price = {one}; {{n}} * price", n * new),
        Goal("how much does {p} save [in all|altogether|on all of them]", "Saving on one times the number", saved, n * (c - new)),
        Goal("[how much does one {o.one} cost now|what is the new price of one {o.one}]", "Only one {o.one}: reduce the price", one, new),
        Goal("how much would {p} have paid without the [discount|reduction]", "The old price times the number", "{n} * {c}", n * c),
    ], aside=0)  # fmt: skip


@family(S, weight=2.5)
def packs_and_prices(d: Draft) -> None:
    """Packs with a price and a content: items, cost, price of one."""
    n, each, k = d.int(2, 15), d.int(2, 12), d.int(2, 15)
    price = n * each
    d.cast(people="p")
    kinds(d, d.rng.choice(["supplies", "foods", "collectibles"]), "o")
    d.count(n=n, k=k, w=n * k)
    d.let(x=price)
    u = d.rng.choice(["pack", "box", "bag", "set", "carton"])
    d.show(u=u, us="boxes" if u == "box" else u + "s")
    facts = [
        "[a {u} of {n} {o} costs ${x}|{o} are sold in {us} of {n} for ${x} [a {u}|each]|one {u} has {n} {o} and costs ${x}|for ${x} you get a {u} with {n} {o}]",
        "{p} [buys|ordered|needs|~carries home] {k} {us}",
    ]
    tell(d, facts, [
        Goal("how many {o} [is that|are in them|does {p} get]", "Prices do not matter: multiply", "{k} * {n}", n * k),
        Goal("how much [do they cost|does {p} pay|must be paid]", "Number of {us} times the price", "{k} * {x}", k * price),
        Goal("how much does a single {o.one} cost", "Price of the {u} over its content", "{x} / {n}", each),
        Goal("how many dollars would {w} {o} cost at that price", "Find the {us}, then the cost", "packs = {w} / {n}; packs * {x}", k * price),
    ], aside=0.15)  # fmt: skip


@family(S, weight=2)
def fund_raising(d: Draft) -> None:
    """Several people collect money for a goal."""
    a, b, miss = d.int(20, 200), d.int(5, 19), d.int(5, 200)
    t = d.rng.choice([2, 3, 4])
    d.cast(people="pqr")
    third = t * b
    d.let(a=a, b=b, g=a + b + third + miss)
    d.let(t=t)
    d.show(tw={2: "twice", 3: "three times", 4: "four times"}[t])
    facts = [
        "[a class|the choir|a club|~a troop] [wants to raise|needs|is collecting] ${g} [for a trip|for new instruments|for the animal shelter|for charity|]",
        "{p} [collects|raised|brings] ${a} and {q} [collects|raised|brings] ${b}",
        "{r} [collects|raised|brings] {tw} as much as {q}",
    ]
    tell(d, facts, [
        Goal("how much [do the three|do they] have [in all|together|altogether]", "Find {r}'s amount, then add", "third = {t} * {b}; {a} + {b} + third", a + b + third),
        Goal("how much [money |]is still [missing|needed]", "Take all three amounts from the goal", "third = {t} * {b}; {g} - {a} - {b} - third", miss),
        Goal("how much does {r} bring", "Multiply {q}'s amount", "{t} * {b}", third),
        Goal("how much more does {p} [have|bring] than {q}", "Compare the two", "{a} - {b}", a - b),
    ], aside=0)  # fmt: skip


@family(S, weight=2.5)
def bake_sale(d: Draft) -> None:
    """Two products sold, materials paid: income, difference, profit."""
    a, b, x, y = d.int(5, 40), d.int(5, 40), d.int(2, 9), d.int(2, 9)
    first, second = a * x, b * y
    c = d.int(2, first + second - 1)
    company(d)
    kinds(d, "foods", "oz")
    d.count(a=a, b=b)
    d.let(x=x, y=y, c=c)
    facts = [
        "[{p} sells {o} for ${x} each and {z} for ${y} each|at {p}'s stand [a|one] {o.one} costs ${x} and [a|one] {z.one} costs ${y}]",
        "[{p} sold {a} {o} and {b} {z}|{a} {o} and {b} {z} were sold|customers bought {b} {z} and {a} {o}]",
        "[the ingredients cost ${c}|{p} paid ${c} for [flour and sugar|the table|the ingredients]|~expenses were ${c}]",
    ]
    more = first >= second
    tell(d, facts, [
        Goal("how much money [came in|did {p} take in] before [expenses|costs]", "Multiply each kind, then add", "{a} * {x} + {b} * {y}", first + second),
        Goal("how much profit did {p} make", "Income minus what was paid", "income = {a} * {x} + {b} * {y}; income - {c}", first + second - c),
        Goal("how much did the {o} bring in", "Only the {o} count", "{a} * {x}", first),
        Goal("how much did the {z} bring in", "Only the {z} count", "{b} * {y}", second),
        Goal("how many pieces were sold <total>", "Money does not matter: add the numbers", "{a} + {b}", a + b),
        Goal("how much more did the {o} bring in than the {z}" if more else "how much more did the {z} bring in than the {o}", "Find both amounts and compare", "first = {a} * {x}; second = {b} * {y}; " + ("first - second" if more else "second - first"), abs(first - second)),
    ], aside=0)  # fmt: skip


@family(S, weight=2)
def prices_with_cents(d: Draft) -> None:
    """Decimal prices of two or three things."""
    x, y, z = d.int(120, 900), d.int(105, 900), d.int(110, 900)
    n, paid = d.int(2, 8), 5 * d.int(6, 12)
    d.cast(people="p")
    kinds(d, d.rng.choice(["foods", "supplies"]), "ovw")
    d.count(n=n)
    d.let(x=f"{x / 100:.2f}", y=f"{y / 100:.2f}", z=f"{z / 100:.2f}", m=paid)
    hi, lo, big, small = ("o", "v", "x", "y") if x >= y else ("v", "o", "y", "x")
    facts = [
        "[a bag of {o} costs ${x}, a bag of {v} costs ${y} and a bag of {w} costs ${z}|{p} bought {o} for ${x}, {v} for ${y} and {w} for ${z}|at the store {p} paid ${x} for {o}, ${y} for {v} and ${z} for {w}|the receipt [lists|~reads] {o} for ${x}, {v} for ${y} and {w} for ${z}]",
    ]
    tell(d, facts, [
        Goal("how much [do they cost|is that] <total>", "Add the three prices", "round({x} + {y} + {z}, 2)", dollars_plain(x + y + z)),
        Goal("how much are the {o} and the {w} together", "Only two prices count", "round({x} + {z}, 2)", dollars_plain(x + z)),
        Goal(f"how much more are the {{{hi}}} than the {{{lo}}}", "Compare two prices", f"round({{{big}}} - {{{small}}}, 2)", dollars_plain(abs(x - y))),
        Goal("how much is left of ${m} after buying all three", "Take all three prices away", "round({m} - {x} - {y} - {z}, 2)", dollars_plain(100 * paid - x - y - z)),
        Goal("how much would {n} times the {v} cost", "Multiply one price", "round({n} * {y}, 2)", dollars_plain(n * y)),
    ], aside=0)  # fmt: skip


@family(S, weight=2)
def pay_of_two_days(d: Draft) -> None:
    """Hourly pay over two days of different length."""
    r, a = d.int(6, 40), d.int(5, 10)
    b = d.int(2, a - 1)
    e = d.int(2, 30)
    d.cast(people="p")
    d.count(a=a, b=b)
    d.let(r=r, e=e)
    u, v = d.rng.choice([("Monday", "Tuesday"), ("Friday", "Saturday"), ("the first day", "the second day")])
    d.show(d=u, f=v, job=d.rng.choice(["babysitting", "mowing lawns", "tutoring", "in a bakery", "at a call center", "walking dogs", "as a painter", "in a garage"]))  # fmt: skip
    facts = [
        "[{p} earns ${r} an hour {job}|{p} works {job} and gets ${r} per hour|for every hour {job} {p} is paid ${r}|~an hour {job} pays {p} ${r}]",
        "[{p.he} worked {a} hours on {d} and {b} hours on {f}|on {d} {p.he} worked {a} hours, on {f} {b} hours]",
        "[bus rides cost {p.him} ${e}|{p.he} spent ${e} of the money on lunch]",
    ]
    tell(d, facts, [
        Goal("how much did {p} earn on the two days [together|in all]", "Add the hours, then multiply", "hours = {a} + {b}; hours * {r}", r * (a + b)),
        Goal("how much more did {p} earn on {d} than on {f}", "More hours times the rate", "({a} - {b}) * {r}", r * (a - b)),
        Goal("how much did {p} earn on {f}", "Only the hours of {f} count", "{b} * {r}", r * b),
        Goal("how many hours did {p} work [in all|altogether]", "Pay does not matter: add the hours", "{a} + {b}", a + b),
        Goal("how much of the money earned is left", "Pay of both days minus the expense", "pay = ({a} + {b}) * {r}; pay - {e}", r * (a + b) - e),
    ], aside=0)  # fmt: skip


@family(S, weight=1.5)
def bills_in_wallet(d: Draft) -> None:
    """Bills or coins of two values: worth, number, or what is left."""
    u, v = d.rng.choice([(10, 5), (20, 10), (20, 5), (50, 20), (5, 2), (100, 50)])
    a, b = d.int(2, 15), d.int(2, 15)
    c = d.int(2, a * u + b * v - 1)
    d.cast(people="p")
    kinds(d, "goods", "o")
    d.count(a=a, b=b)
    d.let(u=u, v=v, c=c)
    tell(d, ["[{p} has {a} ${u} bills and {b} ${v} bills|in {p}'s [wallet|purse|~money box] there are {a} bills of ${u} and {b} bills of ${v}|{p} saved {b} ${v} bills and {a} ${u} bills]", "{p.he} [buys|bought] a {o.one} for ${c}"], [
        Goal("how much money [did {p} have|was there] [at first|before that]", "Value times number for each kind", "{a} * {u} + {b} * {v}", a * u + b * v),
        Goal("how much money [is left|does {p} have left]", "Find the money, subtract the price", "money = {a} * {u} + {b} * {v}; money - {c}", a * u + b * v - c),
        Goal("how many bills [did {p} have|were there] [at first|before that]", "Values do not matter: add the numbers", "{a} + {b}", a + b),
        Goal("how much were the ${u} bills worth [together|altogether]", "Only one kind counts", "{a} * {u}", a * u),
    ], aside=0.1)  # fmt: skip
