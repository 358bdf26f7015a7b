# ruff: noqa: E501 - one phrasing a line, whatever its length
"""Counting and probability."""

from __future__ import annotations

import math
import operator
from fractions import Fraction

from training.problem import Draft, family

S = "combinatorics"


@family(S, weight=1.5)
def choose(d: Draft) -> None:
    """n over k, plain or as a story."""
    n = d.int(4, 20)
    k = d.int(2, min(n - 1, 8))
    d.cast(things="o")
    d.let(n=n, k=k)
    d.ask(
        "<find> [C({n}, {k})|{n} choose {k}|$\\binom{{n}}{{k}}$|$ {n} \\choose {k} $|the binomial coefficient of {n} over {k}]<end>",
        "[How many ways are there to|In how many ways can you|~Count the ways to] [choose|pick|select] {k} [<group>|{o}] from {n}[| of them]<end>",
        "How many [committees|teams|groups] of {k} can be [formed|made|chosen] from {n} [people|students|players]?",
        "How many subsets with {k} elements does a set [of|with] {n} elements have?",
        "[A committee|A team|~A jury] of {k} is chosen from {n} people. In how many ways?",
    )
    d.think("Order does not matter: combinations")
    d.code("import math\nprint(math.comb({n}, {k}))")
    d.answer(math.comb(n, k))


@family(S)
def two_groups(d: Draft) -> None:
    """Choose from two groups."""
    a, b = d.int(3, 12), d.int(3, 12)
    i, j = d.int(1, min(a, 4)), d.int(1, min(b, 4))
    d.let(a=a, b=b, i=i, j=j)
    d.ask(
        "[There are|A class has|A club has|~We see] {a} [boys|men|teachers] and {b} [girls|women|parents]. [In how many ways can we choose|How many ways are there to pick|How many groups have] {i} of the first kind and {j} of the second?",
        "How many committees of {i} men and {j} women can be formed from {a} men and {b} women?",
    )
    d.think("Choose from both groups and multiply")
    d.code("import math\nprint(math.comb({a}, {i}) * math.comb({b}, {j}))")
    d.answer(math.comb(a, i) * math.comb(b, j))


@family(S, weight=1.5)
def arrange(d: Draft) -> None:
    """Permutations of n, or k of n."""
    n = d.int(3, 12)
    k = d.int(2, min(n, 5))
    whole = d.rng.random() < 0.5
    d.cast(things="o")
    d.let(n=n, k=k)
    if whole:
        d.ask(
            "In how many [ways|orders] can {n} [different |distinct |][{o}|<group>] be [arranged|ordered|lined up|placed] in a [row|line]?",
            "[How many ways are there to|~Count the ways to] [arrange|order|line up] {n} [different |][{o}|<group>][| in a row]<end>",
            "How many permutations [of {n} objects are there|do {n} objects have]?",
        )
        d.code("import math\nprint(math.factorial({n}))")
        d.answer(math.factorial(n))
    else:
        d.ask(
            "<find> [P({n}, {k})|the number of permutations of {k} out of {n}]<end>",
            "In how many [ways|orders] can {k} of {n} [people|runners|books|~guests] be [arranged in a row|lined up|ranked]?",
            "[How many ways are there to|~Count the ways to] give [{k} different prizes|{k} different jobs] to {n} people[, at most one each]<end>",
        )
        d.code("import math\nprint(math.perm({n}, {k}))")
        d.answer(math.perm(n, k))
    d.think("Order matters: permutations")


@family(S)
def arrange_letters(d: Draft) -> None:
    """Arrangements of the letters of a word."""
    word = d.rng.choice(
        [
            "BANANA",
            "LEVEL",
            "BOOK",
            "APPLE",
            "PEPPER",
            "MATH",
            "TENNET",
            "SUCCESS",
            "COFFEE",
            "BALLOON",
            "LETTER",
            "SEE",
            "ABACUS",
            "NUMBER",
            "TREE",
            "PAPER",
            "KAYAK",
            "COMMITTEE",
            "ORDER",
            "PIZZA",
            "MAMMA",
            "TOTAL",
            "GREEN",
            "BOTTLE",
            "SISTER",
        ]
    )
    if d.rng.random() < 0.4:
        word = "".join(d.rng.choices("ABCDE", k=d.int(3, 8)))
    d.let(w=word)
    d.ask(
        "[How many ways are there to|In how many ways can you|~Count the ways to] arrange the letters of [{w}|the word {w}]<end>",
        "How many [different |distinct |][words|strings|arrangements] can be [made|formed] from the letters of {w}?",
        "How many permutations does the word {w} have?",
    )
    d.think("Divide by the factorials of repeated letters")
    d.code(
        "import math\nfrom collections import Counter\nn = math.factorial(len('{w}'))\nfor c in Counter('{w}').values():\n    n //= math.factorial(c)\nprint(n)"
    )
    value = math.factorial(len(word))
    for c in set(word):
        value //= math.factorial(word.count(c))
    d.answer(value)


