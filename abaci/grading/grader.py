"""The grader: are two answers equal, and why?

Cheap checks come first and decide most pairs: equal canonical texts, exact numbers, lists of different length. What is
left is algebra by math-verify (0.9) in a sandbox session, because answers are text of a model: parsing them evaluates
them. The rules that math-verify lacks are in `plan` and `symbolic`.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from abaci.answers.equality import compare_exact
from abaci.answers.normalize import MAX_CANONICAL_CHARS, canonical
from abaci.answers.numbers import parse_number
from abaci.grading.plan import Different, PartByPart, Plan, Whole, plan_comparison
from abaci.grading.prose import cut_text, read_sole_answer
from abaci.grading.verdict import Method, Verdict
from abaci.grading.workers import Workers
from abaci.sandbox.base import Sandbox
from abaci.types import Execution, ExecutionStatus

DEFAULT_PLACES = 6
"""Decimals that count where one of two numbers is written as a decimal."""

MAX_CACHED = 16_384
"""Verdicts remembered; the one longest unused goes first."""

_MAX_DEPTH = 3
_MAX_UNMATCHED = 6
_MIN_CALL_S = 0.05


@dataclass(frozen=True)
class Rules:
    """How strictly to compare: `places` decimals count; `is_strict` says that names of unknowns matter."""

    places: int = DEFAULT_PLACES
    is_strict: bool = True


@dataclass(frozen=True)
class _Task:
    rules: Rules
    deadline: float
    depth: int = 0

    def descend(self) -> _Task:
        return _Task(self.rules, self.deadline, self.depth + 1)


class Grader:
    """Compares answers. Open it with `async with`; concurrent calls are welcome.

    Args:
        sandbox: where the algebra runs; started by the caller, who also stops it.
        timeout_s: seconds of algebra for one verdict; above that the verdict is `timeout`, not equal.
        is_lenient: numbers are equal as ToRA's evaluation has it: within a relative 1e-4, or by a factor of 100.
        max_workers: sandbox sessions used at once.
    """

    def __init__(
        self, sandbox: Sandbox, *, timeout_s: float = 2.0, is_lenient: bool = False, max_workers: int = 2
    ) -> None:
        self._timeout_s = timeout_s
        self._is_lenient = is_lenient
        self._workers = Workers(sandbox, max_workers)
        self._cache: OrderedDict[tuple[str, str, Rules], Verdict] = OrderedDict()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._workers.close()

    async def are_equal(self, first: str, second: str) -> bool:
        """Whether two bare answers are equal; what buckets votes."""
        return (await self.compare(first, second)).is_equal

    async def compare(self, gold: str, pred: str, rules: Rules = Rules()) -> Verdict:
        """The verdict on two bare answers, raw or canonical; the order does not matter.

        Raises:
            GradingError: the algebra cannot be loaded.
            SandboxError: the sandbox is broken or has no session free.
        """
        started = time.monotonic()
        verdict = await self._compare(gold, pred, _Task(rules, started + self._timeout_s))
        return _timed(verdict, started)

    async def compare_texts(self, gold: str, pred: str, rules: Rules = Rules()) -> Verdict:
        """The verdict on two texts that hold an answer each: prose, a worked solution, or a formula in dollar signs.

        Raises:
            GradingError: the algebra cannot be loaded.
            SandboxError: the sandbox is broken or has no session free.
        """
        started = time.monotonic()
        task = _Task(rules, started + self._timeout_s)
        answer, other = read_sole_answer(gold), read_sole_answer(pred)
        if answer is not None and other is not None:
            return _timed(await self._compare(answer, other, task), started)
        arguments = (cut_text(gold), cut_text(pred), rules.places, rules.is_strict)
        return _timed(await self._call("compare_texts", arguments, task), started)

    async def _compare(self, first: str, second: str, task: _Task) -> Verdict:
        exact = compare_exact(first, second, is_lenient=self._is_lenient)
        a, b = sorted((canonical(first), canonical(second)))
        if exact is not None and (exact or task.rules.places == DEFAULT_PLACES or not a):
            return _decided(exact, a, b)
        if len(b) > MAX_CANONICAL_CHARS or len(a) > MAX_CANONICAL_CHARS:
            return _verdict(False, "guard", f"longer than {MAX_CANONICAL_CHARS} characters and different in spelling")
        key = (a, b, task.rules)
        cached = self._cache.get(key)
        if cached is not None:
            self._cache.move_to_end(key)
            return cached
        verdict = await self._follow(plan_comparison(a, b), a, b, task)
        if verdict.method == "timeout" and task.depth > 0:
            # The parts before this one may have used up its time: that says nothing about the pair.
            return verdict
        self._cache[key] = verdict
        if len(self._cache) > MAX_CACHED:
            self._cache.popitem(last=False)
        return verdict

    async def _follow(self, plan: Plan, a: str, b: str, task: _Task) -> Verdict:
        match plan:
            case Different(reason):
                return _verdict(False, "guard", reason)
            case PartByPart(first, second, is_ordered) if task.depth < _MAX_DEPTH:
                if is_ordered:
                    return await self._compare_ordered(first, second, task.descend())
                verdict = await self._compare_unordered(first, second, task.descend())
                return verdict or await self._compare_whole(a, b, task)
            case PartByPart() | Whole():
                return await self._compare_whole(a, b, task)

    async def _compare_whole(self, a: str, b: str, task: _Task) -> Verdict:
        return await self._call("compare_answers", (a, b, task.rules.places, task.rules.is_strict), task)

    async def _compare_ordered(self, first: Sequence[str], second: Sequence[str], task: _Task) -> Verdict:
        for number, (one, other) in enumerate(zip(first, second, strict=True), start=1):
            verdict = await self._compare(one, other, task)
            if not verdict.is_equal:
                return _verdict(False, verdict.method, f"part {number} of {len(first)}: {verdict.reason}")
        return _verdict(True, "parts", f"all {len(first)} parts are equal, in order")

    async def _compare_unordered(self, first: Sequence[str], second: Sequence[str], task: _Task) -> Verdict | None:
        """The verdict by pairing off, or None where too many parts are left for algebra one by one."""
        left, right = _drop_equal(first, second)
        if len(left) > _MAX_UNMATCHED:
            return None
        for one in left:
            for other in right:
                verdict = await self._compare(one, other, task)
                if verdict.is_equal:
                    right.remove(other)
                    break
                if verdict.method == "timeout":
                    return verdict
            else:
                return _verdict(False, "parts", f"{one!r} has no equal on the other side")
        return _verdict(True, "parts", f"all {len(first)} parts have an equal, in some order")

    async def _call(self, function: str, arguments: tuple[str | int | bool, ...], task: _Task) -> Verdict:
        left_s = task.deadline - time.monotonic()
        if left_s < _MIN_CALL_S:
            return _verdict(False, "timeout", f"no verdict within {self._timeout_s:g} s")
        return _read(await self._workers.call(function, arguments, min(left_s, self._timeout_s)))


def _drop_equal(first: Sequence[str], second: Sequence[str]) -> tuple[list[str], list[str]]:
    """What is left of both when parts with equal text or number are paired off."""
    left, right = [], list(second)
    for one in first:
        partner = next((other for other in right if compare_exact(one, other)), None)
        if partner is None:
            left.append(one)
        else:
            right.remove(partner)
    return left, right


def _decided(is_equal: bool, a: str, b: str) -> Verdict:
    if a == b and a:
        return _verdict(True, "text", "the same canonical text")
    if not a:
        return _verdict(False, "text", "an empty answer equals nothing")
    if parse_number(a) is None or parse_number(b) is None:
        return _verdict(is_equal, "text", "the same text up to case or base")
    return _verdict(is_equal, "number", "equal numbers" if is_equal else "different numbers")


_REPLIES = {
    repr("equal"): (True, "equal by algebra"),
    repr("different"): (False, "not equal by algebra"),
}


def _read(execution: Execution) -> Verdict:
    """The verdict that the in-sandbox program gave, or what its end means."""
    if execution.status is ExecutionStatus.OK and execution.result in _REPLIES:
        is_equal, reason = _REPLIES[execution.result]
        return _verdict(is_equal, "symbolic", reason)
    if execution.status in (ExecutionStatus.OK, ExecutionStatus.ERROR):
        why = f": {execution.error[:200]}" if execution.error else ""
        return _verdict(False, "unparsable", f"no mathematics could be read{why}")
    return _verdict(False, "timeout", f"the algebra was stopped: {execution.error or execution.status}")


def _verdict(is_equal: bool, method: Method, reason: str) -> Verdict:
    return Verdict(is_equal=is_equal, method=method, reason=reason)


def _timed(verdict: Verdict, started: float) -> Verdict:
    return verdict.model_copy(update={"duration_s": time.monotonic() - started})
