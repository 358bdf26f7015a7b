"""Which stored runs go on, who may work on them, and how their streams begin."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Any

import pytest
from stored_runs import BOUND_S, chain_text, store_of, until_stored

from abaci.aggregation.config import SelfConsistencyConfig
from abaci.backend.base import GenerateRequest
from abaci.backend.scripted import ScriptedReply
from abaci.errors import InvalidInput, RunInProgress, RunNotFound, TraceStoreError
from abaci.traces.fold import fold_solution
from abaci.traces.hold import Hold
from abaci.traces.memory import MemoryTraceStore
from abaci.traces.patient import PatientTraceStore
from abaci.types import ChainStarted, Decided, RunResumed, RunStarted, RunStatus, TraceEvent

Make = Callable[..., Any]


async def test_a_run_that_is_over_gives_its_solution(bench: Make, options: Make) -> None:
    async with bench(lambda request: chain_text(request, "11")) as b:
        solution = await b.solver.solve("What?", options(2))
        before = len(b.backend.requests)
        assert await b.solver.resume(solution.run_id) == solution
        assert len(b.backend.requests) == before


async def test_a_run_that_failed_after_its_decision_is_over(bench: Make, options: Make) -> None:
    async with bench([]) as b:
        solution = await b.solver.solve("What?", options(2))
        assert solution.status is RunStatus.FAILED
        assert await b.solver.resume(solution.run_id) == solution


async def test_a_run_that_failed_before_its_decision_goes_on(bench: Make, options: Make) -> None:
    class Broken:
        first_samples = None

        def is_settled(self, *_: object) -> bool:
            return False

        async def decide(self, *_: object) -> Decided:
            raise TraceStoreError("out of luck")

    def script(request: GenerateRequest) -> str:
        return chain_text(request, "11")

    async with bench(script, make_aggregator=lambda *_: Broken()) as b:
        failed = await b.solver.solve("What?", options(2))
        assert failed.status is RunStatus.FAILED
        traces = b.traces
    async with bench([], traces=traces) as b:
        solution = await b.solver.resume(failed.run_id)
    assert (solution.status, solution.answer, solution.error) == (RunStatus.SOLVED, "1", None)


async def test_an_unknown_run_is_not_found(bench: Make) -> None:
    async with bench([]) as b:
        with pytest.raises(RunNotFound):
            await b.solver.resume(f"run_{0:024x}")


async def test_a_run_in_progress_is_not_resumed(bench: Make, options: Make) -> None:
    async with (
        bench(lambda request: ScriptedReply("Hm.", latency_s=60.0)) as b,
        aclosing(b.solver.stream("What?", options(2))) as events,
    ):
        run_id = (await anext(events)).run_id
        with pytest.raises(RunInProgress, match="is going on"):
            await b.solver.resume(run_id)


async def test_a_run_that_another_process_works_on_is_not_resumed(bench: Make, options: Make) -> None:
    store = MemoryTraceStore()
    async with (
        bench(lambda request: ScriptedReply("Hm.", latency_s=60.0), traces=store) as theirs,
        bench([], traces=store) as ours,
        aclosing(theirs.solver.stream("What?", options(2))) as events,
    ):
        run_id = (await anext(events)).run_id
        await until_stored(store)
        began = time.monotonic()
        with pytest.raises(RunInProgress, match=f"{run_id} is going on, here or in another process"):
            await ours.solver.resume(run_id)
        assert time.monotonic() - began < BOUND_S
        assert not any(isinstance(event.body, RunResumed) for event in await theirs.stored())


async def test_of_two_that_resume_a_run_at_once_one_does_and_both_have_its_end(bench: Make, options: Make) -> None:
    def script(request: GenerateRequest) -> str:
        return chain_text(request, "11")

    async with bench(script) as b:
        solution = await b.solver.solve("What?", options(2))
        events = await b.stored()
    store = await store_of(events[:3])
    async with bench(script, traces=store) as first, bench(script, traces=store) as second:
        one, other = await asyncio.gather(*(b.solver.resume(solution.run_id) for b in (first, second)))
        assert one == other
        assert len(first.backend.requests) + len(second.backend.requests) == 2
    assert sum(isinstance(event.body, RunResumed) for event in await first.stored()) == 1


async def test_a_process_that_slept_through_its_claim_keeps_out_of_the_trace(
    bench: Make, options: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("abaci.traces.hold.CLAIM_S", 0.0)
    monkeypatch.setattr("abaci.traces.hold.RENEW_S", 0.05)
    is_drawing = asyncio.Event()

    def slow(request: GenerateRequest) -> Any:
        is_drawing.set()
        return ScriptedReply(chain_text(request, "33"), latency_s=1.0)

    store = MemoryTraceStore()
    async with (
        bench(slow, traces=store) as sleeper,
        bench(lambda request: chain_text(request, "11"), traces=store) as other,
    ):
        sleeping = asyncio.create_task(sleeper.solver.solve("What?", options(2)))
        async with asyncio.timeout(BOUND_S):
            await is_drawing.wait()
        await until_stored(store)
        monkeypatch.setattr("abaci.traces.hold.CLAIM_S", 60.0)
        hold = Hold(store, (await store.runs())[0].run_id)
        await hold.take()
        solution = await sleeping
        assert (solution.status, solution.answer) == (RunStatus.SOLVED, "3")
        assert "another process has taken the run over" in solution.warnings[0]
        await hold.__aexit__()
        resumed = await other.solver.resume(solution.run_id)
        assert (resumed.status, resumed.answer) == (RunStatus.SOLVED, "1")
        assert fold_solution(await other.stored()) == resumed


async def test_a_trace_with_a_gap_is_not_resumed(bench: Make, options: Make) -> None:
    async with bench(lambda request: chain_text(request, "11")) as b:
        await b.solver.solve("What?", options(2))
        events = await b.stored()
    async with bench([], traces=await store_of([*events[:2], *events[3:5]])) as b:
        with pytest.raises(InvalidInput, match="are missing"):
            await b.solver.resume(events[0].run_id)


async def test_a_run_of_another_model_or_version_is_not_resumed(bench: Make, options: Make) -> None:
    async with bench(lambda request: chain_text(request, "11")) as b:
        await b.solver.solve("What?", options(2))
        first = (await b.stored())[0]
    assert isinstance(first.body, RunStarted)
    for changes, reason in (
        ({"model": "other"}, "with the model other"),
        ({"options": {"x": 1}}, "of this version"),
        ({"options": {"style": "baroque"}}, "of this version"),
    ):
        changed = first.model_copy(update={"body": first.body.model_copy(update=changes)})
        async with bench([], traces=await store_of([changed])) as b:
            with pytest.raises(InvalidInput, match=reason):
                await b.solver.resume(first.run_id)
            assert await b.stored() == [changed]


async def test_a_resumed_stream_that_is_left_at_once_records_its_end(bench: Make, options: Make) -> None:
    async with bench(lambda request: chain_text(request, "11")) as b:
        await b.solver.solve("What?", options(2))
        events = await b.stored()
    async with bench(lambda request: chain_text(request, "11"), traces=await store_of(events[:4])) as b:
        async with aclosing(b.solver.stream_resumed(events[0].run_id)) as stream:
            assert await anext(stream) == events[0]
        assert b.is_idle
        assert (await b.traces.runs())[0].status is RunStatus.CANCELLED


class AwayStore(MemoryTraceStore):
    """A store that is lost once it has taken a run's beginning, until it is brought back."""

    is_back = False

    async def append(self, events: Sequence[TraceEvent]) -> None:
        if await self.runs() and not self.is_back:
            raise TraceStoreError("no such server")
        await super().append(events)


