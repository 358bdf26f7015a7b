# ruff: noqa: E501 - one phrasing a line, whatever its length
"""Divisors, primes, congruences, digits, bases."""

from __future__ import annotations

import math

from training import words
from training.problem import Draft, family

S = "number theory"


def _divisors(n: int) -> list[int]:
    return [k for k in range(1, n + 1) if n % k == 0]


def _is_prime(n: int) -> bool:
    return n > 1 and all(n % k for k in range(2, math.isqrt(n) + 1))


def _factors(n: int) -> dict[int, int]:
    found: dict[int, int] = {}
    k = 2
    while n > 1:
        while n % k == 0:
            found[k] = found.get(k, 0) + 1
            n //= k
        k += 1
    return found


@family(S, weight=1.5)
def gcd_or_lcm(d: Draft) -> None:
    """Greatest common divisor or least common multiple of two or three numbers."""
    k = d.int(2, 20)
    n = [k * m for m in d.ints(d.rng.choice([2, 2, 3]), 2, 25)]
    gcd = d.rng.random() < 0.5
    name = (
        "[greatest common divisor|greatest common factor|gcd|GCD|GCF|highest common factor|HCF|~largest common divisor]"
        if gcd
        else "[least common multiple|lcm|LCM|lowest common multiple|smallest common multiple|~smallest shared multiple]"
    )
    listed = f"{n[0]} and {n[1]}" if len(n) == 2 else f"{n[0]}, {n[1]} and {n[2]}"
    d.show(n=listed)
    d.let(a=", ".join(map(str, n)))
    f = "gcd" if gcd else "lcm"
    d.ask(
        f"<find> the {name} of {{n}}<end>",
        f"What is the {name} of {{n}}?",
        f"{f}({{a}}) = ?",
        f"<find> {f}({{a}})<end>",
        "[What is the largest number that divides|Which is the biggest number dividing] {n}?"
        if gcd
        else "[What is the smallest number divisible by|Which smallest positive number is a multiple of] {n}?",
    )
    d.think("Use the gcd" if gcd else "Use the lcm")
    d.code(f"import math\nprint(math.{f}({{a}}))")
    d.answer(math.gcd(*n) if gcd else math.lcm(*n))


@family(S)
def bells(d: Draft) -> None:
    """When things coincide again: an lcm story."""
    a, b = d.ints(2, 4, 40)
    d.let(a=a, b=b)
    d.ask(
        "[one|a] [bell|light|bus|alarm|signal] [rings|flashes|comes|goes off] every {a} minutes, another every {b} minutes. [they do so together now|both start together]. [after how many minutes do they coincide again?|in how many minutes will it happen together again?|when is the next time together, in minutes?]",
        "[Two|~A pair of] [buses|lamps|runners] [return|blink|pass] every {a} and every {b} [minutes|seconds]. they start together. [how long until they are together again?|after how many [minutes|seconds] are they together again?]",
    )
    d.think("They meet again after the least common multiple")
    d.code("import math\nprint(math.lcm({a}, {b}))")
    d.answer(math.lcm(a, b))


@family(S)
def largest_groups(d: Draft) -> None:
    """Largest number of identical packs: a gcd story."""
    k = d.int(2, 20)
    m, n = d.ints(2, 2, 15)
    d.cast(people="p", things="oz")
    d.let(a=k * m, b=k * n)
    d.ask(
        "{p} has {a} {o} and {b} {z} and [makes|packs|wants] identical [bags|boxes|gifts|~parcels] using all of them. [what is the greatest number of [bags|gifts] possible?|how many [bags|gifts] can there be at most?|find the largest possible number of them.]",
        "[{a} {o} and {b} {z} are|a <worker> has {a} {o} and {b} {z} to be] shared in equal groups with nothing left. what is the largest number of groups?",
    )
    d.think("The greatest number of equal groups is the gcd")
    d.code("import math\nprint(math.gcd({a}, {b}))")
    d.answer(math.gcd(k * m, k * n))


