"""Reading judges' replies: structured values out of text that may hold anything."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from pydantic import JsonValue

from abaci.aggregation.judge import ReplyForm, Unreadable
from abaci.backend.base import JsonSchema

MIN_SCORE, MAX_SCORE = 0.0, 10.0

MAX_READ_CHARS = 16_000
"""How much of a reply's end is read: each brace of it may begin an object, and reading holds up everything else."""


class ScoreReader:
    """Reads `{"scores": {label: points}}` for `labels`, each score by itself.

    `scores` holds every valid score of the replies read so far, by label; a call that leaves one missing raises
    `Unreadable`. Labels that were not asked for, and points that are no number from 0 to 10, do not count.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = labels
        self.scores: dict[str, float] = {}

    @property
    def form(self) -> ReplyForm:
        """What a reply is when it is JSON from its first character on. Its points are whole: digits may have no end."""
        points: JsonSchema = {"type": "integer", "enum": list(range(int(MIN_SCORE), int(MAX_SCORE) + 1))}
        return _form("scores", _object({label: points for label in self._labels}))

    async def __call__(self, reply: str) -> dict[str, float]:
        """The scores of all labels. Later replies correct earlier ones."""
        for found in _objects(reply, "scores"):
            if isinstance(found, dict):
                self.scores |= {label: float(found[label]) for label in self._labels if _is_score(found.get(label))}
        missing = [label for label in self._labels if label not in self.scores]
        if missing:
            raise Unreadable(f"no points from 0 to 10 for {', '.join(missing)}")
        return dict(self.scores)


class ChoiceReader:
    """Reads `{"choice": label}`, the last one of a reply, where the label is from 1 to `count`."""

    def __init__(self, count: int) -> None:
        self._count = count

    @property
    def form(self) -> ReplyForm:
        """What a reply is when it is JSON from its first character on."""
        return _form("choice", {"type": "integer", "enum": list(range(1, self._count + 1))})

    async def __call__(self, reply: str) -> int:
        """The label chosen."""
        choices = [_as_label(found) for found in _objects(reply, "choice")]
        valid = [choice for choice in choices if choice is not None and 1 <= choice <= self._count]
        if not valid:
            raise Unreadable(f"no choice from 1 to {self._count}")
        return valid[-1]


def _form(key: str, verdict: JsonSchema) -> ReplyForm:
    """An object with the verdict under `key`, after the reasons: a model that wrote them later would make them up."""
    return ReplyForm(_object({"reasons": {"type": "string"}, key: verdict}), _object({key: verdict}))


def _object(properties: dict[str, JsonValue]) -> JsonSchema:
    """Exactly these properties, in this order; in words that every server's subset of JSON schema has."""
    required: list[JsonValue] = list(properties)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _objects(reply: str, key: str) -> Iterator[object]:
    """What the JSON objects at the end of `reply` hold under `key`, in order."""
    decoder = json.JSONDecoder()
    reply = reply[-MAX_READ_CHARS:]
    start = reply.find("{")
    while start >= 0:
        try:
            found, end = decoder.raw_decode(reply, start)
        except (ValueError, RecursionError):
            found, end = None, start + 1
        if isinstance(found, dict) and key in found:
            yield found[key]
        else:
            # It may be inside.
            end = start + 1
        start = reply.find("{", end)


def _is_score(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and MIN_SCORE <= value <= MAX_SCORE


def _as_label(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value.strip()) <= 6:
        return int(value)
    return value if isinstance(value, int) else None
