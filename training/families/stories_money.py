# ruff: noqa: E501 - one phrasing a line, whatever its length
"""Stories about prices, wages, discounts, savings and change."""

from __future__ import annotations

from training.problem import Draft, family

S = "money"


@family(S, weight=2.5)
def buy_one_kind(d: Draft) -> None:
    """n things at a price: the cost, the change, or the number affordable."""
    n, c = d.int(2, 40), d.int(2, 60)
    goal = d.rng.choice(["cost", "change", "count", "price"])
    paid = n * c + d.int(1, 50)
    d.cast(people="p", things="o")
    d.count(n=n, c=c, m=paid, t=n * c)
    cost = "[each {o.one} <costs> ${c}.|one {o.one} <costs> {c} [dollars|euros].|the <shop> sells {o} at ${c} each.|the price of one {o.one} is ${c}.|{o} cost ${c} each.]"
    if goal == "cost":
        d.ask(
            "{p} <buys> {n} {o}. "
            + cost
            + " [how much [does|did] {p.he} [pay|spend]?|what is the total cost?|how much money does {p.he} need?|what does {p.he} pay?]",
            cost
            + " [how much do {n} {o} cost?|what is the price of {n} {o}?|{p} wants {n}[| of them]. how much [must|does] {p.he} pay?|~find the bill for {n}.]",
        )
        d.code("print({n} * {c})")
        d.answer(n * c)
        d.think("Multiply the number by the price")
    elif goal == "change":
        d.ask(
            "{p} <buys> {n} {o}. "
            + cost
            + " {p.he} [pays with|had|gives the clerk|~hands over] ${m}. [how much [change|money] [does {p.he} get back|is left]?|how much is <left>?|what is {p.his} change?]",
            "{p} has ${m} and <buys> {n} {o} at ${c} each. [how much money [is|does {p.he} have] left?|how much is <left>?]",
        )
        d.code("cost = {n} * {c}\nprint({m} - cost)")
        d.answer(paid - n * c)
        d.think("Find the cost and subtract it from the money")
    elif goal == "count":
        d.ask(
            "{p} has ${t}. "
            + cost
            + " [how many {o} can {p.he} buy?|how many [can {p.he} get|does {p.his} money buy]?]",
            cost + " [how many {o} can [you|{p}] buy [with|for] ${t}?|~{p} paid ${t}. how many did {p.he} buy?]",
            "{p} spent ${t} on {o}. " + cost + " how many [{o} |]did {p.he} buy?",
        )
        d.code("print({t} / {c})")
        d.answer(n)
        d.think("Divide the money by the price")
    else:
        d.ask(
            "{n} {o} cost ${t}. [how much does [one|each|a single] {o.one} cost?|what is the price of one?|~what is the unit price?]",
            "{p} <buys> {n} {o} for ${t}[| in all]. [how much [did|does] each [{o.one} |]cost?|what was the price of each one?|what did {p.he} pay for one {o.one}?]",
        )
        d.code("print({t} / {n})")
        d.answer(c)
        d.think("Divide the cost by the number")


@family(S, weight=2)
def buy_two_kinds(d: Draft) -> None:
    """Two kinds of goods: total, change from a note, or the difference."""
    a, b, x, y = d.int(2, 15), d.int(2, 15), d.int(2, 30), d.int(2, 30)
    goal = d.rng.choice(["total", "total", "change", "second"])
    total = a * x + b * y
    paid = total + d.int(1, 60)
    d.cast(people="p", things="oz")
    d.count(a=a, b=b, x=x, y=y, m=paid, t=total)
    buy = "{p} <buys> {a} {o} [at|for] ${x} each and {b} {z} [at|for] ${y} each."
    other = "[a {o.one} costs ${x} and a {z.one} costs ${y}.|{o} cost ${x} each. {z} cost ${y} each.] {p} <buys> {a} {o} and {b} {z}."
    if goal == "second":
        d.ask(
            "{p} <buys> {a} {o} at ${x} each and {b} {z}. [the bill is|{p.he} pays|the total is|~it comes to] ${t}. [how much does [one|each] {z.one} cost?|what is the price of a {z.one}?|what did {p.he} pay for each {z.one}?]"
        )
        d.think("Take off the known part and divide")
        d.code("rest = {t} - {a} * {x}\nprint(rest / {b})")
        d.answer(y)
        return
    end = (
        "[how much does {p.he} [pay|spend] <total>?|what is the total cost?|how much [money |]does {p.he} need?|find the total.]"
        if goal == "total"
        else "{p.he} [pays with|has|gives] ${m}. [how much [change|money] [does {p.he} get back|is left]?|what is the change?|how much is <left>?]"
    )
    d.ask(f"{buy} {end}", f"{other} {end}", f"~Today {buy} {end}")
    d.think(
        "Multiply each number by its price and add"
        if goal == "total"
        else "Find the cost of both kinds and subtract it"
    )
    d.code(
        "cost = {a} * {x} + {b} * {y}\nprint(cost)"
        if goal == "total"
        else "cost = {a} * {x} + {b} * {y}\nprint({m} - cost)"
    )
    d.answer(total if goal == "total" else paid - total)


