"""Build the training set and the held-out sets: generate, execute, check, drop what a test set contains."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType

from training import gsm, repair
from training.execute import run_all
from training.families import FAMILIES
from training.problem import Family, Row, Split, draft

TEST_SETS = (
    "gsm8k_test",
    "gsm_hard_test",
    "svamp_test",
    "math_test",
    "math500",
    "aime24",
    "amc23",
    "olympiadbench",
    "minerva_math",
)
NGRAM = 8
"""A training question that shares this many consecutive words with a test question is dropped."""
ROOT = Path(__file__).resolve().parents[1]
NONE: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class Mix:
    """How many rows of each class, before dropping; a later cycle sees new problems from a higher `first_seed`.

    `emphasis` is a file that `training.emphasis` wrote, below the project's root; `gsm_steps` the most steps of a GSM8K
    problem; `remarks` the share of word problems that begin with a foreign sentence, from GSM8K too.
    """

    families: int = 42000
    first_seed: int = 0
    emphasis: str = ""
    gsm_originals: bool = True
    gsm_copies: int = 2
    gsm_steps: int = 7
    remarks: float = 0.0
    repairs: int = 2500


def external_data() -> Path | None:
    """The folder of the external data sets, where there is one."""
    given = os.environ.get("ABACI_DATA")
    folder = Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "data"
    return folder if folder.is_dir() else None


def read_jsonl(path: Path) -> list[dict[str, object]]:
    """The rows of a gzipped JSON-lines file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


# --- checking -----------------------------------------------------------------------------------------------------


def boxed_form(output: str) -> str:
    """The output as the box holds it: an integer without `.0`."""
    return output.removesuffix(".0")


def agrees(output: str, expected: str) -> bool:
    """Whether a program's output is the answer known without it; polynomials may be ordered differently."""
    found, wanted = boxed_form(output), expected.removesuffix(".0")
    if found == wanted:
        return True
    return _values(found) is not None and _values(found) == _values(wanted)


def _values(text: str) -> list[float] | None:
    """A polynomial in x at three points, None where `text` is none."""
    body = text.removeprefix("y = ").replace("{", "(").replace("}", ")").replace("\\left", "").replace("\\right", "")
    body = re.sub(r"(?<=[\dx)])\s+(?=[x(\d])", "*", body).replace("^", "**")
    if not re.fullmatch(r"[\dx+\-*/(). ]+", body) or "x" not in body:
        return None
    try:
        return [float(eval(body, {"x": x})) for x in (3, -2, 5)]  # noqa: S307 - digits, x and operators only
    except (SyntaxError, TypeError):
        return None


class WrongProgram(Exception):
    """A family whose program fails or does not give its answer."""


def executed(rows: Iterable[tuple[Row, str | None]], workers: int) -> Iterator[Row]:
    """The rows with their outputs and answers filled in by running their last programs.

    Raises:
        WrongProgram: a program failed, printed nothing, or contradicts the answer known without it.
    """
    listed = list(rows)
    outputs = run_all((row.turns[-1][0] if row.turns else "print()" for row, _ in listed), workers)
    for (row, expected), (output, error) in zip(listed, outputs, strict=True):
        if not row.turns:
            yield row
            continue
        if error is not None or not output or (expected is not None and not agrees(output, expected)):
            raise WrongProgram(f"{row.family}: {row.question!r} gave {output!r} ({error}), expected {expected!r}")
        program = row.turns[-1][0]
        yield replace(row, turns=((program, output),), answer=boxed_form(output))


# --- generating -----------------------------------------------------------------------------------------------------

_BEFORE = [
    "Please solve: ",
    "Question: ",
    "Problem: ",
    "Help me with this: ",
    "Solve this: ",
    "I have a question. ",
    "Math: ",
]
_AFTER = [
    " Show your work.",
    " Thanks!",
    " Please explain.",
    " Give the answer.",
    " Answer with a number.",
    " Think carefully.",
]


def decorated(question: str, rng: random.Random) -> str:
    """The question, sometimes with a polite frame, in lower case, or without its last mark."""
    roll = rng.random()
    if roll < 0.05:
        return rng.choice(_BEFORE) + question
    if roll < 0.09:
        return question + rng.choice(_AFTER)
    if roll < 0.13:
        return question[0].lower() + question[1:]
    if roll < 0.17 and question[-1] in ".?":
        return question[:-1]
    return question


def generate(
    kinds: list[Family],
    count: int,
    split: Split,
    *,
    first_seed: int = 0,
    emphasis: Mapping[str, float] = NONE,
) -> list[tuple[Row, str | None]]:
    """`count` unexecuted rows with their independently known answers.

    Families come in proportion to their weights, multiplied by their factors in `emphasis` (1 where it has none).
    """
    weights = {kind.name: kind.weight * emphasis.get(kind.name, 1.0) for kind in kinds}
    total = sum(weights.values())
    result = []
    for kind in kinds:
        for seed in range(first_seed, first_seed + max(1, round(count * weights[kind.name] / total))):
            filled = draft(kind, seed, split)
            turns = ((filled.program, ""),) if filled.program else ()
            question = filled.question
            if split == "train":
                question = decorated(question, random.Random(f"frame/{kind.name}/{seed}"))
            answer = None if filled.program else filled.expected
            row = Row(kind.name, question, filled.rationale, turns, answer, filled.skeleton)
            result.append((row, filled.expected))
    return result


