# ruff: noqa: SIM905 - lists of words read best as running text
"""Names, things and number words for stories. Nonsense words are mixed in so that a model learns to read past names."""

from __future__ import annotations

import random
from dataclasses import dataclass

SHE = """Mia Anna Sara Lily Emma Nina Rosa Clara Julia Maria Ella Grace Amy Kate Laura Alice Zoe Ruth Hannah Sophie
Priya Mei Fatima Aisha Yuki Ingrid Olga Carmen Leila Nadia Tina Jane Betty Carol Diana Ivy Molly Paula Rachel Susan
Wendy Natalie Megan Jill Haley Bella Cindy Donna Elena Fiona Gina Helen Irene Joan Kelly Linda Mary Nora Olivia Pam
Marta Tanya Vera Lucy Abby Debby Jessica Danielle Sandra Robyn Allison Melissa Brenda Kylie Rebecca Katie
Emily Chloe Eva Sofia Layla Mandy Sheila Tracy Gwen Nancy Heather Audrey Bianca Camila Esther Freya Holly Isabel
Kim Lena Monica Paige Stella Tara Valeria Whitney Yara Ximena Amara Noor""".split()
HE = """Tom Ben Sam Leo Max Omar Ivan Paul Mark John Peter James David Adam Luke Noah Jack Alex Carl Dan Eric Frank
George Henry Ian Kevin Liam Mike Nick Oscar Rob Steve Tim Victor Will Ali Ahmed Chen Diego Hugo Jamal Kenji Mateo Raj
Sven Tariq Yusuf Bob Joe Jerry Edward Bobby Randy Haruto Josh Ryan Jake Matt Todd Walter Zach Brian Chris Greg
Harry Jason Kyle Larry Martin Nathan Patrick Roger Scott Terry Vincent Andrew Bill Philip Lewis Faye Dennis
Aaron Abel Blake Caleb Connor Derek Elias Felix Gary Isaac Julian Keith Logan Marcus Neil Owen Pedro Ralph Simon
Travis Wayne Xavier Zane Kofi Arjun Emeka""".split()
TITLED_SHE = "Mrs._Hill Mrs._Lee Ms._Carter Ms._Rossi Aunt_Rose Grandma".split()
TITLED_HE = "Mr._Brown Mr._Singh Mr._Costa Coach_Reed Uncle_Bert Grandpa".split()
THINGS = """apples oranges pencils books marbles stickers cookies candies balloons stamps coins cards shells
toys eggs bananas flowers cakes bottles cups pens balls tickets photos chairs plates bricks beads buttons
peaches pears grapes lemons muffins cupcakes crayons markers notebooks magazines games dolls blocks
rocks seeds trees roses tulips fish birds rabbits chickens cows sheep horses ducks dogs cats bees shirts hats
socks gloves ties jackets dresses skirts scarves pages letters envelopes posters badges ribbons candles lamps
sandwiches pizzas pies donuts carrots potatoes tomatoes onions cabbages melons pumpkins cherries strawberries
nuts chocolates lollipops bagels rolls loaves spoons forks knives bowls jars boxes bags baskets keys rings
necklaces bracelets dvds videos songs paintings drawings stones sticks leaves ladybugs frogs turtles
tennis_balls baseball_cards toy_cars video_games paper_clips gift_cards comic_books trading_cards light_bulbs
paper_planes water_bottles red_marbles blue_marbles green_apples glass_beads hair_clips bus_tickets""".split()
PLACES = "pond farm garden shop box library class basket bus park drawer room kitchen forest zoo jar tank shelf".split()
KINDS: dict[str, list[str]] = {
    "foods": """apples oranges bananas cookies sandwiches muffins dumplings pancakes waffles tacos burritos pretzels
    crackers raisins almonds walnuts olives plums figs apricots mangos kiwis radishes cucumbers peppers pickles
    meatballs pastries croissants doughnuts brownies tarts gummy_bears cherries grapes strawberries chocolates
    candies hot_dogs cereal_bars egg_rolls pears peaches lemons dates biscuits blueberries slices_of_pizza""".split(),
    "collectibles": """stamps coins marbles stickers seashells cards bottle_caps postcards buttons badges pebbles
    crystals fossils feathers toy_cars comic_books action_figures figurines puzzles beads medals key_chains magnets
    rubber_bands board_games baseball_cards arrowheads toy_trains model_planes wristbands""".split(),
    "supplies": """pencils pens crayons markers notebooks erasers folders rulers paper_clips glue_sticks index_cards
    paintbrushes envelopes thumbtacks sticky_notes binders staplers workbooks textbooks chalk_pieces""".split(),
    "animals": """ducks rabbits cows horses goats sheep pigs hens turkeys parrots pigeons squirrels deer monkeys
    penguins turtles frogs beetles butterflies dolphins owls kittens puppies hamsters lizards crickets swans sparrows
    seagulls crabs snails ants foxes lambs ponies camels zebras""".split(),
    "plants": """tulips roses daisies sunflowers tomato_plants seedlings lilies pine_trees palm_trees rose_bushes
    vines shrubs saplings orchids oak_trees bean_plants cabbages pumpkins apple_trees lettuces violets""".split(),
    "clothes": """shirts hats scarves jackets sweaters dresses skirts caps coats belts t-shirts aprons blankets pillows
    towels costumes vests raincoats headbands uniforms""".split(),
    "goods": """lamps kites backpacks umbrellas clocks vases mugs basketballs helmets skateboards tents chairs radios
    candles paintings teapots flashlights puzzles footballs frisbees picture_frames lunch_boxes dolls
    phone_cases yo-yos soap_bars toothbrushes cushions watches calculators bracelets necklaces""".split(),
    "exercises": """push-ups sit-ups squats jumping_jacks laps pull-ups crunches lunges burpees cartwheels
    jump_rope_skips""".split(),
}
"""Plurals by kind, for stories in which only things of that kind make sense."""
THINGS += [thing for kind in ("foods", "collectibles", "supplies", "animals", "plants", "clothes", "goods")
           for thing in KINDS[kind] if thing not in THINGS]  # fmt: skip
