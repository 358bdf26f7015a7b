"""A scripted judge of known reliability, and what its calls cost."""

from __future__ import annotations

import json
import re
from random import Random

from abaci.aggregation.judge import Judge
from abaci.backend.base import GenerateRequest, TextPrompt
from abaci.backend.scripted import ScriptedBackend
from abaci.types import JudgeCalled, Usage

CHARS_PER_TOKEN = 4
"""The scripted backend counts characters; English and LaTeX have about four a token."""

WORDS_PER_CANDIDATE = "Its steps follow from each other as far as I can see, but for the second. " * 3
"""What the judge is said to write on each candidate, about 55 tokens."""

_SHOWN = re.compile(
    r"^### (?:Chain|Option|Response|Solution) (\d+)\n(.*?)(?=\n\n### |\n\n(?:Grade|Select) )", re.M | re.S
)


class NoisyJudge:
    """Finds out with probability `reliability` whether a chain is right, each time that it reads it.

    A judge that errs on a chain tends to err on it again: with probability `stubbornness` its verdict is the one that
    it has always had on this chain, else a fresh one. Chains that look right get 8 points, the others 4, each up to one
    point more or less; a choice falls on one of those that look right.
    """

    def __init__(self, reliability: float, stubbornness: float = 0.5, seed: int = 0) -> None:
        self.reliability = reliability
        self._stubbornness = stubbornness
        self._random = Random(seed)
        self._opinions: dict[str, bool] = {}
        self._right_answers: set[str] = set()
        self.usage = Usage()

    def judge(self) -> Judge:
        """The judge as aggregators ask it."""
        return Judge(ScriptedBackend(self._reply), self._count)

    def take_up(self, right_answers: set[str]) -> None:
        """Turn to the next question: which answers are right, as their chains write them."""
        self._right_answers = right_answers
        self._opinions.clear()

    def _count(self, call: JudgeCalled) -> None:
        # A reply that is cut off would measure the fallback instead.
        assert call.error is None, call.error
        self.usage = self.usage + call.usage

    def _reply(self, request: GenerateRequest) -> str:
        assert isinstance(request.prompt, TextPrompt)
        shown = dict(_SHOWN.findall(request.prompt.text))
        talk = WORDS_PER_CANDIDATE * len(shown)
        looks_right = {label: self._looks_right(text) for label, text in shown.items()}
        if '{"choice"' in request.prompt.text:
            liked = [label for label, is_liked in looks_right.items() if is_liked] or list(shown)
            return talk + json.dumps({"choice": int(self._random.choice(liked))})
        points = {
            label: (8 if is_liked else 4) + round(self._random.uniform(-1, 1), 2)
            for label, is_liked in looks_right.items()
        }
        return talk + json.dumps({"scores": points})

    def _looks_right(self, text: str) -> bool:
        is_right = text.rpartition("\nAnswer: ")[2] in self._right_answers
        fresh = is_right if self._random.random() < self.reliability else not is_right
        old = self._opinions.setdefault(text, fresh)
        return old if self._random.random() < self._stubbornness else fresh