@family(S, weight=1.5)
def product_rule(d: Draft) -> None:
    """Independent choices: outfits, codes, menus."""
    a, b, c = d.int(2, 12), d.int(2, 12), d.int(2, 8)
    code = d.rng.random() < 0.4
    d.cast(people="p")
    d.let(a=a, b=b, c=c)
    if code:
        n, m = d.int(2, 6), d.rng.choice([2, 4, 6, 10, 26, 5])
        d.let(n=n, m=m)
        d.ask(
            "How many [codes|passwords|strings|~sequences] of length {n} can be made from {m} [letters|digits|symbols][| if repetition is allowed]?",
            "A [lock|code] has {n} [wheels|places] with {m} [symbols|letters] each. How many [settings|codes] are [there|possible]?",
        )
        d.code("print({m} ** {n})")
        d.answer(m**n)
    else:
        three = d.rng.random() < 0.5
        d.ask(
            "{p} has {a} [shirts|hats], {b} [pants|skirts]"
            + (" and {c} pairs of shoes" if three else "")
            + ". How many [different |][outfits|combinations] [are possible|can {p.he} wear]?",
            "A [menu|restaurant|~canteen] has {a} starters, {b} mains"
            + (" and {c} desserts" if three else "")
            + ". How many [different |]meals [are there|are possible][| with one of each]?",
            "How many ways are there to choose one of {a} cars, one of {b} colors"
            + (" and one of {c} engines?" if three else "?"),
        )
        d.code("print({a} * {b} * {c})" if three else "print({a} * {b})")
        d.answer(a * b * c if three else a * b)
    d.think("Independent choices multiply")


