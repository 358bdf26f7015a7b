"""The check that every question passes, wherever it comes from."""

from __future__ import annotations

from pydantic import ValidationError

from abaci.errors import InvalidInput
from abaci.types import MAX_QUESTION_CHARS, Problem


def as_problem(question: Problem | str) -> Problem:
    """`question` as a problem.

    Raises:
        InvalidInput: it is empty, too long, or no Unicode text; says which.
    """
    text = question if isinstance(question, str) else question.question
    try:
        text.encode()
        return question if isinstance(question, Problem) else Problem(question=question)
    except UnicodeEncodeError as error:
        what = f"character {error.start + 1} is half of a surrogate pair"
        raise InvalidInput(f"the question is no Unicode text: {what}", field="question") from error
    except ValidationError as error:
        raise InvalidInput(f"the question {_fault(text)}", field="question") from error


def _fault(text: str) -> str:
    if not text.strip():
        return "is empty"
    if len(text) > MAX_QUESTION_CHARS:
        return f"is longer than {MAX_QUESTION_CHARS:,} characters: shorten it"
    return "cannot be used"
