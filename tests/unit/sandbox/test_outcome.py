"""From what the host saw to an `Execution`."""

from __future__ import annotations

import signal

import pytest

from abaci.sandbox.base import Limits
from abaci.sandbox.outcome import OomWatch, to_execution
from abaci.sandbox.process import Ended, Stop
from abaci.sandbox.worker.wire import Reply, ReplyKind
from abaci.types import Execution, ExecutionStatus

LIMITS = Limits(timeout_s=2)


def judge(ended: Ended, *, was_lost_before: bool = False, is_lost: bool = False, has_oom: bool = False) -> Execution:
    return to_execution(ended, LIMITS, was_lost_before=was_lost_before, is_lost=is_lost, has_oom=has_oom)


def ended(
    reply: Reply | None = None, stop: Stop | None = None, fault: str | None = None, number: int | None = None
) -> Ended:
    return Ended("out", 0.5, stop, reply, fault, number)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (ReplyKind.OK, ExecutionStatus.OK),
        (ReplyKind.ERROR, ExecutionStatus.ERROR),
        (ReplyKind.MEMORY, ExecutionStatus.MEMORY),
    ],
)
def test_a_reply_is_believed(kind: ReplyKind, status: ExecutionStatus) -> None:
    execution = judge(ended(Reply(1, kind, error="E", traceback="T")))
    assert (execution.status, execution.error, execution.traceback) == (status, "E", "T")


def test_a_stopped_program_is_a_timeout_whatever_it_replied() -> None:
    execution = judge(ended(Reply(1, ReplyKind.OK, "result"), stop=Stop.TIMEOUT))
    assert (execution.status, execution.result) == (ExecutionStatus.TIMEOUT, None)
    assert execution.error == "the program was stopped after 2 s, its time limit"


def test_a_flood_is_an_output_limit() -> None:
    assert judge(ended(stop=Stop.OUTPUT_LIMIT)).status is ExecutionStatus.OUTPUT_LIMIT


def test_a_kill_by_the_kernel_for_memory_is_told_as_that() -> None:
    assert judge(ended(fault="f", number=signal.SIGKILL), has_oom=True).status is ExecutionStatus.MEMORY


def test_a_kill_without_evidence_of_memory_is_a_kill() -> None:
    execution = judge(ended(fault="f", number=signal.SIGKILL))
    assert (execution.status, execution.error) == (
        ExecutionStatus.KILLED,
        "the program's process was killed by SIGKILL",
    )


def test_an_unnamed_signal_is_told_by_its_number() -> None:
    assert judge(ended(fault="f", number=40)).error == "the program's process was killed by signal 40"


def test_a_fault_without_a_signal_is_told_as_it_is() -> None:
    assert judge(ended(fault="the fault")).error == "the fault"


@pytest.mark.parametrize(("before", "now"), [(True, False), (False, True)])
def test_a_loss_before_or_during_the_program_is_told(before: bool, now: bool) -> None:
    assert judge(ended(Reply(1, ReplyKind.OK)), was_lost_before=before, is_lost=now).is_session_lost


def test_the_largest_of_all_is_told_that_the_memory_of_all_ran_out() -> None:
    execution = judge(ended(stop=Stop.MEMORY, fault="all programs together"), is_lost=True)
    assert (execution.status, execution.error) == (ExecutionStatus.MEMORY, "all programs together")


def test_each_kill_for_memory_explains_one_death() -> None:
    kills = 3
    watch = OomWatch(lambda: kills)
    assert not watch.claim()
    kills = 5
    assert [watch.claim() for _ in range(3)] == [True, True, False]
