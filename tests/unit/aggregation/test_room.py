"""Prompts fit the judge's context, whatever chains say."""

from __future__ import annotations

import pytest
from judges import asked, by_content, judge_of
from made_chains import chain

from abaci.aggregation.base import Progress, conclude
from abaci.aggregation.buckets import equal_text
from abaci.aggregation.candidates import MAX_PROMPT_CHARS
from abaci.aggregation.config import (
    AggregatorConfig,
    AorConfig,
    AtomicConfig,
    GenSelectConfig,
    JudgeLimits,
    TfidfEmbedderConfig,
    UniversalConfig,
)
from abaci.aggregation.judge import CHARS_PER_TOKEN, MIN_ROOM_CHARS
from abaci.app import make_aggregator
from abaci.types import Problem

PROBLEM = Problem(question="How long is it? " * 20)
REPLY_TOKENS = 1000


@pytest.mark.parametrize("context_length", [4096, 8192])
@pytest.mark.parametrize("config", [AorConfig(), UniversalConfig(), GenSelectConfig(), AtomicConfig()])
async def test_a_prompt_and_its_reply_fit_the_context(config: AggregatorConfig, context_length: int) -> None:
    limited = config.model_copy(update={"judge": JudgeLimits(max_tokens=REPLY_TOKENS, attempts=1)})
    judge, backend, _ = judge_of(by_content, context_length=context_length)
    said = " ".join(f"Step {number} takes {'very ' * 30}many words." for number in range(500))
    members = [chain(index, "12"[index > 4], f"Way {index}. {said}") for index in range(8)]
    aggregator = make_aggregator(limited, equal_text, judge, TfidfEmbedderConfig())
    await conclude(aggregator, PROBLEM, members, Progress(finished=8, started=8, remaining=0))
    longest = max(len(asked(request)) for request in backend.requests)
    assert longest / CHARS_PER_TOKEN + REPLY_TOKENS <= context_length
    # Room is used, not wasted.
    assert longest >= min(context_length, 3000)


def test_a_judge_that_does_not_say_its_context_has_the_most_room() -> None:
    judge, _, _ = judge_of(by_content)
    assert judge.room_chars("?", JudgeLimits()) == MAX_PROMPT_CHARS


def test_there_is_always_some_room() -> None:
    judge, _, _ = judge_of(by_content, context_length=16)
    assert judge.room_chars("?" * 10_000, JudgeLimits()) == MIN_ROOM_CHARS
