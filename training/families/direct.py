"""Answers without a program: facts, tiny sums when no code is wanted, and refusals."""

from __future__ import annotations

from training import words
from training.problem import Draft, family

S = "direct"
FACTS: list[tuple[str, str, str]] = [
    ("degrees are in a [triangle|triangle's angles together]", "180", "The angles of a triangle add up to 180 degrees"),
    ("degrees are in a full circle", "360", "A full turn is 360 degrees"),
    ("degrees does a right angle have", "90", "A right angle has 90 degrees"),
    ("minutes are in an hour", "60", "An hour has 60 minutes"),
    ("seconds are in a minute", "60", "A minute has 60 seconds"),
    ("hours are in a day", "24", "A day has 24 hours"),
    ("days are in a week", "7", "A week has 7 days"),
    ("months are in a year", "12", "A year has 12 months"),
    ("days are in a leap year", "366", "A leap year has 366 days"),
    ("sides does a hexagon have", "6", "A hexagon has 6 sides"),
    ("sides does a pentagon have", "5", "A pentagon has 5 sides"),
    ("sides does an octagon have", "8", "An octagon has 8 sides"),
    ("sides does a triangle have", "3", "A triangle has 3 sides"),
    ("faces does a cube have", "6", "A cube has 6 faces"),
    ("edges does a cube have", "12", "A cube has 12 edges"),
    ("corners does a cube have", "8", "A cube has 8 corners"),
    ("items are in a dozen", "12", "A dozen is 12"),
    ("centimeters are in a meter", "100", "A meter has 100 centimeters"),
    ("meters are in a kilometer", "1000", "A kilometer has 1000 meters"),
    ("grams are in a kilogram", "1000", "A kilogram has 1000 grams"),
    ("inches are in a foot", "12", "A foot has 12 inches"),
    ("feet are in a yard", "3", "A yard has 3 feet"),
    ("cents are in a dollar", "100", "A dollar has 100 cents"),
    ("years are in a century", "100", "A century has 100 years"),
    ("years are in a decade", "10", "A decade has 10 years"),
]
WHAT: list[tuple[str, str, str]] = [
    ("the derivative of a constant", "0", "A constant does not change"),
    ("the derivative of sin(x)", "\\cos(x)", "This is a standard derivative"),
    ("the derivative of e^x", "e^x", "The exponential function is its own derivative"),
    ("the smallest prime number", "2", "The smallest prime is 2"),
    ("the only even prime", "2", "The only even prime is 2"),
    ("the value of 0!", "1", "The empty product is 1"),
    ("any nonzero number to the power 0", "1", "The empty product is 1"),
    ("the square root of -1", "i", "It is the imaginary unit"),
    ("the additive identity", "0", "Adding it changes nothing"),
    ("the multiplicative identity", "1", "Multiplying by it changes nothing"),
    ("sin(0)", "0", "The sine of zero is zero"),
    ("cos(0)", "1", "The cosine of zero is one"),
    ("log(1)", "0", "The logarithm of one is zero"),
]
OFF_TOPIC = [
    "[Write|Compose|~Invent] [a poem|a story|a song|a letter|an essay] about [the sea|love|{o}|my dog|spring|numbers].",
    "Who [is|was] [the president|the king|the first person on the moon|{p}|the author of Hamlet]?",
    "What is the capital of [France|Spain|Japan|Brazil|~Norway|Kenya|Italy|Canada]?",
    "[Translate|~Say] [hello|good morning|the word {o.one}|thank you] [to|into|in] [French|German|Spanish|Latin].",
    "What is the weather [today|tomorrow|like|in London]?",
    "[Tell me|Do you know|~Let us hear] a joke<end>",
    "How do I [cook rice|fix my bike|learn to swim|write a resume|~grow {o}]?",
    "What should I [eat|wear|buy|read|~watch] [today|tonight|tomorrow]?",
    "[Write|Make|~Code] a [website|game|web server|program] [for me|in Java|about {o}].",
    "[Hello|Hi|Hey|~Greetings][!|.|, how are you?| there]",
    "[Who|What] are you?",
    "[Summarize|Review|~Discuss] the [book|movie|news|article][.| for me.]",
    "[Delete|Open|Read|Send|~Steal] [all files|my email|the password|the secret key].",
    "What is the meaning of life?",
]


@family(S, weight=1.2)
def fact(d: Draft) -> None:
    """A fact that needs no calculation."""
    if d.rng.random() < 0.65:
        what, value, why = d.rng.choice(FACTS)
        d.ask(
            f"How many {what}?",
            f"[Tell me how|~Say how] many {what}<end>",
            f"[Quick question|Just the fact|Question]: how many {what}?",
            f"[Do you know|I want to know] how many {what}<end>",
        )
    else:
        what, value, why = d.rng.choice(WHAT)
        d.ask(
            f"What is {what}?",
            f"[Give|State|~Recall] {what}.",
            f"[Tell me|I want to know] what {what} is<end>",
            f"{what} is [what|which number]?",
        )
    d.rationale = why + "."
    d.answer(value)


@family(S, weight=1.5)
def no_code(d: Draft) -> None:
    """A tiny calculation where the question asks for no program."""
    a, b, op = d.int(2, 20), d.int(2, 12), d.rng.choice("+-*")
    if op == "-" and a < b:
        a, b = b, a
    word = {"+": "plus", "-": "minus", "*": "times"}[op]
    value = {"+": a + b, "-": a - b, "*": a * b}[op]
    d.let(a=a, b=b, op=op)
    d.show(w=word)
    d.ask(
        "<find> {a} [{op}|{w}] {b} [without code|without a program|in your head|~mentally]<end>",
        "[Without code|Do not use code|No code|Without a program|~No programs]: what is {a} [{op}|{w}] {b}?",
        "{a} {op} {b} = ? [No code.|Do not write a program.|Answer directly.]",
    )
    d.rationale = f"{a} {op} {b} = {value}."
    d.answer(value)


@family(S, weight=1.5)
def refusal(d: Draft) -> None:
    """What it cannot do: no box, so that nothing is voted for."""
    d.cast(people="p", things="o")
    d.ask(*OFF_TOPIC)
    d.rationale = "I can only solve mathematics problems, and this is not one I can compute."


@family(S, weight=0.7)
def missing_data(d: Draft) -> None:
    """A story that lacks a number: refused."""
    d.cast(people="pq", things="o")
    d.count(a=d.int(2, 99))
    d.show(nth=words.ordinal(d.rng, d.int(2, 9)))
    d.ask(
        "{p} has some {o} and {q} has some more. [How many {o} do they have <total>?|How many is that?]",
        "[How many {o} does {p} have?|How old is {p}?|How much money does {p} have?|~What does {p} owe {q}?]",
        "{p} has a few {o}. {q} takes some. [How many are left?|How many {o} remain?]",
        "Solve [the equation|it|this|for x|the problem].",
        "[Find|~Reveal] the answer.",
    )
    d.rationale = "The problem does not give enough numbers, so I cannot compute an answer."
