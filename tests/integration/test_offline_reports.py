"""Replay, grading and voting on committed rows, with a real sandbox."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from abaci.aggregation.config import SelfConsistencyConfig, UniversalConfig
from abaci.aggregation.self_consistency import SelfConsistency
from abaci.app import make_aggregator, open_judge
from abaci.backend.config import OpenAIConfig, ScriptedConfig
from abaci.evaluation.grade import grade_pairs
from abaci.evaluation.replay import ReplayOptions, replay_trajectories
from abaci.evaluation.vote import vote_pools
from abaci.grading.grader import Grader
from abaci.sandbox.auto import open_sandbox
from abaci.sandbox.base import Sandbox
from abaci.sandbox.config import AutoSandboxConfig
from abaci.settings import Settings
from abaci.types import JudgeCalled

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROWS = Path(__file__).parent / "offline_rows"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    async with open_sandbox(AutoSandboxConfig()) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def grader(sandbox: Sandbox) -> AsyncIterator[Grader]:
    async with Grader(sandbox) as opened:
        yield opened


async def test_replay_reports_what_it_ran(sandbox: Sandbox, grader: Grader) -> None:
    report = await replay_trajectories(ROWS / "trajectories.jsonl", sandbox, grader)
    found = json.loads(report.model_dump_json())
    assert (found["programs"], found["exact"]) == (10, 8)
    assert [(item["idx"], item["class"]) for item in found["mismatches"]] == [
        ("4", "state carried"),
        ("6", "error wording"),
    ]
    assert found["extraction_agreement"] == 100.0
    assert (found["accuracy"], found["accuracy_lenient"]) == (75.0, 87.5)
    assert 0 < found["p50_ms"] <= found["p99_ms"]


async def test_replay_can_carry_state(sandbox: Sandbox, grader: Grader) -> None:
    options = ReplayOptions(carry_state=True)
    report = await replay_trajectories(ROWS / "trajectories.jsonl", sandbox, grader, options)
    assert [mismatch.cause for mismatch in report.mismatches] == ["error wording"]


async def test_grading_reports_both_kinds_of_disagreement(grader: Grader) -> None:
    found = json.loads((await grade_pairs(ROWS / "pairs.jsonl", grader)).model_dump_json())
    assert (found["pairs"], found["agreement"]) == (9, 77.78)
    assert (found["false_positives"], found["false_negatives"]) == (1, 1)
    assert [item["line"] for item in found["disagreements"]] == [8, 9]
    assert 0 < found["p50_ms"] <= found["p99_ms"] <= found["max_ms"]


async def test_votes_count_equal_answers_together(grader: Grader) -> None:
    aggregator = SelfConsistency(SelfConsistencyConfig(), grader.are_equal)
    found = json.loads((await vote_pools(ROWS / "pools.jsonl", aggregator, grader)).model_dump_json())
    assert (found["questions"], found["accuracy"], found["oracle"]) == (5, 60.0, 80.0)
    assert (found["best_single"], found["abstained"], found["mean_samples"]) == (40.0, 1, 3.0)


async def test_a_judge_that_the_settings_name_is_asked_and_accounted_for(grader: Grader) -> None:
    settings = Settings(judge=ScriptedConfig(replies=('{"choice": 1}',)))
    calls: list[JudgeCalled] = []
    config = UniversalConfig()
    async with open_judge(settings, config, calls.append) as judge:
        report = await vote_pools(ROWS / "pools.jsonl", make_aggregator(config, grader.are_equal, judge), grader)
    # The first candidate of each question; those of one answer, or none, need no judge.
    assert (report.accuracy, report.abstained, len(calls)) == (40.0, 1, 4)
    assert {call.verdict for call in calls} == {1}


async def test_without_a_need_for_a_judge_none_is_started() -> None:
    unreachable = Settings(judge=OpenAIConfig(base_url="http://127.0.0.1:9/v1", model="none"))
    async with open_judge(unreachable, SelfConsistencyConfig(), lambda _: None) as judge:
        assert judge is not None
