"""One chain: the ToRA loop as a LangGraph graph.

    generate ──program──▶ execute ──▶ generate ──…
       ├──answer, limit──▶ END
       └──program, no rounds left──▶ conclude ──▶ END

ToRA (Gou et al. 2024, arXiv 2309.17452): the model reasons, writes a program, reads its output, and goes on.
The graph's state holds JSON-safe values only; the backend, the tool session and the log come in by the runtime context.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command
from pydantic import JsonValue

from abaci.agents.dialogue import Dialogue, Generated, Transcript
from abaci.agents.fences import escape_fences, output_block
from abaci.agents.recorder import ChainLog
from abaci.agents.repetition import is_looping
from abaci.agents.scope import RunScope
from abaci.answers.extract import find_answer
from abaci.backend.base import (
    Backend,
    FinishReason,
    GenerateRequest,
    SampleFinished,
    TokenDelta,
)
from abaci.tools.base import ToolSession
from abaci.types import Execution, ExecutionStatus, Output, Program, Rationale, Sampling, StopReason, Usage

FORCED_ANSWER_TOKENS = 256
LOOP_CHECK_CHARS = 400
"""A stream is searched for repetition each time it has grown by this much."""
IDENTICAL_PROGRAMS = 3
"""A chain that writes the same program this often in a row is stuck."""


Following = Literal["execute", "conclude", "__end__"]
"""What may come after `generate`. It names the node itself: a conditional edge would read the state once more."""


class ChainState(TypedDict, total=False):
    """The state of one chain."""

    transcript: Transcript
    arguments: dict[str, JsonValue]
    """What the model asked to run last."""
    stop_reason: str


@dataclass(frozen=True, slots=True)
class ChainServices:
    """What a chain works with; never part of its state."""

    backend: Backend
    dialogue: Dialogue
    python: ToolSession
    sampling: Sampling
    scope: RunScope
    log: ChainLog
    is_logprobs_wanted: bool = False


async def generate(state: ChainState, runtime: Runtime[ChainServices]) -> Command[Following]:
    """Let the model write until it asks for a program or ends, read what it wrote, and say what follows."""
    services = runtime.context
    log, scope = services.log, services.scope
    if scope.is_spent:
        return _end(state["transcript"], StopReason.MAX_TOKENS)
    drawn = await _draw(services, state["transcript"], services.sampling)
    turn = services.dialogue.read(state["transcript"], drawn.generated)
    _log_words(log, turn.prose, turn.kept)
    if drawn.limit is not None or turn.arguments is None:
        return _end(turn.transcript, drawn.limit or _ending(turn.prose))
    _log_program(log, turn.arguments)
    if _is_stuck(log.programs):
        return _end(turn.transcript, StopReason.REPETITION)
    following: Following = "execute" if log.round < scope.budget.rounds else "conclude"
    return Command(goto=following, update=ChainState(transcript=turn.transcript, arguments=turn.arguments))


async def execute(state: ChainState, runtime: Runtime[ChainServices]) -> ChainState:
    """Run the program and show the model its output."""
    services = runtime.context
    log = services.log
    result = await services.python.call(state["arguments"])
    rounds_left = services.scope.budget.rounds - log.round - 1
    transcript, tokens = services.dialogue.answer_tool(state["transcript"], result.text, rounds_left)
    execution = result.execution or Execution(status=ExecutionStatus.ERROR, error=result.text)
    log.step(Output(text=result.text, execution=execution))
    log.round += 1
    log.text += output_block(log.text, escape_fences(result.text))
    log.spend(Usage(tool_tokens=tokens, programs=1, sandbox_s=execution.duration_s))
    services.scope.spend(tokens)
    return {"transcript": transcript}


async def conclude(state: ChainState, runtime: Runtime[ChainServices]) -> ChainState:
    """Ask once for a final answer: no program may be run any more."""
    services = runtime.context
    transcript, opening = services.dialogue.force_answer(state["transcript"], has_open_program=True)
    if opening:
        # Streamed like the words that complete it: readers of the stream see the step's whole text.
        services.log.delta(opening)
    short = services.sampling.model_copy(update={"max_tokens": min(FORCED_ANSWER_TOKENS, services.sampling.max_tokens)})
    drawn = await _draw(services, transcript, short)
    turn = services.dialogue.read(transcript, drawn.generated)
    _log_words(services.log, opening + turn.prose, opening + turn.kept)
    limit = drawn.limit if drawn.limit is StopReason.CONTEXT_LENGTH else None
    return {"transcript": turn.transcript, "stop_reason": limit or StopReason.MAX_ROUNDS}


def build_tora() -> CompiledStateGraph[ChainState, ChainServices, Any, Any]:
    """The compiled graph of one chain. Stateless: one serves every chain of a process."""
    graph = StateGraph(ChainState, context_schema=ChainServices)
    graph.add_node("generate", generate)
    graph.add_node("execute", execute)
    graph.add_node("conclude", conclude)
    graph.add_edge(START, "generate")
    graph.add_edge("execute", "generate")
    graph.add_edge("conclude", END)
    return graph.compile()


@dataclass(frozen=True, slots=True)
class _Drawn:
    generated: Generated
    limit: StopReason | None
    """Why the text was cut off; None when the model ended by itself or at a stop string."""


_LIMITS = {FinishReason.LENGTH: StopReason.MAX_TOKENS, FinishReason.CONTEXT: StopReason.CONTEXT_LENGTH}


async def _draw(services: ChainServices, transcript: Transcript, sampling: Sampling) -> _Drawn:
    """One generation call: stream it, charge for it, and cut it off when it loops or the run's tokens are spent."""
    log = services.log
    # Built from validated parts, without validating again: prompts are long, and this runs every round.
    request = GenerateRequest.model_construct(
        prompt=services.dialogue.prompt(transcript),
        sampling=sampling,
        stop=services.dialogue.stop,
        n=1,
        is_logprobs_wanted=services.is_logprobs_wanted,
    )
    parts: list[str] = []
    ids: list[int] = []
    tokens, chars, checked = 0, 0, 0
    cut: StopReason | None = None
    finished: SampleFinished | None = None
    try:
        async with aclosing(services.backend.generate(request)) as events:
            async for event in events:
                if isinstance(event, SampleFinished):
                    finished = event
                    continue
                parts.append(event.text)
                ids.extend(event.token_ids)
                chars += len(event.text)
                tokens += _charge(event, services)
                log.delta(event.text)
                if services.scope.is_spent:
                    cut = StopReason.MAX_TOKENS
                    break
                if chars - checked >= LOOP_CHECK_CHARS:
                    checked = chars
                    if is_looping("".join(parts[-LOOP_CHECK_CHARS * 3 :])):
                        cut = StopReason.REPETITION
                        break
    finally:
        # Also when the chain is cancelled or the stream breaks: what was generated was paid for.
        log.spend(finished.usage if finished is not None else Usage(requests=1, completion_tokens=tokens))
    if finished is not None:
        # Servers that send no token ids, and tool calls, which come without deltas, are exact only in the end.
        services.scope.spend(max(0, finished.usage.completion_tokens - tokens))
    reason = finished.reason if finished is not None else None
    limit = cut or (None if reason is None else _LIMITS.get(reason))
    generated = Generated(
        text="".join(parts),
        token_ids=tuple(ids),
        stop=finished.stop if finished is not None else None,
        tool_calls=finished.tool_calls if finished is not None else (),
        has_stopped=limit is None,
    )
    return _Drawn(generated, limit)


def _end(transcript: Transcript, reason: StopReason) -> Command[Following]:
    return Command(goto="__end__", update=ChainState(transcript=transcript, stop_reason=reason))


def _ending(prose: str) -> StopReason:
    found = find_answer(prose)
    return StopReason.ANSWER if found is not None and found.is_marked else StopReason.NO_CODE


def _charge(delta: TokenDelta, services: ChainServices) -> int:
    tokens = len(delta.token_ids) or 1
    services.scope.spend(tokens)
    services.log.add_logprobs(delta.logprob_sum, tokens)
    return tokens


def _log_words(log: ChainLog, prose: str, text: str) -> None:
    log.read(text)
    if prose.strip():
        log.step(Rationale(text=prose))


def _log_program(log: ChainLog, arguments: dict[str, JsonValue]) -> None:
    code = arguments.get("code")
    program = code if isinstance(code, str) else str(arguments)
    log.programs.append(program)
    log.step(Program(code=program))


def _is_stuck(programs: list[str]) -> bool:
    return len(programs) >= IDENTICAL_PROGRAMS and len(set(programs[-IDENTICAL_PROGRAMS:])) == 1
