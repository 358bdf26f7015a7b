"""How a run ends early: a decided vote, a spent budget, a caller that leaves, a store that fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any

import pytest

from abaci.aggregation.config import SelfConsistencyConfig
from abaci.backend.base import GenerateRequest
from abaci.backend.scripted import ScriptedReply
from abaci.errors import TraceStoreError
from abaci.traces.memory import MemoryTraceStore
from abaci.types import (
    ChainFinished,
    ChainStarted,
    Decided,
    Execution,
    Output,
    RunFinished,
    RunStatus,
    SampleMore,
    StepTaken,
    StopReason,
    TraceEvent,
    VotesCounted,
)

Make = Callable[..., Any]

PROGRAM = "I compute.\n```python\nprint(6 * 7)\n```\n```output"
ANSWER = "It is $\\boxed{42}$."
NEVER_S = 60.0
SLOW = ScriptedReply("I think and think and think.", latency_s=NEVER_S)
ALL_MUST_AGREE = SelfConsistencyConfig(min_share=1.0)


def stops(solution: Any) -> list[StopReason]:
    return [chain.stop_reason for chain in solution.trajectories]


def new_program(request: GenerateRequest) -> str:
    return f"```python\nprint({len(request.prompt.text)})\n```\n```output"


async def until(is_so: Callable[[], bool]) -> None:
    for _ in range(10_000):
        if is_so():
            return
        await asyncio.sleep(0.001)
    pytest.fail("it never came to that")


# --- a decided vote ---------------------------------------------------------------------------------------------------


async def test_a_decided_vote_cancels_the_chains_still_generating(bench: Make, options: Make) -> None:
    async with bench(lambda request: SLOW if request.sampling.seed in (1, 4, 7) else ANSWER) as b:
        started = time.monotonic()
        solution = await b.solver.solve("What?", options(9))
        assert time.monotonic() - started < NEVER_S / 2
        assert (solution.status, solution.answer, solution.confidence) == (RunStatus.SOLVED, "42", 1.0)
        assert [chain.chain for chain in solution.trajectories if chain.stop_reason is StopReason.CANCELLED] == [
            1,
            4,
            7,
        ]
        assert b.backend.aborted == 3
        assert b.is_idle


async def test_votes_are_not_counted_again_for_chains_that_were_cancelled(bench: Make, options: Make) -> None:
    async with bench(lambda request: SLOW if request.sampling.seed in (1, 4, 7) else ANSWER) as b:
        solution = await b.solver.solve("What?", options(9))
        counts = [event.body for event in await b.stored(solution.run_id) if isinstance(event.body, VotesCounted)]
    assert [count.finished for count in counts] == [1, 2, 3, 4, 5, 6]


async def test_a_decided_vote_cancels_the_programs_still_running(bench: Make, options: Make) -> None:
    interrupted = []

    async def hang(code: str) -> Execution:
        try:
            await asyncio.sleep(NEVER_S)
        finally:
            interrupted.append(code)
        return Execution(status="ok")

    async with bench(lambda request: PROGRAM if request.sampling.seed == 0 else ANSWER, hang) as b:
        solution = await b.solver.solve("What?", options(4))
        assert stops(solution)[0] is StopReason.CANCELLED
        assert len(interrupted) == 1
        assert b.is_idle


async def test_a_decided_vote_spares_the_chains_that_wait_for_a_slot(bench: Make, options: Make) -> None:
    async with bench(lambda request: ANSWER, max_chains=1) as b:
        solution = await b.solver.solve("What?", options(9))
    assert len(b.backend.requests) < 9
    assert (solution.answer, len(solution.trajectories)) == ("42", 9)
    assert set(stops(solution)) == {StopReason.ANSWER, StopReason.CANCELLED}


async def test_an_open_vote_cancels_nobody(bench: Make, options: Make) -> None:
    async with bench(lambda request: f"It is $\\boxed{{{request.sampling.seed}}}$.") as b:
        solution = await b.solver.solve("What?", options(6))
    assert stops(solution) == [StopReason.ANSWER] * 6


# --- budgets ----------------------------------------------------------------------------------------------------------


class Greedy:
    """Wants far more chains, until none remain."""

    first_samples = 2

    def __init__(self, *_: object) -> None:
        self.seen: list[int] = []

    def is_settled(self, buckets: Sequence[Any], progress: Any) -> bool:
        return False

    async def decide(self, problem: Any, trajectories: Sequence[Any], progress: Any) -> Decided | SampleMore:
        self.seen.append(len(trajectories))
        return SampleMore(samples=1000) if progress.remaining else Decided(answer=trajectories[0].answer)


async def test_sampling_goes_on_in_rounds_until_the_budget_of_samples_ends(bench: Make, options: Make) -> None:
    aggregator = Greedy()
    async with bench(lambda request: ANSWER, make_aggregator=lambda *_: aggregator) as b:
        solution = await b.solver.solve("What?", options(5))
    assert aggregator.seen == [2, 5]
    assert [chain.chain for chain in solution.trajectories] == [0, 1, 2, 3, 4]
    assert [request.sampling.seed for request in b.backend.requests] == [0, 1, 2, 3, 4]


async def test_an_aggregator_that_never_decides_cannot_outspend_the_budget(bench: Make, options: Make) -> None:
    class Insatiable(Greedy):
        async def decide(self, problem: Any, trajectories: Sequence[Any], progress: Any) -> SampleMore:
            return SampleMore(samples=3)

    async with bench(lambda request: ANSWER, make_aggregator=Insatiable) as b:
        solution = await b.solver.solve("What?", options(7))
    assert len(b.backend.requests) == 7
    assert solution.status is RunStatus.ABSTAINED


async def test_chains_sampled_after_a_settled_round_do_run(bench: Make, options: Make) -> None:
    class Hasty(Greedy):
        def is_settled(self, buckets: Sequence[Any], progress: Any) -> bool:
            return True

    async with bench(lambda request: ANSWER, make_aggregator=Hasty) as b:
        solution = await b.solver.solve("What?", options(6))
    assert stops(solution)[0] is StopReason.ANSWER
    assert StopReason.ANSWER in stops(solution)[2:]


async def test_no_chain_runs_more_programs_than_its_rounds(bench: Make, options: Make) -> None:
    async with bench(new_program) as b:
        solution = await b.solver.solve("What?", options(3, rounds=2, aggregator=ALL_MUST_AGREE))
    assert stops(solution) == [StopReason.MAX_ROUNDS] * 3
    assert len(b.sandbox.programs) == 6


async def test_generated_tokens_and_tool_output_stay_near_the_budget(bench: Make, options: Make) -> None:
    budget, chains, piece, output = 2000, 4, 5, 60
    async with bench(
        new_program, lambda code: Execution(status="ok", stdout=code + "7" * 40), piece_chars=piece, latency_s=0.0005
    ) as b:
        chosen = options(chains, rounds=100, tokens=budget, aggregator=ALL_MUST_AGREE)
        solution = await b.solver.solve("What?", chosen)
    spent = solution.usage.completion_tokens + solution.usage.tool_tokens
    assert budget <= spent <= budget + chains * (piece + 2 * output)
    assert solution.usage.tool_tokens > 0
    assert set(stops(solution)) == {StopReason.MAX_TOKENS}


async def test_once_the_tokens_are_spent_no_more_samples_are_asked_for(bench: Make, options: Make) -> None:
    aggregator = Greedy()
    async with bench(lambda request: "x" * 500, make_aggregator=lambda *_: aggregator) as b:
        await b.solver.solve("What?", options(50, tokens=100))
    assert aggregator.seen == [2]


async def test_the_wall_time_ends_sampling_and_what_is_there_is_counted(bench: Make, options: Make) -> None:
    def script(request: GenerateRequest) -> ScriptedReply | str:
        return ANSWER if request.sampling.seed == 0 else SLOW

    async with bench(script) as b:
        solution = await b.solver.solve("What?", options(3, wall_s=0.3))
        assert b.is_idle
    assert (solution.status, solution.answer) == (RunStatus.SOLVED, "42")
    assert stops(solution) == [StopReason.ANSWER, StopReason.WALL_TIME, StopReason.WALL_TIME]
    assert solution.duration_s < NEVER_S / 2


async def test_a_run_whose_time_passes_without_an_answer_abstains(bench: Make, options: Make) -> None:
    async with bench(lambda request: SLOW) as b:
        solution = await b.solver.solve("What?", options(2, wall_s=0.1))
    assert (solution.status, stops(solution)) == (RunStatus.ABSTAINED, [StopReason.WALL_TIME] * 2)


# --- a caller that leaves ---------------------------------------------------------------------------------------------


def slow_after_a_program(request: GenerateRequest) -> str | ScriptedReply:
    return SLOW if "```output\n" in request.prompt.text else PROGRAM


async def read_outputs(events: AsyncGenerator[TraceEvent, None], count: int) -> None:
    """Read a stream until `count` programs have been run."""
    async for event in events:
        count -= isinstance(event.body, StepTaken) and isinstance(event.body.step, Output)
        if not count:
            return


async def test_cancelling_solve_leaves_nothing_open_and_is_stored(bench: Make, options: Make) -> None:
    async with bench(slow_after_a_program) as b:
        task = asyncio.create_task(b.solver.solve("What?", options(4)))
        await until(lambda: len(b.backend.requests) == 8)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert b.is_idle
        assert b.backend.aborted == 4
        events = await b.stored()
    assert events[-1].body == RunFinished(status=RunStatus.CANCELLED, duration_s=events[-1].body.duration_s)
    assert sum(isinstance(event.body, ChainFinished) for event in events) == 4


async def test_cancelling_solve_while_programs_run_closes_their_sessions(bench: Make, options: Make) -> None:
    async def hang(code: str) -> Execution:
        await asyncio.sleep(NEVER_S)
        return Execution(status="ok")

    async with bench(lambda request: PROGRAM, hang) as b:
        task = asyncio.create_task(b.solver.solve("What?", options(4)))
        await until(lambda: len(b.sandbox.programs) == 4)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert b.is_idle


async def test_closing_a_stream_cancels_its_run(bench: Make, options: Make) -> None:
    async with bench(slow_after_a_program) as b:
        async with aclosing(b.solver.stream("What?", options(4))) as events:
            await read_outputs(events, 4)
            await until(lambda: len(b.backend.requests) == 8)
        assert b.is_idle
        stored = await b.stored()
    assert stored[-1].body.status is RunStatus.CANCELLED
    assert [event.seq for event in stored] == list(range(len(stored)))


async def test_closing_a_stream_at_its_first_event_leaves_nothing(bench: Make, options: Make) -> None:
    async with bench(slow_after_a_program) as b:
        async with aclosing(b.solver.stream("What?", options(4))) as events:
            await anext(events)
        assert b.is_idle
        assert (await b.stored())[-1].body.status is RunStatus.CANCELLED


async def test_a_stream_that_nobody_reads_starts_nothing(bench: Make, options: Make) -> None:
    async with bench(slow_after_a_program) as b:
        await b.solver.stream("What?", options(4)).aclose()
        assert b.backend.requests == []
        assert await b.traces.runs() == []


async def test_cancelling_the_reader_of_a_stream_cancels_its_run(bench: Make, options: Make) -> None:
    async def read() -> None:
        async with aclosing(b.solver.stream("What?", options(4))) as events:
            async for _ in events:
                pass

    async with bench(slow_after_a_program) as b:
        task = asyncio.create_task(read())
        await until(lambda: len(b.backend.requests) == 8)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert b.is_idle
        assert (await b.stored())[-1].body.status is RunStatus.CANCELLED


async def test_a_cancelled_run_still_folds_to_what_its_chains_had_done(bench: Make, options: Make) -> None:
    async with bench(slow_after_a_program) as b:
        async with aclosing(b.solver.stream("What?", options(2))) as events:
            await read_outputs(events, 2)
        stored = await b.stored()
    chains = [event.body for event in stored if isinstance(event.body, ChainStarted)]
    ends = [event.body for event in stored if isinstance(event.body, ChainFinished)]
    assert len(chains) == len(ends) == 2
    assert all(end.stop_reason is StopReason.CANCELLED and end.usage.programs == 1 for end in ends)


# --- a store that fails -----------------------------------------------------------------------------------------------


class GatedStore(MemoryTraceStore):
    """Takes nothing until the gate opens; refuses everything when broken."""

    def __init__(self, *, is_broken: bool = False) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.is_broken = is_broken

    async def append(self, events: Sequence[TraceEvent]) -> None:
        if self.is_broken:
            raise TraceStoreError("the disk is full")
        await self.gate.wait()
        await super().append(events)


async def test_a_store_that_fails_costs_a_warning_and_no_solution(bench: Make, options: Make) -> None:
    async with bench(lambda request: ANSWER, traces=GatedStore(is_broken=True)) as b:
        solution = await b.solver.solve("What?", options(2))
    assert (solution.status, solution.answer) == (RunStatus.SOLVED, "42")
    assert len(solution.warnings) == 1
    assert "the disk is full" in solution.warnings[0]


async def test_an_impatient_second_cancellation_still_records_the_end(bench: Make, options: Make) -> None:
    store = GatedStore()
    async with bench(slow_after_a_program, traces=store) as b:
        task = asyncio.create_task(b.solver.solve("What?", options(2)))
        await until(lambda: len(b.backend.requests) == 4)
        task.cancel()
        await until(lambda: b.is_idle)
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.sleep(0.05)
        store.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await b.stored())[-1].body.status is RunStatus.CANCELLED
