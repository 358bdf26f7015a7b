"""The record of a run: numbering, streaming, and what a chain's log keeps."""

from __future__ import annotations

import pytest

from abaci.agents.recorder import TAIL_TOKENS, ChainLog, RunRecorder
from abaci.types import (
    ChainStarted,
    Program,
    Rationale,
    StepTaken,
    TextDelta,
    TraceEvent,
    Usage,
    WarningRaised,
    new_run_id,
)


def test_stored_events_are_numbered_without_gaps() -> None:
    recorder = RunRecorder(new_run_id())
    for chain in range(5):
        recorder.emit(ChainStarted(chain=chain))
        recorder.emit(TextDelta(chain=chain, text="x"))
    assert [event.seq for event in recorder.events] == [0, 1, 2, 3, 4]


def test_deltas_are_handed_on_but_not_kept() -> None:
    seen: list[TraceEvent] = []
    recorder = RunRecorder(new_run_id(), seen.append)
    recorder.emit(ChainStarted(chain=0))
    recorder.emit(TextDelta(chain=0, text="x"))
    assert [event.body.kind for event in seen] == ["chain_started", "text_delta"]
    assert [event.body.kind for event in recorder.events] == ["chain_started"]


def test_a_delta_carries_the_number_of_the_stored_event_before_it() -> None:
    seen: list[TraceEvent] = []
    recorder = RunRecorder(new_run_id(), seen.append)
    for body in (
        ChainStarted(chain=0),
        ChainStarted(chain=1),
        TextDelta(chain=0, text="x"),
        WarningRaised(message="w"),
        TextDelta(chain=0, text="y"),
    ):
        recorder.emit(body)
    assert [event.seq for event in seen] == [0, 1, 1, 2, 2]


def test_every_sink_sees_every_event_in_order() -> None:
    first: list[TraceEvent] = []
    second: list[TraceEvent] = []
    recorder = RunRecorder(new_run_id(), first.append, second.append)
    for chain in range(3):
        recorder.emit(ChainStarted(chain=chain))
    assert first == second == recorder.events


def test_events_are_valid_although_built_without_validation() -> None:
    recorder = RunRecorder(new_run_id())
    recorder.emit(StepTaken(chain=0, round=0, step=Program(code="x = 1")))
    event = recorder.events[0]
    assert TraceEvent.model_validate_json(event.model_dump_json()) == event


def make_log() -> tuple[ChainLog, RunRecorder]:
    recorder = RunRecorder(new_run_id())
    return ChainLog(3, recorder), recorder


def test_steps_are_kept_and_recorded() -> None:
    log, recorder = make_log()
    log.step(Rationale(text="I think."))
    assert log.steps == [Rationale(text="I think.")]
    assert [event.body for event in recorder.events] == [StepTaken(chain=3, round=0, step=Rationale(text="I think."))]


def test_text_of_a_broken_off_call_becomes_a_step() -> None:
    log, _ = make_log()
    log.delta("I was about ")
    log.delta("to say")
    log.keep_unread()
    assert log.steps == [Rationale(text="I was about to say")]
    assert log.text == "I was about to say"


def test_text_that_was_read_is_not_kept_twice() -> None:
    log, _ = make_log()
    log.delta("done")
    log.read("done")
    log.keep_unread()
    assert log.steps == []
    assert log.text == "done"


def test_usage_adds_up() -> None:
    log, _ = make_log()
    log.spend(Usage(requests=1, completion_tokens=5))
    log.spend(Usage(requests=1, completion_tokens=7, programs=1))
    assert log.usage == Usage(requests=2, completion_tokens=12, programs=1)


def test_the_mean_log_probability_is_weighted_by_tokens() -> None:
    log, _ = make_log()
    log.add_logprobs(-1.0, 1)
    log.add_logprobs(-1.0, 3)
    assert log.mean_logprob == pytest.approx(-0.5)


def test_without_log_probabilities_there_is_no_mean() -> None:
    log, _ = make_log()
    log.add_logprobs(None, 4)
    assert log.mean_logprob is None


def test_the_tail_entropy_is_the_surprisal_of_the_last_tokens() -> None:
    log, _ = make_log()
    assert log.tail_entropy is None
    for _ in range(3 * TAIL_TOKENS):
        log.add_logprobs(-9.0, 1)
    for _ in range(TAIL_TOKENS // 2):
        log.add_logprobs(-1.0, 2)
    assert log.tail_entropy == pytest.approx(0.5)


def test_a_short_chain_is_all_tail() -> None:
    log, _ = make_log()
    log.add_logprobs(-1.0, 1)
    log.add_logprobs(None, 1)
    log.add_logprobs(-5.0, 2)
    assert log.tail_entropy == pytest.approx(2.0)
