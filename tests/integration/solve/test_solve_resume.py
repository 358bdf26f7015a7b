"""Runs that broke off go on where their trace ends."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import killed_run
import pytest
from judges import by_content, scores

from abaci.aggregation.config import (
    AdaptiveConfig,
    AorConfig,
    AtomicConfig,
    BetaRule,
    GenSelectConfig,
    SelfConsistencyConfig,
    SupermajorityRule,
    UniversalConfig,
    WindowRule,
)
from abaci.backend.base import GenerateRequest
from abaci.backend.scripted import ScriptedReply
from abaci.errors import InvalidInput, RunInProgress, RunNotFound, TraceStoreError
from abaci.traces.fold import fold_solution
from abaci.traces.hold import Hold
from abaci.traces.memory import MemoryTraceStore
from abaci.traces.patient import PatientTraceStore
from abaci.types import (
    ChainStarted,
    Decided,
    JudgeCalled,
    RunFinished,
    RunResumed,
    RunStarted,
    RunStatus,
    Solution,
    StopReason,
    TraceEvent,
)

Make = Callable[..., Any]

BOUND_S = 60.0


def is_judging(request: GenerateRequest) -> bool:
    return "quoted material" in request.prompt.text


def chain_text(request: GenerateRequest, answers: str) -> str:
    seed = request.sampling.seed or 0
    return f"Way {seed} is steady.\nAll agree on it. It is $\\boxed{{{answers[seed]}}}$."


def judged(request: GenerateRequest) -> str:
    if '{"scores"' in request.prompt.text:
        return scores(request, lambda text: 8 if text.endswith("Answer: 2") else 7)
    return by_content(request) if '{"choice"' in request.prompt.text else "So it is $\\boxed{2}$."


def essence(solution: Solution) -> Any:
    """A solution without what differs from one process to the next."""
    chains = [chain.model_copy(update={"duration_s": 0.0}) for chain in solution.trajectories]
    return solution.model_copy(update={"run_id": f"run_{0:024}", "duration_s": 0.0, "trajectories": tuple(chains)})


async def store_of(events: list[TraceEvent]) -> MemoryTraceStore:
    store = MemoryTraceStore()
    await store.append(events)
    return store


async def until_stored(store: MemoryTraceStore) -> None:
    for _ in range(1000):
        if await store.runs():
            return
        await asyncio.sleep(0.01)
    pytest.fail("nothing was stored")


# --- killed -----------------------------------------------------------------------------------------------------------


def kill_run(folder: Path, hang: str, is_ready: Callable[[list[str]], bool]) -> list[str]:
    """Start a run in a process of its own, kill it where it hangs, and give the calls that it made."""
    calls = folder / "calls"
    calls.touch()
    with subprocess.Popen([sys.executable, killed_run.__file__, str(folder), hang]) as process:
        deadline = time.monotonic() + BOUND_S
        while not is_ready(calls.read_text().splitlines()) and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.02)
        # What a store has not taken yet is lost with the process: the writer gathers events for a fifth of a second.
        time.sleep(1.0)
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=BOUND_S) == -signal.SIGKILL
    return calls.read_text().splitlines()


async def go_on(folder: Path, bench: Make) -> tuple[Solution, list[str]]:
    """Resume the only run in `folder`; the solution, and the calls that this took."""
    (folder / "calls").write_text("")
    async with bench(killed_run.script_in(folder), traces=killed_run.store_in(folder)) as b:
        [run] = await b.traces.runs()
        assert run.status is RunStatus.RUNNING
        solution = await b.solver.resume(run.run_id)
        assert [event.seq for event in await b.stored()] == list(range(len(await b.stored())))
        assert fold_solution(await b.stored()) == solution
        assert (await b.traces.runs())[0].status is RunStatus.SOLVED
    return solution, (folder / "calls").read_text().splitlines()


async def whole(folder: Path, bench: Make) -> tuple[Solution, list[str]]:
    """The same run, never broken off, and its calls."""
    (folder / "calls").write_text("")
    async with bench(killed_run.script_in(folder)) as b:
        solution = await b.solver.solve("What?", killed_run.OPTIONS)
    return solution, (folder / "calls").read_text().splitlines()


async def test_chains_that_ended_before_a_kill_are_not_drawn_again(bench: Make, tmp_path: Path) -> None:
    before = kill_run(tmp_path, "chain 3", lambda calls: len(calls) == 5)
    assert sorted(before) == [f"chain {chain}" for chain in range(5)]
    solution, after = await go_on(tmp_path, bench)
    assert [call for call in after if call.startswith("chain")] == ["chain 3"]
    expected, calls = await whole(tmp_path, bench)
    assert Counter([*before, *after]) - Counter(calls) == Counter(["chain 3"])
    assert essence(solution) == essence(expected)


async def test_judges_that_answered_before_a_kill_are_not_asked_again(bench: Make, tmp_path: Path) -> None:
    before = kill_run(tmp_path, "global Way 0", lambda calls: sum(call.startswith("global") for call in calls) == 2)
    assert sum(call.startswith("local") for call in before) == 3
    solution, after = await go_on(tmp_path, bench)
    [asked_again] = after
    assert asked_again.startswith("global Way 0")
    expected, calls = await whole(tmp_path, bench)
    assert Counter([*before, *after]) - Counter(calls) == Counter([asked_again])
    assert essence(solution) == essence(expected)


# --- broken off anywhere ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "samples", "config"),
    [
        ("1122", 4, AorConfig(first_samples=4)),
        ("12121", 5, AorConfig(first_samples=2, step=2)),
        ("1123", 4, GenSelectConfig(window=2)),
        ("2212", 4, AtomicConfig(answer=AorConfig(first_samples=2, step=2))),
        ("11123", 5, SelfConsistencyConfig(min_share=0.9)),
        ("12212", 5, AdaptiveConfig(rule=SupermajorityRule(), answer=AorConfig(first_samples=2, step=2))),
        ("1212122", 7, AdaptiveConfig(answer=AorConfig())),
        ("12121", 5, AdaptiveConfig(rule=WindowRule(size=2), answer=AtomicConfig(answer=AorConfig()))),
        ("1213", 4, AdaptiveConfig(rule=SupermajorityRule(), answer=GenSelectConfig(window=2))),
        ("12122", 5, AdaptiveConfig(rule=BetaRule(step=2), answer=UniversalConfig())),
    ],
    ids=[
        "aor",
        "aor in rounds",
        "genselect",
        "atomic over aor",
        "vote",
        "supermajority over aor",
        "beta over aor",
        "windows over atomic over aor",
        "supermajority over genselect",
        "beta over universal",
    ],
)
async def test_wherever_a_run_breaks_off_it_comes_to_the_same_end(
    bench: Make, options: Make, answers: str, samples: int, config: Any
) -> None:
    def script(request: GenerateRequest) -> str:
        return judged(request) if is_judging(request) else chain_text(request, answers)

    chosen = options(samples, aggregator=config)
    async with bench(script) as b:
        expected = await b.solver.solve("What?", chosen)
        events = await b.stored()
        calls = Counter(request.model_dump_json() for request in b.backend.requests)
    for kept in range(1, len(events)):
        before = events[:kept]
        async with bench(script, traces=await store_of(before)) as b:
            solution = await b.solver.resume(expected.run_id)
            stored = await b.stored()
            made = Counter(request.model_dump_json() for request in b.backend.requests)
        assert stored[:kept] == before
        assert (stored[kept].body.kind, stored[-1].body.kind) == ("run_resumed", "run_finished")
        assert essence(solution) == essence(expected)
        ended = sum(event.body.kind == "chain_finished" for event in before)
        answered = sum(isinstance(event.body, JudgeCalled) for event in before)
        assert made.total() == calls.total() - ended - answered
        assert not made - calls


async def test_a_vote_that_was_settled_when_the_run_broke_off_draws_no_more(bench: Make, options: Make) -> None:
    def script(request: GenerateRequest) -> str:
        return chain_text(request, "1221222")

    config = AdaptiveConfig.model_validate({"rule": {"kind": "supermajority"}})
    async with bench(script) as b:
        expected = await b.solver.solve("What?", options(7, aggregator=config))
        events = await b.stored()
    drawn = []
    for kept in range(1, len(events)):
        async with bench(script, traces=await store_of(events[:kept])) as b:
            solution = await b.solver.resume(expected.run_id)
            drawn.append(len(b.backend.requests) + sum(event.body.kind == "chain_finished" for event in events[:kept]))
        assert (solution.status, solution.answer) == (expected.status, expected.answer)
    # Six chains settle it; the seventh ended in the same moment as the sixth, where nothing broke off between them.
    assert set(drawn) == {6, 7}


async def test_a_run_that_breaks_off_again_and_again_comes_to_its_end(bench: Make, options: Make) -> None:
    def script(request: GenerateRequest) -> str:
        return judged(request) if is_judging(request) else chain_text(request, "112")

    async with bench(script) as b:
        expected = await b.solver.solve("What?", options(3, aggregator=AorConfig()))
        kept = [event for event in await b.stored() if event.body.kind != "run_finished"][:1]
    for _ in range(30):
        async with bench(script, traces=await store_of(kept)) as b:
            solution = await b.solver.resume(expected.run_id)
            events = await b.stored()
        # Each time, nine more events are stored before it breaks off: that it goes on, and eight that follow.
        kept = events[: len(kept) + 9]
        if len(kept) == len(events):
            break
    assert essence(solution) == essence(expected)
    assert fold_solution(kept) == solution


# --- cancelled --------------------------------------------------------------------------------------------------------


async def cancel(b: Any, options: Any, is_ready: asyncio.Event, then_s: float = 0.0) -> list[TraceEvent]:
    """The events of a run that is cancelled `then_s` seconds after `is_ready`."""
    task = asyncio.create_task(b.solver.solve("What?", options))
    async with asyncio.timeout(BOUND_S):
        await is_ready.wait()
    await asyncio.sleep(then_s)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    events: list[TraceEvent] = await b.stored()
    assert fold_solution(events).status is RunStatus.CANCELLED
    return events


async def test_what_a_cancellation_stopped_is_drawn_again_and_all_of_it_is_counted(bench: Make, options: Make) -> None:
    is_drawing = asyncio.Event()
    is_held = True

    def script(request: GenerateRequest) -> Any:
        seed = request.sampling.seed or 0
        if seed == 2:
            is_drawing.set()
        return ScriptedReply(chain_text(request, "121"), latency_s=0.5 if is_held and seed else 0.001)

    vote = SelfConsistencyConfig(min_share=0.5)
    async with bench(script, piece_chars=3) as b:
        before = await cancel(b, options(3, aggregator=vote), is_drawing, then_s=0.7)
        is_held = False
        solution = await b.solver.resume(before[0].run_id)
        events = await b.stored()
        assert (await b.traces.runs())[0].status is RunStatus.SOLVED
    assert (solution.status, solution.answer) == (RunStatus.SOLVED, "1")
    assert [chain.stop_reason for chain in solution.trajectories] == [StopReason.ANSWER] * 3
    assert solution.usage.requests == len(b.backend.requests) == 5
    assert fold_solution(events) == solution
    ends = [event.body for event in events if isinstance(event.body, RunFinished)]
    assert [end.status for end in ends] == [RunStatus.CANCELLED, RunStatus.SOLVED]
    assert ends[0].duration_s < ends[1].duration_s == solution.duration_s


async def test_chains_that_a_settled_vote_cancelled_stay_cancelled(bench: Make, options: Make) -> None:
    is_asked = asyncio.Event()
    is_held = True

    def script(request: GenerateRequest) -> Any:
        if is_judging(request):
            is_asked.set()
            return ScriptedReply(judged(request), latency_s=60.0 if is_held else 0.0)
        return ScriptedReply(chain_text(request, "2222"), latency_s=60.0 if request.sampling.seed == 3 else 0.0)

    async with bench(script) as b:
        before = await cancel(b, options(4, aggregator=AtomicConfig()), is_asked)
        is_held = False
        drawn = len(b.backend.requests)
        solution = await b.solver.resume(before[0].run_id)
    assert solution.trajectories[3].stop_reason is StopReason.CANCELLED
    assert len(b.backend.requests) == drawn + 1
    assert solution.explanation == "So it is $\\boxed{2}$."


async def test_the_tokens_spent_before_a_break_count(bench: Make, options: Make) -> None:
    async with bench(lambda request: "x" * 100) as b:
        await b.solver.solve("What?", options(4, tokens=300, aggregator=SelfConsistencyConfig(min_share=1.0)))
        events = await b.stored()
    ends = [event.seq for event in events if event.body.kind == "chain_finished"]
    async with bench(lambda request: "y" * 1000, traces=await store_of(events[: ends[1] + 1]), piece_chars=1) as b:
        solution = await b.solver.resume(events[0].run_id)
    assert 300 <= solution.usage.completion_tokens <= 304
    assert {chain.stop_reason for chain in solution.trajectories} >= {StopReason.MAX_TOKENS}


async def test_a_judge_call_that_was_cancelled_is_counted(bench: Make, options: Make) -> None:
    is_asked = asyncio.Event()

    def script(request: GenerateRequest) -> Any:
        if is_judging(request):
            is_asked.set()
            return ScriptedReply("Let me think about it.", latency_s=0.1)
        return ScriptedReply(chain_text(request, "12"))

    async with bench(script, piece_chars=2) as b:
        events = await cancel(b, options(2, aggregator=GenSelectConfig(selections=1)), is_asked, then_s=0.5)
    [call] = [event.body for event in events if isinstance(event.body, JudgeCalled)]
    assert call.error == "broken off: CancelledError"
    assert 0 < call.usage.completion_tokens == len(call.reply) < len("Let me think about it.")
    assert call.prompt_sha256 is None
    assert fold_solution(events).judge_usage == call.usage


# --- what cannot be resumed -------------------------------------------------------------------------------------------


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