@family(S, weight=1.5)
def prime_factors(d: Draft) -> None:
    """Prime factorisation, or the largest prime factor."""
    n = math.prod(d.rng.choices([2, 2, 2, 3, 3, 5, 7, 11, 13], k=d.int(3, 6)))
    goal = d.rng.choice(["all", "all", "largest", "distinct"])
    d.let(n=n)
    found = _factors(n)
    if goal == "all":
        d.ask(
            "<find> the prime factorization of {n}<end>",
            "[Factor|Factorize|~Decompose] {n} into primes.",
            "[Write|Express] {n} as a product of prime[s| numbers| factors].",
        )
        d.code(
            "from sympy import factorint\nprint(' * '.join(f'{p}^{e}' if e > 1 else str(p) for p, e in factorint({n}).items()))"
        )
        d.answer(" * ".join(f"{p}^{e}" if e > 1 else str(p) for p, e in sorted(found.items())))
    elif goal == "largest":
        d.ask(
            "<find> the [largest|greatest|biggest] prime [factor|divisor] of {n}<end>",
            "[Which is|What is|~Name] the largest prime that divides {n}<end>",
            "What is the biggest prime factor of {n}?",
        )
        d.code("from sympy import primefactors\nprint(max(primefactors({n})))")
        d.answer(max(found))
    else:
        d.ask(
            "How many [distinct|different] prime [factors|divisors] does {n} have?",
            "<find> the number of [distinct|different|~unequal] prime factors of {n}<end>",
        )
        d.code("from sympy import primefactors\nprint(len(primefactors({n})))")
        d.answer(len(found))
    d.think("Factor the number with SymPy")


@family(S, weight=1.5)
def divisors(d: Draft) -> None:
    """Number or sum of divisors, or the list."""
    n = d.int(6, 400)
    goal = d.rng.choice(["count", "sum", "list"])
    if goal == "list":
        n = d.int(6, 80)
    d.let(n=n)
    found = _divisors(n)
    if goal == "count":
        d.ask(
            "How many [positive |][divisors|factors] does {n} have?",
            "<find> the number of [positive |][divisors|factors] of {n}<end>",
            "[How many|~Say how many] [positive |][integers|whole numbers] divide {n}?",
        )
        d.code("from sympy import divisor_count\nprint(divisor_count({n}))")
        d.answer(len(found))
    elif goal == "sum":
        d.ask(
            "<find> the sum of [all |the |][positive |][divisors|factors] of {n}<end>",
            "[Add up|~Total] [all |]the divisors of {n}.",
            "What do the divisors of {n} add up to?",
        )
        d.code("from sympy import divisors\nprint(sum(divisors({n})))")
        d.answer(sum(found))
    else:
        d.ask(
            "[List|Find|Give|What are|~Name] all [positive |][divisors|factors] of {n}<end>",
            "Which [whole numbers|positive integers] divide {n}?",
        )
        d.code("from sympy import divisors\nprint(*divisors({n}), sep=', ')")
        d.answer(", ".join(map(str, found)))
    d.think("Use the divisors of {n}")


@family(S)
def is_prime(d: Draft) -> None:
    """Prime or not."""
    n = d.int(2, 999)
    d.let(n=n)
    d.ask(
        "Is {n} [a prime number|prime|a prime]?",
        "[Decide|Check|Determine|~Judge] whether {n} is [prime|a prime number].",
        "Is the number {n} prime or not?",
        "[Tell me|Say] [if|whether] {n} is prime<end>",
    )
    d.think("Test whether it is prime")
    d.code("from sympy import isprime\nprint('yes' if isprime({n}) else 'no')")
    d.answer("yes" if _is_prime(n) else "no")


