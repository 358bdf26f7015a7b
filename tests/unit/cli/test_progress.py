from __future__ import annotations

from collections.abc import Callable

from abaci.cli.progress import ChainProgress, Phase, RunProgress
from abaci.types import (
    ChainStarted,
    Execution,
    ExecutionStatus,
    Output,
    Program,
    Rationale,
    RunResumed,
    TraceEvent,
)

MakeEvents = Callable[..., list[TraceEvent]]

OUTPUT = Output(text="4", execution=Execution(status=ExecutionStatus.OK, stdout="4"))


def test_a_chain_without_text_waits() -> None:
    assert ChainProgress(0).phase is Phase.WAITING


def test_prose_is_thinking() -> None:
    chain = ChainProgress(0)
    chain.write("Let x")
    assert chain.phase is Phase.THINKING


def test_an_open_fence_is_code_even_when_it_comes_in_pieces() -> None:
    chain = ChainProgress(0)
    for piece in ("Let x.\n", "``", "`py", "thon\n", "x ="):
        chain.write(piece)
    assert chain.phase is Phase.CODING


def test_a_program_is_running_until_its_output_comes() -> None:
    chain = ChainProgress(0)
    chain.take(Program(code="2 + 2"), 0)
    assert chain.phase is Phase.RUNNING
    chain.take(OUTPUT, 1)
    assert chain.phase is Phase.READING


def test_a_step_replaces_the_text_it_was_read_from() -> None:
    chain = ChainProgress(0)
    chain.write("Let x")
    chain.take(Rationale(text="Let x"), 0)
    assert [segment.text for segment in chain.segments] == ["Let x"]


def test_a_finished_chain_has_its_answer(make_events: MakeEvents) -> None:
    run = RunProgress()
    for event in make_events(1):
        run.add(event)
    assert (run.chains[0].phase, run.chains[0].answer) == (Phase.ANSWERED, "42")


def test_a_chain_without_an_answer_has_stopped(make_events: MakeEvents) -> None:
    run = RunProgress()
    for event in make_events(1, answer=None):
        run.add(event)
    assert run.chains[0].phase is Phase.STOPPED


def test_text_that_never_became_a_step_stays_visible(make_events: MakeEvents) -> None:
    run = RunProgress()
    for event in make_events(1):
        if event.body.kind != "step_taken":
            run.add(event)
    assert [segment.text for segment in run.chains[0].segments] == ["I multiply.\n", "print(6 * 7)"]


def test_a_run_counts_chains_programs_and_votes(make_events: MakeEvents) -> None:
    run = RunProgress()
    for event in make_events(3):
        run.add(event)
    assert (run.planned, run.ended, run.programs, len(run.buckets)) == (3, 3, 3, 1)


def test_a_run_that_goes_on_is_not_finished_and_its_chains_begin_anew(make_events: MakeEvents) -> None:
    run = RunProgress()
    events = make_events(2)
    for body in (RunResumed(worked_s=1.5), ChainStarted(chain=1)):
        events.append(events[-1].model_copy(update={"body": body, "seq": events[-1].seq + 1}))
    for event in events:
        run.add(event)
    assert run.finished is None
    assert [chain.phase for chain in run.chains.values()] == [Phase.ANSWERED, Phase.WAITING]
