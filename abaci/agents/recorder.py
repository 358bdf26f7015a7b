"""The record of one run: every event numbered, stamped, kept, and handed on as it happens."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable

from abaci.types import EventBody, Rationale, Step, StepTaken, TextDelta, TraceEvent, Usage


class RunRecorder:
    """Numbers the events of a run and hands each to `sinks`, synchronously and in order.

    `events` keeps the stored ones, from `earlier` on: the `Solution` is their fold. A sink must not block or raise.
    """

    def __init__(self, run_id: str, *sinks: Callable[[TraceEvent], None], earlier: Iterable[TraceEvent] = ()) -> None:
        self.run_id = run_id
        self.events: list[TraceEvent] = list(earlier)
        self._sinks = sinks

    def emit(self, body: EventBody) -> None:
        """Record `body`."""
        is_stored = body.kind != "text_delta"
        seq = len(self.events) if is_stored else max(0, len(self.events) - 1)
        # The parts are already validated values: building without validation keeps streaming cheap.
        event = TraceEvent.model_construct(version=1, run_id=self.run_id, seq=seq, at=time.time(), body=body)
        if is_stored:
            self.events.append(event)
        for sink in self._sinks:
            sink(event)


TAIL_TOKENS = 256
"""Tokens at a chain's end whose surprisal is averaged."""


class ChainLog:
    """What one chain has done and spent so far. Outlives a cancelled chain, so that nothing it did is lost."""

    def __init__(self, chain: int, recorder: RunRecorder) -> None:
        self.chain = chain
        self.round = 0
        self.usage = Usage()
        self.text = ""
        """Everything the model wrote and was shown, for extracting an answer."""
        self.steps: list[Step] = []
        self.programs: list[str] = []
        self.logprob_sum: float | None = None
        self.logprob_tokens = 0
        self._tail: deque[tuple[float, int]] = deque()
        self._tail_tokens = 0
        self._recorder = recorder
        self._unread: list[str] = []

    def delta(self, text: str) -> None:
        """Stream text as it is generated."""
        self._unread.append(text)
        self._recorder.emit(TextDelta.model_construct(kind="text_delta", chain=self.chain, text=text))

    def step(self, step: Step) -> None:
        """Record a completed step."""
        self.steps.append(step)
        self._recorder.emit(StepTaken(chain=self.chain, round=self.round, step=step))

    def read(self, text: str) -> None:
        """Keep `text`, which a generation call that has ended gave."""
        self._unread.clear()
        self.text += text

    def keep_unread(self) -> None:
        """Keep what a broken-off generation call has streamed, as a step: it is stored nowhere else."""
        text = "".join(self._unread)
        self.read(text)
        if text.strip():
            self.step(Rationale(text=text))

    def spend(self, usage: Usage) -> None:
        """Add to what this chain has cost."""
        self.usage = self.usage + usage

    def add_logprobs(self, logprob_sum: float | None, tokens: int) -> None:
        """Add the log probabilities of a piece of text; None where the backend reports none."""
        if logprob_sum is not None:
            self.logprob_sum = (self.logprob_sum or 0.0) + logprob_sum
            self.logprob_tokens += tokens
            self._tail.append((logprob_sum, tokens))
            self._tail_tokens += tokens
            while self._tail_tokens - self._tail[0][1] >= TAIL_TOKENS:
                self._tail_tokens -= self._tail.popleft()[1]

    @property
    def tail_entropy(self) -> float | None:
        """Mean surprisal in nats of the last `TAIL_TOKENS` tokens, or a few more where pieces are longer."""
        if not self._tail_tokens:
            return None
        return -sum(logprob_sum for logprob_sum, _ in self._tail) / self._tail_tokens

    @property
    def mean_logprob(self) -> float | None:
        """Mean log probability of the generated tokens."""
        if self.logprob_sum is None or not self.logprob_tokens:
            return None
        return self.logprob_sum / self.logprob_tokens