@family(S)
def nth_prime(d: Draft) -> None:
    """The nth prime, next prime or the count of primes."""
    n = d.int(2, 60)
    goal = d.rng.choice(["nth", "next", "count"])
    primes = [p for p in range(2, 400) if _is_prime(p)]
    d.let(n=n)
    d.show(nth=words.ordinal(d.rng, n))
    if goal == "nth":
        d.ask(
            "<find> the {nth} prime[| number]<end>",
            "[Which|What|~Name the] prime [is|comes] {nth}?",
            "<find> prime number {n} in order<end>",
        )
        d.code("from sympy import prime\nprint(prime({n}))")
        d.answer(primes[n - 1])
    elif goal == "next":
        d.ask(
            "<find> the [next|smallest|first] prime [after|greater than|larger than|above] {n}<end>",
            "[Which|~Name the] prime [comes next|follows] after {n}?",
        )
        d.code("from sympy import nextprime\nprint(nextprime({n}))")
        d.answer(next(p for p in primes if p > n))
    else:
        d.ask(
            "How many primes are [there up to|not greater than|at most] {n}?",
            "<find> the number of primes [up to|not exceeding|~no larger than] {n}<end>",
        )
        d.code("from sympy import primerange\nprint(len(list(primerange(2, {n} + 1))))")
        d.answer(sum(p <= n for p in primes))
    d.think("Use SymPy's primes")


@family(S, weight=1.5)
def remainder(d: Draft) -> None:
    """a mod m, also of sums, products and powers."""
    a, b, m = d.int(10, 9999), d.int(2, 99), d.int(2, 30)
    shape = d.rng.choice(["{a}", "{a} * {b}", "{a} + {b}"])
    d.let(a=a, b=b, m=m)
    d.ask(
        f"<find> the remainder [when {shape} is divided by|of {shape} divided by|on dividing {shape} by] {{m}}<end>",
        f"<find> [({shape}) mod|$({shape}) \\bmod$] {{m}}<end>",
        f"[What is|~Reduce] {shape} modulo {{m}}<end>",
        f"What remainder does {shape} leave when divided by {{m}}?",
    )
    d.think("Use the % operator")
    d.code(f"print(({shape}) % {{m}})")
    d.answer({"{a}": a, "{a} * {b}": a * b, "{a} + {b}": a + b}[shape] % m)


@family(S, weight=1.5)
def power_mod(d: Draft) -> None:
    """a^n mod m, or the last digits."""
    a, n, m = d.int(2, 50), d.int(5, 200), d.int(3, 50)
    last = d.rng.random() < 0.4
    if last:
        m = d.rng.choice([10, 10, 100])
    d.let(a=a, n=n, m=m)
    if last:
        name = "[last|units|ones|~final] digit" if m == 10 else "last two digits"
        d.ask(
            f"<find> the {name} of [{{a}}^{{n}}|${{a}}^{{{{n}}}}$]<end>",
            f"What {'is' if m == 10 else 'are'} the {name} of {{a}}^{{n}}?",
            f"<find> the {name} of {{a}} to the power {{n}}<end>",
            "[~Say in what digit {a}^{n} ends.|In what digit does {a}^{n} end?]"
            if m == 10
            else "[~With which two digits does {a}^{n} end?|Which two digits end {a}^{n}?]",
        )
    else:
        d.ask(
            "<find> the remainder when [{a}^{n}|$ {a}^{{n}} $] is divided by {m}<end>",
            "<find> [{a}^{n} mod {m}|$ {a}^{{n}} \\bmod {m} $|{a}^{n} modulo {m}]<end>",
            "[What remainder does|~Dividing by {m}, what does] {a}^{n} leave on division by {m}?",
        )
    d.think("Modular power with pow")
    d.code("print(pow({a}, {n}, {m}))")
    d.answer(pow(a, n, m))


