"""Votes over recorded candidates."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from abaci.aggregation.adaptive import Adaptive
from abaci.aggregation.base import Aggregator, Progress
from abaci.aggregation.config import AdaptiveConfig, SelfConsistencyConfig
from abaci.aggregation.self_consistency import SelfConsistency
from abaci.evaluation.vote import VoteReport, vote_pools
from abaci.grading.grader import Grader
from abaci.sandbox.scripted import ScriptedSandbox
from abaci.types import Bucket, Decided, Decision, Execution, ExecutionStatus, Problem, SampleMore, Trajectory


class FirstAnswer:
    """Wants two chains first and two more as long as none has answered; then takes the first answer."""

    first_samples = 2

    def is_settled(self, buckets: Sequence[Bucket], progress: Progress) -> bool:
        return False

    async def decide(self, problem: Problem, trajectories: Sequence[Trajectory], progress: Progress) -> Decision:
        answers = [trajectory.answer for trajectory in trajectories if trajectory.answer]
        if answers:
            return Decided(answer=answers[0])
        return SampleMore(samples=2) if progress.remaining else Decided(answer=None)


async def vote(folder: Path, *rows: object, aggregator: Aggregator | None = None) -> VoteReport:
    path = folder / "pools.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    async with Grader(ScriptedSandbox(lambda _: Execution(status=ExecutionStatus.OK))) as grader:
        return await vote_pools(path, aggregator or FirstAnswer(), grader)


def pool(gold: str, *answers: str | None) -> dict[str, object]:
    candidates = [{"run": f"r{i}", "answer": a, "correct": a == gold} for i, a in enumerate(answers)]
    return {"gold": gold, "candidates": candidates}


async def test_an_aggregator_gets_more_candidates_when_it_asks(tmp_path: Path) -> None:
    report = await vote(tmp_path, pool("1", None, "", None, "1", "2"))
    assert (report.accuracy, report.mean_samples, report.abstained) == (100.0, 4.0, 0)


async def test_an_undecided_question_counts_as_wrong(tmp_path: Path) -> None:
    report = await vote(tmp_path, pool("1", None, None, None), pool("1", "1"))
    assert (report.questions, report.accuracy, report.oracle, report.abstained) == (2, 50.0, 50.0, 1)


async def test_the_best_single_run_is_found(tmp_path: Path) -> None:
    report = await vote(tmp_path, pool("1", "1", "2", "1"), pool("1", "2", "2", "1"))
    assert (report.best_single, report.best_run, report.oracle) == (100.0, "r2", 100.0)


async def test_parallel_lists_are_read_too(tmp_path: Path) -> None:
    row = {"gt": "3", "pred": ["3", ""], "score": [True, False], "response": ["a", "b"], "question": "how many?"}
    report = await vote(tmp_path, row)
    assert (report.accuracy, report.best_run) == (100.0, "0")


async def test_rewards_weigh_the_votes(tmp_path: Path) -> None:
    lists = {
        "gt": "3",
        "pred": ["4", "4", "3"],
        "score": [False, False, True],
        "pred_score": [[9.0, -4.0], -4.0, [3.0]],
    }
    objects = pool("3", "4", "4", "3")
    for candidate, reward in zip(objects["candidates"], (-4.0, None, 3.0), strict=True):  # type: ignore[call-overload]
        candidate["reward"] = reward
    weighted = SelfConsistency(SelfConsistencyConfig(weight="reward"))
    assert (await vote(tmp_path, lists, objects, aggregator=weighted)).accuracy == 100.0
    assert (await vote(tmp_path, lists, objects, aggregator=SelfConsistency(SelfConsistencyConfig()))).accuracy == 0.0


@pytest.mark.parametrize(
    ("weight", "figure", "values"),
    [("logprob", "mean_logprob", (-3.0, -2.0, -0.1)), ("tail_entropy", "tail_entropy", (3.0, 2.0, 0.1))],
)
async def test_recorded_certainties_weigh_the_votes(
    tmp_path: Path, weight: str, figure: str, values: tuple[float, ...]
) -> None:
    row = pool("3", "4", "4", "3")
    for candidate, value in zip(row["candidates"], values, strict=True):  # type: ignore[call-overload]
        candidate[figure] = value
    weighted = SelfConsistency(SelfConsistencyConfig.model_validate({"weight": weight}))
    report = await vote(tmp_path, row, aggregator=weighted)
    assert (report.accuracy, report.warnings) == (100.0, {})
    report = await vote(tmp_path, pool("3", "4", "4", "3"), pool("3", "3"), aggregator=weighted)
    [(warning, questions)] = report.warnings.items()
    assert questions == 2
    assert warning.endswith("every vote counts one")


async def test_adaptive_sampling_takes_the_candidates_in_the_order_of_the_file(tmp_path: Path) -> None:
    adaptive = Adaptive(AdaptiveConfig(), SelfConsistency(SelfConsistencyConfig()))
    report = await vote(tmp_path, pool("1", *"1111222222222"), pool("2", *"1222211222222"), aggregator=adaptive)
    assert (report.accuracy, report.mean_samples) == (100.0, (4 + 10) / 2)


@pytest.mark.parametrize(
    "row",
    [
        {"gold": "1", "candidates": []},
        {"gold": "1"},
        {"gt": "1", "pred": ["1"], "score": []},
        {"gt": "1", "pred": ["1"], "score": [True], "pred_score": [1.0, 2.0]},
        {"gold": "1", "candidates": [{"run": "a"}]},
        {"gold": "1", "candidates": [{"run": "a", "answer": "1", "correct": True, "reward": float("nan")}]},
        {"gt": "1", "pred": ["1"], "score": [True], "pred_score": [float("-inf")]},
    ],
)
async def test_a_malformed_pool_is_named(tmp_path: Path, row: dict[str, object]) -> None:
    report = await vote(tmp_path, row, pool("1", "1"))
    assert [malformed.line for malformed in report.malformed_rows] == [1]
    assert report.questions == 1