def known() -> list[Family]:
    """Families used in training."""
    return [kind for kind in FAMILIES.values() if not kind.is_reserved]


def reserved() -> list[Family]:
    """Families kept for the held-out split `families`."""
    return [kind for kind in FAMILIES.values() if kind.is_reserved]


def held_out(split: Split, count: int, *, workers: int = 1, exclude: frozenset[str] = frozenset()) -> list[Row]:
    """A fixed held-out set; questions in `exclude` (those of the training set) are left out."""
    kinds = reserved() if split == "families" else known()
    rows = executed(generate(kinds, count, split), workers)
    return [row for row in rows if row.question not in exclude]


# --- contamination ----------------------------------------------------------------------------------------------------


def ngrams(text: str) -> set[str]:
    """The question's word 8-grams, lower case, letters and digits only."""
    tokens = re.findall(r"[a-z0-9]+", text.lower())
    return {" ".join(tokens[i : i + NGRAM]) for i in range(len(tokens) - NGRAM + 1)}


def question_of(row: dict[str, object]) -> str:
    """The question of an external row, whatever its set calls it.

    Raises:
        KeyError: the row has none of the names we know.
    """
    if "Body" in row:
        return f"{row['Body']} {row['Question']}"
    for name in ("question", "problem", "input"):
        if name in row:
            return str(row[name])
    raise KeyError(f"no question among {sorted(row)}")


def test_ngrams(folder: Path) -> set[str]:
    """All 8-grams of all test sets' questions."""
    found: set[str] = set()
    for name in TEST_SETS:
        path = folder / f"{name}.jsonl.gz"
        if path.exists():
            for row in read_jsonl(path):
                found |= ngrams(question_of(row))
    return found


# --- the training set -------------------------------------------------------------------------------------------------


def build(mix: Mix, seed: int, workers: int) -> tuple[list[Row], dict[str, int]]:
    """The shuffled training rows, and how many of each class there are and were dropped."""
    rng = random.Random(seed)
    emphasis = json.loads((ROOT / mix.emphasis).read_text(encoding="utf-8")) if mix.emphasis else NONE
    drafts = generate(known(), mix.families, "train", first_seed=mix.first_seed, emphasis=emphasis)
    rows = list(executed(drafts, workers))
    counts = {"families": len(rows)}
    rows = list({row.question: row for row in rows}.values())
    counts["dropped_duplicates"] = counts["families"] - len(rows)
    with_program = [row for row in rows if row.turns]
    episodes = [repair.episode(row, rng) for row in rng.choices(with_program, k=mix.repairs)]
    fixed = [row for row in episodes if row is not None]
    counts["repairs"] = len(fixed)
    folder = external_data()
    if folder is not None:
        sources = gsm.read(folder / "gsm8k_train.jsonl.gz")
        rows = remarked(rows, gsm.remarks(sources), mix.remarks, rng)
        word_problems = list(executed(((row, None) for row in _gsm_rows(sources, mix, rng)), workers))
        counts["gsm8k_train"] = len(word_problems)
        before = [*rows, *fixed, *word_problems]
        forbidden = test_ngrams(folder)
        rows = [row for row in before if not ngrams(row.question) & forbidden]
        counts["dropped_contaminated"] = len(before) - len(rows)
    else:
        rows = [*rows, *fixed]
    rng.shuffle(rows)
    counts["total"] = len(rows)
    return rows, counts


def remarked(rows: list[Row], remarks: list[str], share: float, rng: random.Random) -> list[Row]:
    """The rows, a `share` of the word problems with one of the `remarks` in front."""

    def one(row: Row) -> Row:
        kind = FAMILIES.get(row.family)
        if kind is None or kind.subject != "word problems" or rng.random() >= share:
            return row
        return replace(row, question=f"{rng.choice(remarks)} {row.question}")

    return [one(row) for row in rows]


def _gsm_rows(sources: list[gsm.Source], mix: Mix, rng: random.Random) -> Iterator[Row]:
    """Originals and copies with new numbers, of the problems that are short enough and need nothing unsaid."""
    for source in sources:
        if len(source.steps) > mix.gsm_steps or not gsm.is_grounded(source):
            continue
        if mix.gsm_originals:
            original = gsm.row(source, rng, is_new=False)
            if original is not None:
                yield original
        for _ in range(mix.gsm_copies):
            copy = gsm.row(source, rng, is_new=True)
            if copy is not None:
                yield copy


def save(rows: list[Row], path: Path) -> str:
    """Write the rows as gzipped JSON lines; returns the SHA-256 of the uncompressed text."""
    text = "".join(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as out:
        out.write(text)
    return hashlib.sha256(text.encode()).hexdigest()


def load(path: Path) -> list[Row]:
    """Rows written by `save`."""
    rows = []
    for data in read_jsonl(path):
        turns = tuple((str(a), str(b)) for a, b in data.pop("turns"))  # type: ignore[attr-defined]
        notes = tuple(str(note) for note in data.pop("notes"))  # type: ignore[attr-defined]
        rows.append(Row(**data, turns=turns, notes=notes))  # type: ignore[arg-type]
    return rows
