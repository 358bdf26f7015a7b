"""A chain from question to `Trajectory`, whatever happens on the way."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from dataclasses import dataclass
from typing import Any

from langgraph.graph.state import CompiledStateGraph

from abaci.agents.dialogue import make_dialogue
from abaci.agents.recorder import ChainLog, RunRecorder
from abaci.agents.scope import ChainInterrupted, RunScope
from abaci.agents.styles import FenceStyle, ToolCallStyle
from abaci.agents.tora import ChainServices, ChainState
from abaci.answers.extract import Rule, find_answer
from abaci.answers.normalize import make_answer
from abaci.backend.base import Backend
from abaci.errors import AbaciError, ContextLengthExceeded
from abaci.tools.base import Tool
from abaci.types import Answer, ChainFinished, ChainStarted, Problem, Sampling, StopReason, Trajectory

logger = logging.getLogger(__name__)

MAX_SUPERSTEPS_PER_ROUND = 2
"""`generate` and `execute`; LangGraph bounds a graph by supersteps."""

_SENTENCE_END = re.compile(r"\n|[.!?](?=\s)")


@dataclass(frozen=True, slots=True)
class ChainRunner:
    """Runs the chains of one run."""

    graph: CompiledStateGraph[ChainState, ChainServices, Any, Any]
    backend: Backend
    python: Tool
    style: FenceStyle | ToolCallStyle
    sampling: Sampling
    scope: RunScope
    recorder: RunRecorder
    slots: asyncio.Semaphore
    """Bounds the chains that run at once in this process; a chain waits for its slot within the run's wall time."""
    is_logprobs_wanted: bool

    async def run(self, chain: int, problem: Problem) -> Trajectory:
        """Chain number `chain`, from question to trajectory.

        A chain that fails, times out or is cancelled is a trajectory too: it keeps the steps it took. Only the
        cancellation of the calling task propagates; the chain is then recorded as cancelled.
        """
        seed = None if self.sampling.seed is None else (self.sampling.seed + chain) % 2**31
        log = ChainLog(chain, self.recorder)
        started = time.monotonic()
        self.recorder.emit(ChainStarted(chain=chain, seed=seed))
        reason, error = StopReason.CANCELLED, None
        try:
            reason, error = await self._guarded(log, problem, self.sampling.model_copy(update={"seed": seed}))
        finally:
            log.keep_unread()
            finished = ChainFinished(
                chain=chain,
                # What a long form boxes in passing is no vote: it must neither decide nor cancel anything.
                answer=pick_answer(log.text, reason) if problem.kind == "answer" else None,
                stop_reason=reason,
                usage=log.usage,
                mean_logprob=log.mean_logprob,
                tail_entropy=log.tail_entropy,
                error=error,
                duration_s=time.monotonic() - started,
            )
            self.recorder.emit(finished)
        return Trajectory(
            chain=chain,
            steps=tuple(log.steps),
            answer=finished.answer,
            stop_reason=reason,
            usage=log.usage,
            mean_logprob=log.mean_logprob,
            tail_entropy=log.tail_entropy,
            error=error,
            duration_s=finished.duration_s,
        )

    async def _guarded(self, log: ChainLog, problem: Problem, sampling: Sampling) -> tuple[StopReason, str | None]:
        """The chain's stop reason, and its error."""
        try:
            async with self.scope.chain(), self.slots, self.python.open() as session:
                dialogue = make_dialogue(self.style, self.backend, self.python.spec)
                services = ChainServices(
                    backend=self.backend,
                    dialogue=dialogue,
                    python=session,
                    sampling=sampling,
                    scope=self.scope,
                    log=log,
                    is_logprobs_wanted=self.is_logprobs_wanted,
                )
                end = await self.graph.ainvoke(
                    {"transcript": dialogue.begin(problem.question)},
                    output_keys=["stop_reason"],
                    config={"recursion_limit": 4 + MAX_SUPERSTEPS_PER_ROUND * self.scope.budget.rounds},
                    context=services,
                    # The first version also streams every node's update to nobody.
                    version="v2",
                )
        except ChainInterrupted as interruption:
            return interruption.reason, None
        except ContextLengthExceeded as error:
            return StopReason.CONTEXT_LENGTH, str(error)
        except AbaciError as error:
            return StopReason.ERROR, f"{type(error).__name__}: {error}"
        except Exception as error:  # the boundary of a chain: a defect in one must not take its siblings
            logger.exception("chain %d failed by a defect", log.chain)
            return StopReason.ERROR, f"internal error: {type(error).__name__}: {error}"
        return StopReason(end.value["stop_reason"]), None


def pick_answer(text: str, reason: StopReason) -> Answer | None:
    r"""The answer in all that a chain wrote and read.

    A marked one (`\boxed`, "the answer is") counts however the chain ended. The weaker evidence of ToRA's extraction
    (the last output, the last number) counts only where the chain was not broken off by an error, a cancellation or a
    loop: what it happened to print last is then no answer. A sentence that was interrupted, by the clock too, is not
    read unless it holds a closed box: "the answer is 1" might have become 12.
    """
    broken_off = {StopReason.ERROR, StopReason.CANCELLED, StopReason.REPETITION}
    found = find_answer(text)
    if reason in {*broken_off, StopReason.WALL_TIME} and found is not None and found.rule is not Rule.BOXED:
        found = find_answer(text[: max((end.end() for end in _SENTENCE_END.finditer(text)), default=0)])
    if found is None or (reason in broken_off and not found.is_marked):
        return None
    return make_answer(found.text)
