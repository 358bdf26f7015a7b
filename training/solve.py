"""Solve many problems at once with the nano model: generate, execute in the sandbox, go on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from abaci.answers.equality import compare_exact
from abaci.answers.extract import extract_boxed
from abaci.sandbox.base import Limits, Sandbox
from abaci.types import Execution, ExecutionStatus
from training.chat import END, STOP, after_stop, prompt
from training.generate import Decoding, Loaded, complete

ROUNDS = 3
"""Programs a chain may run."""
BATCH = 192
"""Chains decoded together."""
LIMITS = Limits(timeout_s=10.0, output_bytes=4096)
PARALLEL = 4
"""Programs executed at the same time."""


@dataclass
class Chain:
    """One chain: its text after the prompt so far, and its answer once it is finished."""

    question: str
    text: str = ""
    programs: int = 0
    is_done: bool = False
    answer: str | None = field(default=None)


def last_program(text: str) -> str | None:
    """The last fenced Python program, or None."""
    _, fence, tail = text.rpartition("```python\n")
    return tail.split("\n```", 1)[0] if fence else None


def shown(execution: Execution) -> str:
    """What the model sees of an execution: standard output, then the error's last line."""
    if execution.status is ExecutionStatus.OK:
        return execution.stdout.strip() or execution.result or "Done"
    return f"{execution.stdout.strip()}\n{execution.error or execution.status.value}".strip()


async def execute(sandbox: Sandbox, programs: list[str]) -> list[str]:
    """The output texts of the programs, each in a session of its own."""
    gate = asyncio.Semaphore(PARALLEL)

    async def one(code: str) -> str:
        async with gate, sandbox.session() as session:
            return shown(await session.execute(code, LIMITS))

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(code)) for code in programs]
    return [task.result() for task in tasks]


async def solve(loaded: Loaded, questions: Sequence[str], sandbox: Sandbox | None, decoding: Decoding) -> list[Chain]:
    """One chain per question. Without a sandbox the model makes up the output blocks itself."""
    chains = [Chain(question) for question in questions]
    # Problems of similar length share a batch: less padding.
    order = sorted(range(len(chains)), key=lambda i: len(chains[i].question))
    for first in range(0, len(order), BATCH):
        await _solve_batch(loaded, [chains[i] for i in order[first : first + BATCH]], sandbox, decoding)
    return chains


async def _solve_batch(loaded: Loaded, batch: list[Chain], sandbox: Sandbox | None, decoding: Decoding) -> None:
    stops = (STOP, END) if sandbox is not None else (END,)
    for round_ in range(ROUNDS + 1):
        active = [chain for chain in batch if not chain.is_done]
        if not active:
            return
        ids = [loaded.tokenizer.encode(prompt(c.question) + c.text).ids for c in active]
        draw = Decoding(decoding.temperature, decoding.max_tokens, stops, decoding.seed + 1000 * round_)
        for chain, new in zip(active, await asyncio.to_thread(complete, loaded, ids, draw), strict=True):
            chain.text += loaded.tokenizer.decode(new, skip_special_tokens=False)
        waiting = []
        for chain in active:
            if (
                sandbox is not None
                and chain.text.endswith(STOP)
                and chain.programs < ROUNDS
                and last_program(chain.text)
            ):
                waiting.append(chain)
            else:
                chain.is_done = True
                chain.answer = extract_boxed(chain.text)
        if sandbox is not None and waiting:
            outputs = await execute(sandbox, [last_program(c.text) or "" for c in waiting])
            for chain, output in zip(waiting, outputs, strict=True):
                chain.text += after_stop(output)
                chain.programs += 1


def is_right(answer: str | None, reference: str | None) -> bool:
    """Whether an answer equals the reference; None as reference means that no answer must be given."""
    if answer is None or reference is None:
        return answer is None and reference is None
    if answer.strip() == reference.strip():
        return True
    return compare_exact(answer, reference) is True


def majority(answers: Sequence[str | None]) -> str | None:
    """The most frequent answer, the first of equals; chains without one do not vote."""
    votes: dict[str, int] = {}
    for answer in answers:
        if answer is not None:
            key = _key(answer)
            votes[key] = votes.get(key, 0) + 1
    return max(votes, key=lambda key: votes[key]) if votes else None


def _key(answer: str) -> str:
    """A number's lowest terms, else the text."""
    try:
        return str(Fraction(answer.replace(",", "").strip()))
    except (ValueError, ZeroDivisionError):
        return answer.strip()