_SYLLABLES = (
    "ba bo da del fi fo gu ka ki la lo ma mi na no pa pi ra ri sa so ta to va vi wo za zo tri gra plo sne".split()
)
_UNITS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen""".split()
_TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()


@dataclass(frozen=True)
class Person:
    """Somebody in a story."""

    name: str
    he: str
    his: str
    him: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Thing:
    """Something countable: plural by default, `one` for a single one."""

    many: str
    one: str

    def __str__(self) -> str:
        return self.many


def invented(rng: random.Random) -> str:
    """A pronounceable word that no language has."""
    return "".join(rng.choices(_SYLLABLES, k=rng.choice([2, 2, 3]))) + rng.choice(["", "", "n", "r", "l"])


def people(rng: random.Random, count: int) -> list[Person]:
    """Different persons."""
    result: dict[str, Person] = {}
    while len(result) < count:
        is_she = rng.random() < 0.5
        name = rng.choice(SHE if is_she else HE)
        if rng.random() < 0.08:
            name = invented(rng).capitalize()
        elif rng.random() < 0.06:
            name = rng.choice(TITLED_SHE if is_she else TITLED_HE).replace("_", " ")
        result[name] = Person(name, *(("she", "her", "her") if is_she else ("he", "his", "him")))
    return list(result.values())


def things(rng: random.Random, count: int) -> list[Thing]:
    """Different countable things."""
    result: dict[str, Thing] = {}
    while len(result) < count:
        many = rng.choice(THINGS).replace("_", " ")
        if rng.random() < 0.08:
            many = invented(rng) + "s"
        result[many] = Thing(many, singular(many))
    return list(result.values())


def of_kind(rng: random.Random, kind: str, count: int) -> list[Thing]:
    """Different things of one kind. Raises `KeyError` for a kind that is not in `KINDS`."""
    drawn = rng.sample(KINDS[kind], count)
    return [Thing(many, singular(many)) for many in (name.replace("_", " ") for name in drawn)]


def singular(many: str) -> str:
    """The singular of a plural from `THINGS`."""
    if many in {"fish", "sheep", "deer"}:
        return many
    if many.startswith("slices of"):
        return many.replace("slices", "slice", 1)
    for ending, single in (
        ("leaves", "leaf"), ("knives", "knife"), ("loaves", "loaf"), ("scarves", "scarf"), ("shelves", "shelf"),
        ("ties", "tie"), ("puppies", "puppy"), ("pies", "pie"), ("cookies", "cookie"), ("brownies", "brownie"),
        ("movies", "movie"), ("ies", "y"), ("shes", "sh"), ("ches", "ch"), ("tatoes", "tato"), ("matoes", "mato"),
        ("sses", "ss"), ("xes", "x"), ("s", ""),
    ):  # fmt: skip
        if many.endswith(ending):
            return many[: -len(ending)] + single
    return many


def number_word(value: int) -> str:
    """English for 0 to 999."""
    if value < 20:
        return _UNITS[value]
    if value < 100:
        tens, units = divmod(value, 10)
        return _TENS[tens] + (f"-{_UNITS[units]}" if units else "")
    hundreds, rest = divmod(value, 100)
    return f"{_UNITS[hundreds]} hundred" + (f" and {number_word(rest)}" if rest else "")


def spoken(rng: random.Random, value: int) -> str:
    """`value` as a story writes it: digits mostly, small numbers also in words, thousands also with a comma."""
    if 2 <= value <= 12 and rng.random() < 0.2:
        return number_word(value)
    if 13 <= value < 100 and rng.random() < 0.03:
        return number_word(value)
    if value >= 1000 and rng.random() < 0.4:
        return f"{value:,}"
    return str(value)


TIMES_WORDS = {2: "twice", 3: "three times", 4: "four times", 5: "five times", 6: "six times"}
"""How a story says a small factor."""
ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", 6: "sixth", 7: "seventh"}
"""Ordinal words."""


def times(rng: random.Random, factor: int) -> str:
    """`factor` as `twice`, `three times` or `3 times`."""
    if factor in TIMES_WORDS and rng.random() < 0.7:
        return TIMES_WORDS[factor]
    return f"{factor} times"


def ordinal(rng: random.Random, place: int) -> str:
    """`place` as `seventh` or `7th`."""
    if place in ORDINALS and rng.random() < 0.5:
        return ORDINALS[place]
    suffix = "th" if 10 <= place % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{suffix}"


def listed(texts: list[str]) -> str:
    """The texts as one: `a, b and c`."""
    return " and ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else texts[0]