@family(S, weight=2)
def spend_and_left(d: Draft) -> None:
    """Money had, one to three purchases: left, spent, or what was there."""
    spends = [d.int(2, 90) for _ in range(d.rng.choice([1, 2, 2, 3]))]
    left = d.int(1, 200)
    goal = d.rng.choice(["left", "left", "spent", "had"])
    d.cast(people="pq", things="ouv")
    keys = "abc"[: len(spends)]
    d.count(m=sum(spends) + left, left=left, **dict(zip(keys, spends, strict=True)))
    items = [f"${{{k}}} on [a {{{t}.one}}|{{{t}}}|some {{{t}}}]" for k, t in zip(keys, "ouv", strict=False)]
    listed = " and ".join(items) if len(items) < 3 else f"{items[0]}, {items[1]} and {items[2]}"
    spent = f"[{{p.he}}|~the shopper] [spends|spent] {listed}"
    joined = " + ".join(f"{{{k}}}" for k in keys)
    if goal == "left":
        d.story(
            ["{p} [has|had|got|saved|took] ${m}[| from {q}].", spent + "."],
            "[how much [money |]is left?|how much [money |]does {p} have <left>?|how many dollars remain?|find what is left.]",
        )
        d.code("print({m} - " + " - ".join(f"{{{k}}}" for k in keys) + ")")
        d.answer(left)
        d.think("Subtract what was spent")
    elif goal == "spent":
        d.story(
            ["{p} [goes|went] to the <shop>.", spent + "."],
            "[how much [money |]did {p} spend <total>?|how much is that <total>?|what was the total?|find the total spending.]",
        )
        d.code(f"print({joined})")
        d.answer(sum(spends))
        d.think("Add the amounts")
    else:
        d.story(
            ["{p} had some money.", spent + " and [now |]has ${left} left."],
            "[how much [money |]did {p.he} have [at first|to start with|before]?|what did {p.he} start with?|how much did {p.he} bring?]",
        )
        d.code(f"print({{left}} + {joined})")
        d.answer(sum(spends) + left)
        d.think("Work backwards: add the spending to the rest")


@family(S, weight=2)
def wages(d: Draft) -> None:
    """Pay per hour, with days, a bonus or overtime."""
    rate, hours, days = d.int(8, 40), d.int(2, 9), d.int(2, 7)
    extra = d.int(10, 90)
    kind = d.rng.choice(["hours", "days", "bonus", "rate"])
    d.cast(people="p")
    d.count(r=rate, h=hours, n=days, e=extra, t=rate * hours)
    job = "[{p} [earns|makes|gets|~receives] ${r} [an hour|per hour|for each hour|every hour].|{p} works as a <worker> for ${r} [an|per] hour.|{p}'s pay is ${r} per hour.]"
    ask = "[how much [does|did] {p.he} [earn|make]?|what [is|are] {p.his} [pay|earnings]?|how much money is that?]"
    if kind == "hours":
        d.story([job, "[{p.he} works {h} hours.|<day> {p.he} worked {h} hours.]"], ask)
        d.code("print({r} * {h})")
        d.answer(rate * hours)
    elif kind == "days":
        d.story([job, "{p.he} works {h} hours [a|per|each] day[,| for] {n} days[| a week]."], ask)
        d.code("print({r} * {h} * {n})")
        d.answer(rate * hours * days)
    elif kind == "bonus":
        d.story(
            [
                job,
                "[<day> {p.he} worked {h} hours and got ${e} in tips.|{p.he} worked {h} hours and got a bonus of ${e}.]",
            ],
            ask,
        )
        d.code("print({r} * {h} + {e})")
        d.answer(rate * hours + extra)
    else:
        d.story(
            ["[{p} [earned|made|got|~received] ${t} for {h} hours of work.|for {h} hours {p} was paid ${t}.]"],
            "[how much [is|was] that [per|an] hour?|what is {p.his} hourly [pay|rate|wage]?|how much does {p.he} earn per hour?]",
        )
        d.code("print({t} / {h})")
        d.answer(rate)
    d.think("Pay is the rate times the hours" if kind != "rate" else "Divide the pay by the hours")


