"""Frames of stories: facts as clauses, joined in several ways, and one of many questions about the same facts.

The question is drawn together with its program, so that only reading it tells what to do with the numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from training import words
from training.problem import Draft

SHAPES = "[plain|plain|plain|plain|plain|joined|joined|if|if|first]"
JOINTS = "[, and| and|, and| and|;|, while]"
IMPERATIVES = ("find", "calculate", "determine", "compute", "tell", "give", "work out", "count")
RELATIVES = (
    "sister",
    "brother",
    "cousin",
    "friend",
    "mother",
    "father",
    "neighbor",
    "grandfather",
    "aunt",
    "classmate",
)
SHE_RELATIVES = {"sister", "mother", "aunt"}
EITHER_RELATIVES = {"cousin", "friend", "neighbor", "classmate"}
ASIDES = (
    "{p} is {aside} years old",
    "{p} lives [at number {aside}|on floor {aside}|{aside} miles away]",
    "{p} [has|owned|bought] {aside} {other}",
    "{p}'s [street|school|building] has {aside} [windows|doors|~lamps]",
    "{p} saw {aside} {other} [on the way|that day|in the window]",
    "it was {aside} degrees [outside|that day]",
    "{p}'s [friend|aunt|teacher] [bought|brought] {aside} {other}",
    "[the clock|a sign] showed {aside}",
    "{p} [likes|loves|enjoys] [music|sports|cooking|animals|the sea|~astronomy]",
    "[it was|it is] [a sunny day|a rainy week|early spring|nearly summer|a busy time]",
    "{p} is [very happy|in a hurry|a little tired|good at math]",
)
"""Clauses that never matter, most of them with a number."""
_BARE_ARTICLE = re.compile(r"\b([Aa])(?= [aeiou])(?! (?:uni|one))")


@dataclass(frozen=True)
class Goal:
    """One question that a frame may end with.

    `ask` is a template without a final mark, `think` a text with slots; `steps` is the program, statements separated by
    `; ` and the last one an expression to print; `answer` is known without running it.
    """

    ask: str
    think: str
    steps: str
    answer: object


def tell(d: Draft, facts: list[str], goals: list[Goal], *, aside: float = 0.3) -> None:
    """Fill the draft from `facts` (clauses without a final mark, in order) and one of `goals`.

    `aside` is the probability of a clause that does not matter; it needs a person in slot `p`.
    """
    goal = d.rng.choice(goals)
    clauses = [clause for clause in map(d.say, facts) if clause]
    if d.rng.random() < aside:
        clause = _aside(d)
        # Other things come first: between the facts, a later "them" could mean those.
        end = len(clauses) - 1
        clauses.insert(0 if "{other}" in clause else d.int(min(1, end), end), clause)
    d.ask(_composed(d, clauses, d.say(goal.ask)))
    d.question = _BARE_ARTICLE.sub(r"\1n", d.question)
    d.think(goal.think)
    *before, last = goal.steps.split("; ")
    d.code("\n".join([*before, f"print({last})"]))
    d.answer(goal.answer)


def company(d: Draft) -> None:
    """Draw two persons for the slots `p` and `q`; the second is sometimes a relative of the first."""
    d.cast(people="pq")
    first = d.values["p"]
    if not isinstance(first, words.Person) or d.rng.random() >= 0.2:
        return
    kin = d.rng.choice(RELATIVES)
    is_she = kin in SHE_RELATIVES or (kin in EITHER_RELATIVES and d.rng.random() < 0.5)
    d.show(q=words.Person(f"{first.his} {kin}", *(("she", "her", "her") if is_she else ("he", "his", "him"))))


def kinds(d: Draft, kind: str, slots: str) -> None:
    """Draw different things of one kind (`words.KINDS`) for the slots named, one letter each."""
    d.show(**dict(zip(slots, words.of_kind(d.rng, kind, len(slots)), strict=True)))


def _aside(d: Draft) -> str:
    d.count(aside=d.int(3, 98))
    taken = {str(value) for value in d.values.values()}
    d.show(other=next(thing for thing in words.things(d.rng, 12) if str(thing) not in taken))
    return d.say(d.rng.choice(ASIDES))


def _composed(d: Draft, clauses: list[str], ask: str) -> str:
    """The clauses and the question as sentences: apart, joined, or the question first."""
    lower = ask[0].lower() + ask[1:]
    mark = "." if lower.startswith(IMPERATIVES) else "?"
    shape = "plain" if any(". " in text for text in [*clauses, ask]) else d.say(SHAPES)
    if shape == "first" and len(clauses) <= 3:
        return f"{lower} if {words.listed(clauses)}{mark}"
    clauses, lower = _with_pronouns(d, clauses, lower)
    if shape == "if":
        return " ".join([*(f"{clause}." for clause in clauses[:-1]), f"if {clauses[-1]}, {lower}{mark}"])
    if shape == "joined" and len(clauses) > 1:
        at = d.int(0, len(clauses) - 2)
        clauses = [*clauses[:at], clauses[at] + d.say(JOINTS) + " " + clauses[at + 1], *clauses[at + 2 :]]
    return " ".join([*(f"{clause}." for clause in clauses), f"{lower}{mark}"])


def _with_pronouns(d: Draft, clauses: list[str], ask: str) -> tuple[list[str], str]:
    """Some of the later mentions of the only person as a pronoun."""
    if not clauses[0].startswith("{p}") or any(
        name in " ".join(clauses) for name in ("{q", "{r", "{other}", "teacher")
    ):
        return clauses, ask
    later = [
        clause.replace("{p} ", "{p.he} ", 1) if clause.startswith("{p} ") and d.rng.random() < 0.6 else clause
        for clause in clauses[1:]
    ]
    if d.rng.random() < 0.4:
        ask = ask.replace("{p} ", "{p.he} ")
    return [clauses[0], *later], ask
