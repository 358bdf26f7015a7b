"""Scripted judges: what they say depends on the texts they are shown, and on nothing else."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable

from abaci.aggregation.judge import Judge
from abaci.backend.base import ChatPrompt, GenerateRequest
from abaci.backend.scripted import Script, ScriptedBackend
from abaci.types import JudgeCalled

_SHOWN = re.compile(
    r"^### (?:Chain|Option|Response|Solution) (\d+)\n(.*?)(?=\n\n### |\n\n(?:Grade|Select) )", re.M | re.S
)


def asked(request: GenerateRequest) -> str:
    """All that a judge is shown."""
    if isinstance(request.prompt, ChatPrompt):
        return "\n\n".join(message.content for message in request.prompt.messages)
    return request.prompt.text


def shown(request: GenerateRequest) -> dict[str, str]:
    """The candidates in a judge's prompt, by label."""
    return dict(_SHOWN.findall(asked(request)))


def answer_in(text: str) -> str:
    """The answer that a quoted candidate gives."""
    return text.rpartition("\nAnswer: ")[2]


def scores(request: GenerateRequest, score: Callable[[str], float]) -> str:
    """A reply that gives each candidate its `score`."""
    return "I looked. " + json.dumps({"scores": {label: score(text) for label, text in shown(request).items()}})


def by_content(request: GenerateRequest) -> str:
    """A steady judge: its scores and choices depend on the texts only."""
    texts = shown(request)
    if '{"choice"' in asked(request):
        counts = Counter(answer_in(text) for text in texts.values())
        best = max(texts, key=lambda label: (counts[answer_in(texts[label])], texts[label], -int(label)))
        return json.dumps({"choice": int(best)})
    return scores(request, lambda text: sum(map(ord, text)) % 11)


def judge_of(script: Script, **options: object) -> tuple[Judge, ScriptedBackend, list[JudgeCalled]]:
    """A judge that says what `script` says, its backend, and the calls that it records."""
    calls: list[JudgeCalled] = []
    backend = ScriptedBackend(script, is_chat=True, **options)  # type: ignore[arg-type]
    return Judge(backend, calls.append), backend, calls