@family(S, weight=2)
def discount(d: Draft) -> None:
    """A price with a percentage off, or a flat discount; new price or saving."""
    p, c = d.int(1, 18) * 5, d.int(1, 40) * 20
    goal = d.rng.choice(["price", "price", "saving", "flat"])
    d.cast(people="q", things="o")
    d.count(c=c, f=d.int(1, c - 1))
    flat = int(str(d.code_values["f"]))
    d.let(p=p)
    if goal == "flat":
        d.ask(
            "[each|a] [pack|set|box] of {o} costs {c} dollars. [if there is|there is|with] a discount of {f} dollars[| on each], how much do you [have to |]pay for [each|one]?",
            "a {o.one} costs ${c}. {q} has a coupon for ${f}[| off]. [how much does {q.he} pay?|what is the price with the coupon?|~what remains to pay?]",
        )
        d.think("Subtract the discount from the price")
        d.code("print({c} - {f})")
        d.answer(c - flat)
        return
    off = "[it is on sale at {p}% off.|there is a {p}% discount.|the price [drops|falls|is cut] by {p}[%| percent].|{q} gets {p}% off.]"
    ask = (
        "[what is the [new|sale|final] price?|how much does {q.he} pay?|what does it cost now?|find the new price.]"
        if goal == "price"
        else "[how much does {q} save?|how much is the discount?|what is the saving in dollars?]"
    )
    d.story(
        [
            "[a {o.one} costs ${c}.|the price of a [{o.one}|jacket|phone|bike] is ${c}.|{q} wants to buy a {o.one} for ${c}.|~a shop lists a {o.one} at ${c}.]",
            off,
        ],
        ask,
    )
    d.think("Take off {p} percent" if goal == "price" else "The discount is {p} percent of the price")
    d.code("print({c} * (100 - {p}) / 100)" if goal == "price" else "print({c} * {p} / 100)")
    d.answer(c * (100 - p) // 100 if goal == "price" else c * p // 100)


@family(S, weight=1.5)
def tax_or_tip(d: Draft) -> None:
    """A bill with tax or tip added."""
    p, c = d.rng.choice([5, 8, 10, 15, 18, 20, 25]), d.int(1, 30) * 100
    d.cast(people="q", things="o")
    d.count(c=c)
    d.let(p=p)
    d.story(
        [
            "[the bill [is|comes to] ${c}.|{q}'s [dinner|lunch|order] costs ${c}.|a {o.one} costs ${c} before tax.|~the meal was ${c}.]",
            "[{q} [adds|leaves] a {p}% tip.|[the tax|sales tax] is {p}%.|a tax of {p} percent is added.|the price then rises by {p}%.]",
        ],
        "[how much does {q.he} pay <total>?|what is the [total|final] [price|cost]?|how much is it <total>?|find the total.]",
    )
    d.think("Add {p} percent to the amount")
    d.code("print({c} * (100 + {p}) / 100)")
    d.answer(c * (100 + p) // 100)


@family(S, weight=1.5)
def saving_goal(d: Draft) -> None:
    """How many weeks to save for something."""
    per, weeks = d.int(3, 40), d.int(2, 30)
    have = d.int(0, 3) * d.int(5, 40)
    d.cast(people="p", things="o")
    d.count(c=per * weeks + have, per=per, h=have)
    d.show(unit=d.rng.choice(["week", "month", "day"]))
    facts = [
        "{p} wants to buy [a [bike|phone|game|{o.one}|~guitar]|some {o}] [for|that costs] ${c}.",
        "{p.he} saves ${per} [a|each|every|per] {unit}.",
    ]
    if have:
        facts.append("{p.he} already has ${h}.")
    d.story(
        facts,
        "[how many {unit}s [will it take|does {p.he} need][| to save enough]?|when will {p.he} have enough money, in {unit}s?|how long must {p.he} save?]",
    )
    d.think("What is missing divided by the rate" if have else "Divide the goal by the saving")
    d.code("print(({c} - {h}) / {per})" if have else "print({c} / {per})")
    d.answer(weeks)


@family(S, weight=1.5)
def profit(d: Draft) -> None:
    """Bought and sold: profit, for one or many."""
    n, cost = d.int(2, 50), d.int(2, 40)
    price = cost + d.int(1, 30)
    many = d.rng.random() < 0.7
    d.cast(people="p", things="o")
    d.count(n=n, c=cost, s=price)
    if many:
        d.story(
            [
                "{p} <buys> {n} {o} [for|at] ${c} each.",
                "{p.he} [sells|sold|~resells] [them|all of them] [for|at] ${s} each.",
            ],
            "[how much profit [does {p.he} make|is that]?|what is {p.his} [total |]profit?|how much money did {p.he} gain?]",
        )
    else:
        d.story(
            ["{p} <buys> a {o.one} for ${c}.", "{p.he} [sells|sold|~resells] it for ${s}."],
            "[how much profit [does {p.he} make|is that]?|what is {p.his} profit?|how much did {p.he} gain?]",
        )
    d.think("Profit is price minus cost")
    d.code("print({n} * ({s} - {c}))" if many else "print({s} - {c})")
    d.answer(n * (price - cost) if many else price - cost)


@family(S)
def simple_interest(d: Draft) -> None:
    """Simple interest and final amount."""
    p, r, t = d.int(1, 50) * 100, d.int(1, 12), d.int(1, 10)
    total = d.rng.random() < 0.4
    d.cast(people="q")
    d.count(p=p)
    d.let(r=r, t=t)
    d.story(
        [
            "{q} [invests|lends|deposits|borrows|~puts away] ${p} at [a simple interest rate of |]{r}%[ simple interest|] [per|a] year for {t} years."
        ],
        "[what is the final amount?|how much is it worth at the end?|find the total amount with interest.]"
        if total
        else "[how much [simple |]interest is [earned|paid]?|find the [simple |]interest.|what is the interest?]",
    )
    d.think("Simple interest is principal times rate times time")
    d.code("interest = {p} * {r} * {t} / 100\n" + ("print({p} + interest)" if total else "print(interest)"))
    d.answer(p * r * t // 100 + (p if total else 0))


@family(S)
def compound_interest(d: Draft) -> None:
    """Compound interest, rounded to cents."""
    p, r, t = d.int(1, 50) * 100, d.int(1, 12), d.int(2, 6)
    d.cast(people="q")
    d.count(p=p)
    d.let(r=r, t=t)
    d.ask(
        "{q} [invests|deposits|~places] ${p} at {r}% [interest |]compounded [annually|yearly] for {t} years. [what is the final amount|how much is it worth then|find the amount at the end], to the nearest cent?",
        "a [population|sum|value] of {p} grows by {r}% [each|every|per] year. [what is it after {t} years|find it after {t} years], to two decimals?",
    )
    d.think("Multiply by the growth factor every year")
    d.code("print(round({p} * (1 + {r} / 100) ** {t}, 2))")
    d.answer(f"{round(p * (1 + r / 100) ** t, 2)}".removesuffix(".0"))


@family(S, reserved=True)
def two_jobs(d: Draft) -> None:
    """Two hourly jobs."""
    a, b, x, y = d.int(2, 9), d.int(2, 9), d.int(8, 30), d.int(8, 30)
    d.cast(people="p")
    d.count(a=a, b=b, x=x, y=y)
    d.ask(
        "{p} works {a} hours as a <worker> for ${x} an hour and {b} hours in a shop for ${y} an hour. [how much does {p.he} earn <total>?|what are {p.his} earnings?|how much money is that?]"
    )
    d.think("Multiply each, then add")
    d.code("print({a} * {x} + {b} * {y})")
    d.answer(a * x + b * y)
