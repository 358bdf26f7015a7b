"""Runs that broke off go on where their trace ends."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import killed_run
import pytest
from judges import by_content, scores
from stored_runs import BOUND_S, chain_text, store_of

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
from abaci.traces.fold import fold_solution
from abaci.types import (
    JudgeCalled,
    RunFinished,
    RunStatus,
    Solution,
    StopReason,
    TraceEvent,
)

Make = Callable[..., Any]


def is_judging(request: GenerateRequest) -> bool:
    return "quoted material" in request.prompt.text


def judged(request: GenerateRequest) -> str:
    if '{"scores"' in request.prompt.text:
        return scores(request, lambda text: 8 if text.endswith("Answer: 2") else 7)
    return by_content(request) if '{"choice"' in request.prompt.text else "So it is $\\boxed{2}$."


def essence(solution: Solution) -> Any:
    """A solution without what differs from one process to the next."""
    chains = [chain.model_copy(update={"duration_s": 0.0}) for chain in solution.trajectories]
    return solution.model_copy(update={"run_id": f"run_{0:024}", "duration_s": 0.0, "trajectories": tuple(chains)})


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
