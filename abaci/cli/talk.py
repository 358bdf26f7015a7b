"""What a command says on standard error while it works: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, Protocol

from rich.console import Console, RenderableType
from rich.live import Live

from abaci.cli.live import LiveView
from abaci.cli.progress import STOP_WORDS, RunProgress
from abaci.cli.stages import StageView
from abaci.cli.streams import say
from abaci.cli.terminal import count, one_line, talk_console
from abaci.types import (
    ChainFinished,
    DecisionMade,
    EventBody,
    Output,
    Program,
    Rationale,
    RunResumed,
    RunStarted,
    SampleMore,
    Step,
    StepTaken,
    TraceEvent,
    WarningRaised,
)

FRAMES_PER_S: Final = 8
LINE_CHARS: Final = 160
SHARE_STEP: Final = 0.1
"""A plain line about a stage's progress is due each time this much more is done."""

OnProgress = Callable[[str, float | None], None]
OnEvent = Callable[[TraceEvent], None]


class Talk(Protocol):
    """How a command tells what it is doing."""

    def working(self, done: str | None = None) -> AbstractAsyncContextManager[OnProgress]:
        """While something takes its time: give the stages to what the context gives.

        With `done` a terminal keeps one line with that word and the time it took; else nothing.
        """
        ...

    def watching(self) -> AbstractAsyncContextManager[OnEvent]:
        """While a run goes on: give its events to what the context gives."""
        ...


def choose_talk(*, is_live_wanted: bool = True) -> Talk:
    """The live view where standard error is a terminal that can show it, else plain lines."""
    console = talk_console()
    is_capable = console.is_terminal and not console.is_dumb_terminal
    return LiveTalk(console) if is_live_wanted and is_capable else PlainTalk()


class LiveTalk:
    """Redraws `console`; leaves nothing of the live view behind."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @asynccontextmanager
    async def working(self, done: str | None = None) -> AsyncIterator[OnProgress]:
        """See `Talk.working`."""
        view = StageView()
        async with self._drawn(view):
            yield view.advance
        if done is not None:
            self._console.print(view.summary(done))

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[OnEvent]:
        """See `Talk.watching`."""
        progress = RunProgress()
        async with self._drawn(LiveView(progress)):
            yield progress.add

    @asynccontextmanager
    async def _drawn(self, view: RenderableType) -> AsyncIterator[None]:
        """Redraw `view` now and then. On the event loop, so that it never sees a half-changed state."""
        live = Live(view, console=self._console, auto_refresh=False, transient=True, vertical_overflow="crop")
        with live:
            task = asyncio.create_task(_redraw(live), name="live view")
            try:
                yield
            finally:
                task.cancel()
                await asyncio.wait({task})


async def _redraw(live: Live) -> None:
    while True:
        live.refresh()
        await asyncio.sleep(1 / FRAMES_PER_S)


class PlainTalk:
    """One line for each thing worth telling."""

    def __init__(self, write: Callable[[str], None] | None = None) -> None:
        self._write = write or say
        self._started = time.monotonic()
        self._stage, self._share = "", 0.0

    @asynccontextmanager
    async def working(self, done: str | None = None) -> AsyncIterator[OnProgress]:
        """See `Talk.working`."""
        yield self._on_progress

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[OnEvent]:
        """See `Talk.watching`."""
        yield self._on_event

    def _on_progress(self, stage: str, share: float | None) -> None:
        is_news = stage != self._stage or (share or 0.0) - self._share >= SHARE_STEP
        if not is_news:
            return
        self._stage, self._share = stage, share or 0.0
        self._say(stage if not share or share >= 1.0 else f"{stage} ({share:.0%})")

    def _on_event(self, event: TraceEvent) -> None:
        line = describe(event.body)
        if line is not None:
            self._say(line)

    def _say(self, line: str) -> None:
        self._write(f"[{time.monotonic() - self._started:6.1f} s] {one_line(line, LINE_CHARS)}")


def describe(body: EventBody) -> str | None:
    """An event in one line; None for those that would only repeat."""
    match body:
        case RunStarted(model=model, problem=problem):
            return f"{model}: {problem.question}"
        case RunResumed(worked_s=worked_s):
            return f"goes on after {worked_s:.1f} s"
        case StepTaken(chain=chain, step=step):
            return f"chain {chain + 1}: {_describe_step(step)}"
        case ChainFinished(chain=chain, answer=answer, stop_reason=reason, error=error):
            outcome = f"answer {answer.raw}" if answer is not None else "no answer"
            return f"chain {chain + 1}: {outcome} ({error or STOP_WORDS[reason]})"
        case DecisionMade(decision=SampleMore(samples=samples, reason=reason)):
            return f"{samples} further chains: {reason}"
        case DecisionMade(decision=decision):
            return f"decided: {decision.reason}"
        case WarningRaised(message=message):
            return f"warning: {message}"
        case _:
            return None


def _describe_step(step: Step) -> str:
    match step:
        case Rationale(text=text):
            return f"thinks: {text}"
        case Program(code=code):
            return f"runs {count(len(code.strip().splitlines()), 'line')} of Python"
        case Output(text=text):
            return f"output: {text}"
