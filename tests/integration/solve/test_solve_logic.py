"""From a question to a solution: fan-out, votes, failures, and what is stored of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from abaci.aggregation.config import SelfConsistencyConfig
from abaci.backend.base import GenerateRequest, ToolCall
from abaci.backend.scripted import ScriptedReply
from abaci.errors import BackendRejected, GradingError, InvalidInput, SandboxError, SettingsError
from abaci.traces.fold import fold_solution
from abaci.types import (
    ChainStarted,
    DecisionMade,
    Execution,
    RunFinished,
    RunStarted,
    RunStatus,
    StopReason,
    TextDelta,
    VotesCounted,
)

Make = Callable[..., Any]

PROGRAM = "I compute.\n```python\nprint(6 * 7)\n```\n```output"


def vote(*answers: str | None) -> Callable[[GenerateRequest], str]:
    """A script in which chain *i* (told by its seed) answers `answers[i]`."""

    def script(request: GenerateRequest) -> str:
        answer = answers[request.sampling.seed or 0]
        return "I give up." if answer is None else f"It is $\\boxed{{{answer}}}$."

    return script


def compute_then_answer(request: GenerateRequest) -> str:
    return "So $\\boxed{42}$." if "```output\n" in request.prompt.text else PROGRAM


async def test_a_problem_becomes_an_answer_with_its_justification(bench: Make, options: Make) -> None:
    async with bench(compute_then_answer) as b:
        solution = await b.solver.solve("What is 6 * 7?", options(3))
    assert (solution.status, solution.answer, solution.confidence) == (RunStatus.SOLVED, "42", 1.0)
    assert solution.question == "What is 6 * 7?"
    assert "print(6 * 7)" in solution.explanation
    assert [chain.chain for chain in solution.trajectories] == [0, 1, 2]
    assert solution.usage.programs == 3
    assert (solution.warnings, solution.error) == ((), None)


async def test_every_chain_of_the_budget_runs_with_its_own_seed(bench: Make, options: Make) -> None:
    async with bench(vote(*"5" * 200)) as b:
        for _ in range(2):
            await b.solver.solve("What?", options(6, seed=100, aggregator=SelfConsistencyConfig(min_share=1.0)))
        seeds = [request.sampling.seed for request in b.backend.requests]
    assert sorted(seeds[:6]) == sorted(seeds[6:]) == list(range(100, 106))


async def test_without_a_seed_the_engine_chooses(bench: Make, options: Make) -> None:
    async with bench(vote("5")) as b:
        await b.solver.solve("What?", options(2, seed=None))
    assert [request.sampling.seed for request in b.backend.requests] == [None, None]


async def test_votes_are_counted_over_equal_answers_not_over_spellings(bench: Make, options: Make) -> None:
    async with bench(vote("0.5", "7", "\\frac{1}{2}", "0.50"), equal=_half) as b:
        solution = await b.solver.solve("What?", options(4))
    assert solution.answer == "0.5"
    assert solution.confidence == 0.75
    assert [bucket.chains for bucket in solution.buckets] == [(0, 2, 3), (1,)]


async def _half(first: str, second: str) -> bool:
    halves = {"0.5", "\\frac{1}{2}"}
    return first == second or {first, second} <= halves


async def test_a_tie_goes_to_the_earliest_chain(bench: Make, options: Make) -> None:
    async with bench(vote("9", "3", "3", "9")) as b:
        assert (await b.solver.solve("What?", options(4))).answer == "9"


async def test_chains_without_an_answer_abstain(bench: Make, options: Make) -> None:
    async with bench(vote(None, "3", None, None)) as b:
        solution = await b.solver.solve("What?", options(4))
    assert (solution.answer, solution.confidence) == ("3", 1.0)


async def test_when_nobody_answers_the_run_abstains(bench: Make, options: Make) -> None:
    async with bench(vote(None, None)) as b:
        solution = await b.solver.solve("What?", options(2))
    assert (solution.status, solution.answer, solution.error) == (RunStatus.ABSTAINED, None, None)


async def test_below_the_required_share_the_run_abstains(bench: Make, options: Make) -> None:
    async with bench(vote("1", "2", "3", "1")) as b:
        chosen = options(4, aggregator=SelfConsistencyConfig(min_share=0.75))
        solution = await b.solver.solve("What?", chosen)
    assert (solution.status, solution.answer, solution.confidence) == (RunStatus.ABSTAINED, None, 0.5)


async def test_a_conversation_with_tool_calls_is_solved_too(bench: Make, options: Make) -> None:
    def script(request: GenerateRequest) -> ScriptedReply | str:
        if request.prompt.messages[-1].role == "tool":
            return "It is \\boxed{42}."
        return ScriptedReply(tool_calls=(ToolCall(id="c", name="python", arguments='{"code": "6 * 7"}'),))

    async with bench(script, is_chat=True) as b:
        solution = await b.solver.solve("What?", options(2, style=None))
    assert (solution.answer, solution.usage.programs) == ("42", 2)


# --- failures ---------------------------------------------------------------------------------------------------------


async def test_a_failed_chain_does_not_stop_its_siblings(bench: Make, options: Make) -> None:
    def script(request: GenerateRequest) -> str | ScriptedReply:
        if request.sampling.seed == 1:
            return ScriptedReply(error=BackendRejected("bad request"))
        if request.sampling.seed == 2:
            raise ValueError("a defect")
        return "It is $\\boxed{5}$."

    async with bench(script) as b:
        solution = await b.solver.solve("What?", options(4, aggregator=SelfConsistencyConfig(min_share=1.0)))
    assert (solution.status, solution.answer) == (RunStatus.SOLVED, "5")
    errors = {chain.chain: chain.error for chain in solution.trajectories if chain.stop_reason is StopReason.ERROR}
    assert errors == {1: "BackendRejected: bad request", 2: "internal error: ValueError: a defect"}


async def test_when_every_chain_fails_the_run_has_failed_and_says_why_once(bench: Make, options: Make) -> None:
    async with bench(lambda request: ScriptedReply(error=BackendRejected("no model loaded"))) as b:
        solution = await b.solver.solve("What?", options(4))
    assert (solution.status, solution.answer) == (RunStatus.FAILED, None)
    assert solution.error == "every chain failed: BackendRejected: no model loaded"
    assert len(solution.trajectories) == 4


async def test_a_sandbox_failure_reaches_the_caller_but_never_the_model(bench: Make, options: Make) -> None:
    def broken(code: str) -> Execution:
        raise SandboxError("the zygote is gone")

    async with bench(compute_then_answer, broken) as b:
        solution = await b.solver.solve("What?", options(3))
        assert all("zygote" not in request.prompt.text for request in b.backend.requests)
    assert solution.status is RunStatus.FAILED
    assert "the zygote is gone" in (solution.error or "")


async def test_a_dead_server_ends_all_chains_and_the_run(bench: Make, options: Make) -> None:
    async with bench(lambda request: ScriptedReply("It is", drop_after_chars=3)) as b:
        solution = await b.solver.solve("What?", options(2))
    assert solution.status is RunStatus.FAILED
    assert "BackendUnavailable" in (solution.error or "")


async def test_a_question_longer_than_the_context_loses_no_run(bench: Make, options: Make) -> None:
    async with bench(vote("1", "1"), context_length=50) as b:
        solution = await b.solver.solve("What? " * 100, options(2))
    assert {chain.stop_reason for chain in solution.trajectories} == {StopReason.CONTEXT_LENGTH}
    assert solution.status is not RunStatus.SOLVED


@pytest.mark.parametrize("error", [GradingError("no algebra"), SandboxError("no session")])
async def test_a_broken_grader_leaves_a_vote_over_texts_and_a_warning(
    bench: Make, options: Make, error: Exception
) -> None:
    async def broken(first: str, second: str) -> bool:
        raise error

    async with bench(vote("1", "2", "2"), equal=broken) as b:
        solution = await b.solver.solve("What?", options(3))
    assert (solution.status, solution.answer) == (RunStatus.SOLVED, "2")
    assert len(solution.warnings) == 1
    assert str(error) in solution.warnings[0]


class DefectiveAggregator:
    """Fails as nothing should."""

    first_samples = None

    def is_settled(self, buckets: Sequence[Any], progress: Any) -> bool:
        return False

    async def decide(self, problem: Any, trajectories: Any, progress: Any) -> Any:
        raise ZeroDivisionError("a defect")


async def test_a_defect_in_a_run_is_raised_and_its_trace_says_failed(bench: Make, options: Make) -> None:
    async with bench(vote("1", "1"), make_aggregator=lambda *_: DefectiveAggregator()) as b:
        with pytest.raises(ZeroDivisionError):
            await b.solver.solve("What?", options(2))
        events = await b.stored()
    assert events[-1].body.status is RunStatus.FAILED
    assert events[-1].body.error == "internal error: ZeroDivisionError: a defect"


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "message"),
    [("", "is empty"), (" \n\t", "is empty"), ("x" * 1_000_000, "100,000 characters"), ("x \ud800", "surrogate")],
)
async def test_a_question_that_cannot_be_used_is_refused_before_anything_starts(
    bench: Make, options: Make, question: str, message: str
) -> None:
    async with bench(vote("1")) as b:
        with pytest.raises(InvalidInput, match=message) as caught:
            await b.solver.solve(question, options(1))
        assert (b.backend.requests, await b.traces.runs()) == ([], [])
    assert caught.value.field == "question"


async def test_an_unknown_style_is_refused_by_solve_and_stream_alike(bench: Make, options: Make) -> None:
    async with bench(vote("1")) as b:
        with pytest.raises(SettingsError, match="no prompt style 'haiku'"):
            await b.solver.solve("What?", options(1, style="haiku"))
        with pytest.raises(SettingsError, match="no prompt style 'haiku'"):
            async for _ in b.solver.stream("What?", options(1, style="haiku")):
                pass


async def test_a_solver_outside_its_context_says_how_to_use_it(bench: Make, options: Make) -> None:
    async with bench(vote("1")) as b:
        pass
    with pytest.raises(InvalidInput, match="async with solver"):
        await b.solver.solve("What?", options(1))


# --- events -----------------------------------------------------------------------------------------------------------


async def test_the_stream_is_what_is_stored_and_folds_to_the_solution(bench: Make, options: Make) -> None:
    async with bench(compute_then_answer, piece_chars=4) as b:
        streamed = [event async for event in b.solver.stream("What?", options(3))]
        stored = await b.stored(streamed[0].run_id)
    assert [event for event in streamed if not isinstance(event.body, TextDelta)] == stored
    assert any(isinstance(event.body, TextDelta) for event in streamed)
    assert fold_solution(streamed) == fold_solution(stored)
    assert fold_solution(stored).answer == "42"


async def test_solve_and_stream_tell_the_same_story(bench: Make, options: Make) -> None:
    async with bench(vote("1", "2", "1")) as b:
        solved = await b.solver.solve("What?", options(3))
        streamed = fold_solution([event async for event in b.solver.stream("What?", options(3))])
    varying = {"run_id", "duration_s", "trajectories"}
    assert solved.model_dump(exclude=varying) == streamed.model_dump(exclude=varying)


async def test_the_solution_is_the_fold_of_what_is_stored(bench: Make, options: Make) -> None:
    async with bench(compute_then_answer) as b:
        solution = await b.solver.solve("What?", options(3))
        assert fold_solution(await b.stored(solution.run_id)) == solution


async def test_stored_events_have_no_gaps_and_a_beginning_and_an_end(bench: Make, options: Make) -> None:
    async with bench(compute_then_answer) as b:
        solution = await b.solver.solve("What?", options(5))
        events = await b.stored(solution.run_id)
    assert [event.seq for event in events] == list(range(len(events)))
    assert isinstance(events[0].body, RunStarted)
    assert isinstance(events[-2].body, DecisionMade)
    assert isinstance(events[-1].body, RunFinished)


async def test_the_record_says_with_which_options_the_run_was_made(bench: Make, options: Make) -> None:
    async with bench(vote("1")) as b:
        solution = await b.solver.solve("What?", options(1, style=None))
        started = (await b.stored(solution.run_id))[0].body
    assert (started.model, started.options["style"]) == ("script", "few_shot")
    assert started.options["budget"]["samples"] == 1


async def test_the_votes_grow_with_every_chain_that_finishes(bench: Make, options: Make) -> None:
    async with bench(vote("1", "2", "3", "4")) as b:
        solution = await b.solver.solve("What?", options(4))
        counts = [event.body for event in await b.stored(solution.run_id) if isinstance(event.body, VotesCounted)]
    assert [(count.finished, count.started) for count in counts] == [(1, 4), (2, 4), (3, 4), (4, 4)]


async def test_concurrent_runs_do_not_mix(bench: Make, options: Make) -> None:
    def script(request: GenerateRequest) -> ScriptedReply:
        number = request.prompt.text.split("number ")[1].split("?")[0]
        return ScriptedReply(f"It is $\\boxed{{{number}}}$.", latency_s=0.001)

    async with bench(script, piece_chars=6) as b:
        chosen = options(3)
        solutions = await asyncio.gather(*(b.solver.solve(f"What is number {i}?", chosen) for i in range(8)))
        for i, solution in enumerate(solutions):
            assert (solution.answer, solution.question) == (str(i), f"What is number {i}?")
            events = await b.stored(solution.run_id)
            assert sum(isinstance(event.body, ChainStarted) for event in events) == 3
    assert len({solution.run_id for solution in solutions}) == 8


async def test_no_more_chains_run_at_once_than_the_process_allows(bench: Make, options: Make) -> None:
    at_once = 0

    def script(request: GenerateRequest) -> ScriptedReply:
        nonlocal at_once
        at_once = max(at_once, b.backend.running)
        return ScriptedReply("It is $\\boxed{1}$.", latency_s=0.005)

    async with bench(script, max_chains=3) as b:
        chosen = options(5, aggregator=SelfConsistencyConfig(min_share=1.0))
        await asyncio.gather(*(b.solver.solve("What?", chosen) for _ in range(3)))
        assert b.sandbox.max_open_sessions == at_once == 3