async def test_a_run_that_was_cancelled_while_its_store_was_away_goes_on_whole(bench: Make, options: Make) -> None:
    is_drawing = asyncio.Event()

    def script(request: GenerateRequest) -> Any:
        if request.sampling.seed == 2 and not inner.is_back:
            is_drawing.set()
            return ScriptedReply("Let me think.", latency_s=60.0)
        return ScriptedReply(chain_text(request, "111"), latency_s=0.0 if inner.is_back else 0.5)

    inner = AwayStore()
    async with bench(script, traces=PatientTraceStore(inner)) as b:
        chosen = options(3, aggregator=SelfConsistencyConfig(min_share=0.9))
        task = asyncio.create_task(b.solver.solve("What?", chosen))
        async with asyncio.timeout(BOUND_S):
            await is_drawing.wait()
        await asyncio.sleep(1.0)
        task.cancel()
        await asyncio.wait({task})
        [summary] = await inner.runs()
        assert summary.status is RunStatus.RUNNING
        inner.is_back = True
        b.backend.requests.clear()
        solution = await b.solver.resume(summary.run_id)
        assert [request.sampling.seed for request in b.backend.requests] == [2]
        assert (solution.status, solution.answer, solution.confidence) == (RunStatus.SOLVED, "1", 1.0)
        assert fold_solution(await b.stored()) == solution


async def test_a_stream_of_a_resumed_run_begins_with_what_was_stored(bench: Make, options: Make) -> None:
    async with bench(lambda request: chain_text(request, "11")) as b:
        await b.solver.solve("What?", options(2))
        events = await b.stored()
    async with bench(lambda request: chain_text(request, "11"), traces=await store_of(events[:4])) as b:
        streamed = [event async for event in b.solver.stream_resumed(events[0].run_id)]
        assert [event for event in streamed if event.is_stored] == await b.stored()
    assert streamed[:4] == events[:4]
    assert isinstance(streamed[4].body, RunResumed)
    assert any(isinstance(event.body, ChainStarted) for event in streamed[5:])