@family(S)
def handshakes(d: Draft) -> None:
    """Pairs among n."""
    n = d.int(3, 60)
    d.let(n=n)
    d.ask(
        "{n} people [meet|are at a party|~gather] and [each|everyone] shakes hands with [everyone else|each other] once. How many handshakes [are there|happen]?",
        "How many [handshakes|games|matches|pairs] are there [among|between|with] {n} [people|teams|players] if each [pair|two] meets once?",
        "{n} teams [play|meet] each other once. How many [games|matches] are there?",
        "How many lines [join|connect] {n} points, no three on a line?",
    )
    d.think("Count the pairs")
    d.code("import math\nprint(math.comb({n}, 2))")
    d.answer(n * (n - 1) // 2)


@family(S)
def subsets(d: Draft) -> None:
    """Number of subsets."""
    n = d.int(2, 16)
    d.let(n=n)
    d.ask(
        "How many subsets does a set [of|with] {n} elements have?",
        "<find> the number of [subsets|~parts] of a set with {n} elements<end>",
        "A set has {n} [elements|members]. How many subsets [does it have|are there]?",
    )
    d.think("Every element is in or out")
    d.code("print(2 ** {n})")
    d.answer(2**n)


@family(S)
def lattice_paths(d: Draft) -> None:
    """Shortest grid paths."""
    a, b = d.int(2, 10), d.int(2, 10)
    d.let(a=a, b=b)
    d.ask(
        "How many [shortest |]paths [go|lead|are there] from (0, 0) to ({a}, {b}) [using|with] only steps right and up?",
        "[On|~Across] a grid, how many ways are there to go {a} steps right and {b} steps up?",
        "In how many ways can [you|a robot|an ant|one] [walk|go|move] from (0,0) to ({a},{b}) going only right or up?",
    )
    d.think("Choose which of the steps go up")
    d.code("import math\nprint(math.comb({a} + {b}, {a}))")
    d.answer(math.comb(a + b, a))


@family(S, weight=2)
def draw_balls(d: Draft) -> None:
    """Probability of drawing a colour, or two of them."""
    a, b, c = d.int(2, 12), d.int(2, 12), d.int(1, 8)
    colours = d.rng.sample(["red", "blue", "green", "white", "black", "yellow"], 3)
    goal = d.rng.choice(["one", "not", "two"])
    three = d.rng.random() < 0.5
    d.show(x=colours[0], y=colours[1], z=colours[2], ball=d.rng.choice(["balls", "marbles", "chips", "socks", "beads"]))
    d.let(a=a, b=b, c=c if three else 0)
    n = a + b + (c if three else 0)
    d.let(n=n)
    stock = "[a bag|a box|an urn|a jar|~a sack] [has|contains|holds] {a} {x}" + (
        ", {b} {y} and {c} {z} {ball}." if three else " and {b} {y} {ball}."
    )
    sum_code = "{a} + {b} + {c}" if three else "{a} + {b}"
    if goal == "one":
        d.ask(
            stock + " [one is drawn at random.|you draw one.] what is the probability that it is {x}?",
            stock + " [find|what is] the probability of drawing a {x} one<end>",
        )
        d.code(f"from fractions import Fraction\nprint(Fraction({{a}}, {sum_code}))")
        d.answer(Fraction(a, n))
    elif goal == "not":
        d.ask(
            stock + " [one is drawn at random.|you draw one.] what is the probability that it is not {x}?",
            stock + " [find|what is] the probability of not drawing a {x} one<end>",
        )
        d.code(f"from fractions import Fraction\nprint(1 - Fraction({{a}}, {sum_code}))")
        d.answer(1 - Fraction(a, n))
    else:
        d.ask(
            stock
            + " two are drawn [at random |]without replacement. [what is the probability that both are {x}?|find the probability that both are {x}.]",
            stock + " [you draw|someone takes] two[| at random]. what is the [probability|chance] of two {x} ones?",
        )
        d.code(
            f"from math import comb\nfrom fractions import Fraction\nprint(Fraction(comb({{a}}, 2), comb({sum_code}, 2)))"
        )
        d.answer(Fraction(math.comb(a, 2), math.comb(n, 2)))
    d.think("Favourable cases over all cases")


@family(S, weight=1.5)
def dice(d: Draft) -> None:
    """Two dice: the probability of a sum, or of a sum above a bound."""
    s = d.int(2, 12)
    kind = d.rng.choice(["==", ">", "<"])
    if kind == ">":
        s = min(s, 11)
    if kind == "<":
        s = max(s, 3)
    d.let(s=s, op=kind)
    word = {"==": "[equal to |]{s}", ">": "[greater than|more than|above] {s}", "<": "[less than|below] {s}"}[kind]
    d.ask(
        f"[two|2] [fair |]dice are [rolled|thrown|~tossed]. [what is|find] the probability that [the sum|their sum] is {word}<end>",
        f"what is the probability that two dice give a sum {word}?",
        f"[you roll|somebody throws] two dice. [what is|find] the [chance|probability] of a sum {word}<end>",
    )
    d.think({"==": "Sums equal to", ">": "Sums above", "<": "Sums below"}[kind] + " {s}, of all 36 outcomes")
    d.code(
        "from fractions import Fraction\nn = sum(1 for a in range(1, 7) for b in range(1, 7) if a + b {op} {s})\nprint(Fraction(n, 36))"
    )
    test = {"==": operator.eq, ">": operator.gt, "<": operator.lt}[kind]
    d.answer(Fraction(sum(test(a + b, s) for a in range(1, 7) for b in range(1, 7)), 36))


@family(S, weight=1.5)
def coins(d: Draft) -> None:
    """Exactly or at least k heads in n tosses."""
    n = d.int(2, 10)
    k = d.int(0 if n > 2 else 1, n)
    least = d.rng.random() < 0.4
    d.let(n=n, k=k)
    word = "at least" if least else "exactly"
    d.ask(
        f"a [fair |]coin is [tossed|flipped|thrown] {{n}} times. [what is|find] the probability of [getting |]{word} {{k}} [heads|tails]<end>",
        f"[what is|find|~state] the [probability|chance] of {word} {{k}} heads in {{n}} [tosses|flips][| of a fair coin]<end>",
        f"{{n}} [fair |]coins are [tossed|flipped]. what is the probability of {word} {{k}} heads?",
    )
    d.think("Binomial: count the favourable outcomes")
    d.code(
        "from math import comb\nfrom fractions import Fraction\n"
        + (
            "print(Fraction(sum(comb({n}, i) for i in range({k}, {n} + 1)), 2 ** {n}))"
            if least
            else "print(Fraction(comb({n}, {k}), 2 ** {n}))"
        )
    )
    d.answer(Fraction(sum(math.comb(n, i) for i in range(k, n + 1)) if least else math.comb(n, k), 2**n))


@family(S)
def expected_value(d: Draft) -> None:
    """Expected value of a simple game."""
    a, b, n = d.int(1, 30), d.int(0, 12), d.int(2, 12)
    k = d.int(1, n - 1)
    d.let(a=a, b=b, k=k, n=n)
    d.ask(
        "[a game|a lottery|~a spinner] pays ${a} with probability {k}/{n} and ${b} otherwise. [what is|find] the expected [value|payout]<end>",
        "[with probability|with a chance of] {k}/{n} you get {a}, otherwise {b}. [what is|find] the expected value<end>",
    )
    d.think("Weigh the values with their probabilities")
    d.code("from fractions import Fraction\np = Fraction({k}, {n})\nprint(p * {a} + (1 - p) * {b})")
    d.answer(Fraction(k, n) * a + (1 - Fraction(k, n)) * b)


@family(S, reserved=True)
def at_least_one(d: Draft) -> None:
    """At least one success."""
    n, k = d.int(2, 6), d.int(2, 8)
    d.let(n=n, k=k)
    d.ask(
        "[an event|a machine|~a dart] has probability 1/{k}. what is the probability that it happens at least once in {n} independent trials?",
        "the [chance|probability] to [win|hit] is 1/{k}. [what is|find] the probability to [win|hit] at least once in {n} [games|trials]<end>",
    )
    d.think("One minus the probability of never")
    d.code("from fractions import Fraction\nprint(1 - (1 - Fraction(1, {k})) ** {n})")
    d.answer(1 - (1 - Fraction(1, k)) ** n)