@family(S)
def modular_inverse(d: Draft) -> None:
    """The inverse of a modulo m, or a linear congruence."""
    m = d.int(5, 97)
    a = d.int(2, m - 1)
    while math.gcd(a, m) > 1:
        a = d.int(2, m - 1)
    b = d.int(1, m - 1)
    solve = d.rng.random() < 0.5
    d.let(a=a, m=m, b=b)
    if solve:
        d.ask(
            "Solve {a}x ≡ {b} (mod {m}).",
            "<find> [the smallest non-negative |]x with {a}x ≡ {b} (mod {m})<end>",
            "Solve ${a}x \\equiv {b} \\pmod{{m}}$.",
            "[For which|~Which] x [from 0 to {m} - 1 |]is {a}x congruent to {b} modulo {m}?",
        )
        d.code("print({b} * pow({a}, -1, {m}) % {m})")
        d.answer(b * pow(a, -1, m) % m)
    else:
        d.ask(
            "<find> the [modular |multiplicative |]inverse of {a} [modulo|mod] {m}<end>",
            "<find> ${a}^{-1} \\bmod {m}$<end>",
            "[Which|~Name the] number times {a} [is|gives] 1 modulo {m}?",
        )
        d.code("print(pow({a}, -1, {m}))")
        d.answer(pow(a, -1, m))
    d.think("Use the inverse modulo {m}")


@family(S)
def chinese_remainder(d: Draft) -> None:
    """The smallest number with two given remainders."""
    m, n = d.rng.sample([3, 4, 5, 7, 9, 11, 13, 16, 17], 2)
    while math.gcd(m, n) > 1:
        m, n = d.rng.sample([3, 4, 5, 7, 9, 11, 13, 16, 17], 2)
    a, b = d.int(1, m - 1), d.int(1, n - 1)
    d.let(m=m, n=n, a=a, b=b)
    d.ask(
        "<find> the smallest positive [integer|number] that leaves remainder {a} when divided by {m} and {b} when divided by {n}<end>",
        "[Which|~Name the] smallest positive x satisfies x ≡ {a} (mod {m}) and x ≡ {b} (mod {n})?",
        "Solve x ≡ {a} (mod {m}), x ≡ {b} (mod {n})[| for the smallest positive x].",
    )
    d.think("Search for the first number with both remainders")
    d.code("print(next(x for x in range(1, {m} * {n} + 1) if x % {m} == {a} and x % {n} == {b}))")
    d.answer(next(x for x in range(1, m * n + 1) if x % m == a and x % n == b))


@family(S, weight=1.5)
def digits(d: Draft) -> None:
    """Sum or product of digits."""
    n, e = d.int(100, 999999), d.int(5, 60)
    power = d.rng.random() < 0.3
    d.let(n=n, e=e)
    if power:
        d.ask(
            "<find> the sum of the digits of 2^{e}<end>",
            "[Add up|~Total] the digits of 2^{e}.",
            "What is the digit sum of $2^{{e}}$?",
        )
        d.code("print(sum(int(c) for c in str(2 ** {e})))")
        d.answer(sum(map(int, str(2**e))))
    else:
        d.ask(
            "<find> the sum of the digits of {n}<end>",
            "[Add up|~Total] the digits of {n}.",
            "What is the digit sum of {n}?",
            "What do the digits of {n} add up to?",
        )
        d.code("print(sum(int(c) for c in str({n})))")
        d.answer(sum(map(int, str(n))))
    d.think("Add the digits one by one")


@family(S, weight=1.5)
def bases(d: Draft) -> None:
    """Conversion between base 10 and bases 2 to 9 and 16."""
    n, b = d.int(5, 500), d.rng.choice([2, 2, 3, 4, 5, 6, 7, 8, 8, 9])
    to_ten = d.rng.random() < 0.5
    digits_, m = "", n
    while m:
        m, r = divmod(m, b)
        digits_ = str(r) + digits_
    name = {2: "binary", 8: "octal"}.get(b, f"base {b}") if d.rng.random() < 0.5 else f"base {b}"
    d.let(n=n, b=b, t=digits_)
    d.show(name=name)
    if to_ten:
        d.ask(
            "[Convert|Change|~Turn] {t} from {name} to [decimal|base 10|base ten].",
            "[Write|Express] the {name} number {t} in [decimal|base 10].",
            "What is {t} in {name} as a decimal number?",
            "<find> $ {t}_{b} $ in base 10<end>",
        )
        d.code("print(int('{t}', {b}))")
        d.answer(n)
    else:
        d.ask(
            "[Convert|Change|~Turn] {n} [from base 10 |]to {name}.",
            "[Write|Express] {n} in {name}.",
            "What is {n} in {name}?",
            "<find> the {name} [representation|form] of {n}<end>",
        )
        d.code("n, s = {n}, ''\nwhile n:\n    n, r = divmod(n, {b})\n    s = str(r) + s\nprint(s)")
        d.answer(digits_)
    d.think("Read the digits in base {b}" if to_ten else "Divide by {b} again and again")


@family(S)
def count_multiples(d: Draft) -> None:
    """How many, or the sum of, multiples up to a limit."""
    a, n = d.int(2, 20), d.int(50, 1000)
    b = d.int(2, 20)
    goal = d.rng.choice(["count", "sum", "either", "both"])
    d.let(a=a, b=b, n=n)
    if goal == "count":
        d.ask(
            "How many [positive |][integers|whole numbers|numbers] [up to|not greater than|from 1 to] {n} are [divisible by|multiples of] {a}?",
            "<find> the number of multiples of {a} [up to|from 1 to|~within] {n}<end>",
        )
        cond = "k % {a} == 0"
        value = sum(k % a == 0 for k in range(1, n + 1))
    elif goal == "sum":
        d.ask(
            "<find> the sum of all [positive |]multiples of {a} [up to|not exceeding] {n}<end>",
            "[Add|~Total] all numbers from 1 to {n} [that are |]divisible by {a}.",
            "What do the multiples of {a} up to {n} add up to?",
        )
        cond = "k % {a} == 0"
        value = sum(k for k in range(1, n + 1) if k % a == 0)
    elif goal == "either":
        d.ask(
            "How many [positive |]integers [up to|from 1 to] {n} are divisible by {a} or {b}?",
            "<find> how many numbers [up to|from 1 to|~within] {n} are multiples of {a} or {b}<end>",
        )
        cond = "k % {a} == 0 or k % {b} == 0"
        value = sum(k % a == 0 or k % b == 0 for k in range(1, n + 1))
    else:
        d.ask(
            "How many [positive |]integers [up to|from 1 to] {n} are divisible by both {a} and {b}?",
            "<find> how many numbers [up to|from 1 to|~within] {n} are multiples of both {a} and {b}<end>",
        )
        cond = "k % {a} == 0 and k % {b} == 0"
        value = sum(k % a == 0 and k % b == 0 for k in range(1, n + 1))
    d.think("Check every number in a loop")
    d.code(f"print(sum({'k' if goal == 'sum' else '1'} for k in range(1, {{n}} + 1) if {cond}))")
    d.answer(value)


@family(S)
def trailing_zeros(d: Draft) -> None:
    """Zeros at the end of n!."""
    n = d.int(5, 300)
    d.let(n=n)
    d.ask(
        "How many [trailing |]zeros [does {n}! end with|are at the end of {n}!|~close {n}!]?",
        "<find> the number of trailing zeros of {n}!<end>",
        "With how many zeros does {n} factorial end?",
    )
    d.think("Count the factors of 5 in the factorial")
    d.code("n, zeros = {n}, 0\nwhile n:\n    n //= 5\n    zeros += n\nprint(zeros)")
    d.answer(sum(n // 5**k for k in range(1, 5)))


@family(S, reserved=True)
def euler_phi(d: Draft) -> None:
    """Euler's totient."""
    n = d.int(5, 300)
    d.let(n=n)
    d.ask(
        "<find> Euler's totient of {n}<end>",
        "How many [positive |]integers up to {n} are [coprime to|relatively prime to|~prime to] {n}?",
        "<find> phi({n})<end>",
    )
    d.think("Use the totient")
    d.code("from sympy import totient\nprint(totient({n}))")
    d.answer(sum(math.gcd(k, n) == 1 for k in range(1, n + 1)))
