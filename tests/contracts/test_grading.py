"""The grader's verdicts, with real algebra, over every local sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from abaci.grading.grader import Grader, Rules
from abaci.sandbox.auto import open_sandbox
from abaci.sandbox.base import Sandbox
from abaci.sandbox.config import BubblewrapConfig, LandlockConfig, SandboxConfig

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONFIGS: dict[str, SandboxConfig] = {"bubblewrap": BubblewrapConfig(), "landlock": LandlockConfig()}


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=CONFIGS)
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    async with open_sandbox(CONFIGS[request.param]) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def grader(sandbox: Sandbox) -> AsyncIterator[Grader]:
    async with Grader(sandbox) as opened:
        yield opened


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("x^2+2x+1", "(x+1)^2"),
        (r"\frac{x+2}{7}", r"\frac{x}{7}+\frac{2}{7}"),
        (r"\sqrt{8}", r"2\sqrt{2}"),
        (r"4\sqrt(2)", r"\sqrt{32}"),
        ("1000(26)", "26000"),
        ("40", "520-480=40"),
        (r"\tan^2(y)+1", r"\sec^2(y)"),
        (r"-\sqrt3", r"-\tan(4\pi/9)+4\cos(\pi/18)"),
        ("x - y = 0", "2x - 2y = 0"),
        ("x < 5", "5 > x"),
        (r"x \in (1,2)", "1 < x < 2"),
        (r"\pm 2", "-2, 2"),
        (r"(\frac{1}{2}, \sqrt{12})", r"(0.5, 2\sqrt{3})"),
        (r"\sqrt{2}, \frac{1}{\sqrt{3}}", r"\frac{\sqrt{3}}{3}, \sqrt2"),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 1.0 \\ 4/2 \end{pmatrix}"),
        (r"\pi", "3.141592653589793"),
        (r"\binom{5}{2}", "10"),
        (r"y = x^2+2x+1", "2x + 1 + x^2"),
        ("5x - 7y = 4", "-10x + 14y + 8 = 0"),
    ],
)
async def test_equal_values_are_equal_either_way(grader: Grader, first: str, second: str) -> None:
    verdicts = [await grader.compare(first, second), await grader.compare(second, first)]
    assert [verdict.is_equal for verdict in verdicts] == [True, True], verdicts


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (r"4\sqrt(2)", "4"),
        ("1000(26)", "1026"),
        (r"\frac{1}{2004!}", r"\frac{1}{2006!}"),
        (r"1 - \frac{1}{\mathrm{e}}", r"1 + \frac{1}{\mathrm{e}}"),
        ("7 = 11a + c", "11a + c"),
        ("x + y = 0", "x - y = 0"),
        ("x^2 + y^2 = 0", "0"),
        ("x > 5", "x < 5"),
        (r"x \ge 5", "x > 5"),
        ("2t", "2"),
        ("A", "a"),
        (r"f(x)=x^2", r"x^3"),
        (r"(\sqrt{2}, 1)", r"(1, \sqrt{2})"),
        (r"\sqrt{2}, 1", r"\sqrt{2}, 2"),
        (r"\frac{1+\sqrt{5}}{2}", "2"),
        ("520-480=41", "41"),
    ],
)
async def test_different_values_are_different_either_way(grader: Grader, first: str, second: str) -> None:
    verdicts = [await grader.compare(first, second), await grader.compare(second, first)]
    assert [verdict.is_equal for verdict in verdicts] == [False, False], verdicts


@pytest.mark.parametrize("answer", ["{{{", "\\frac{1}{", "x + ", "__import__(os).system(id)", "\\unknown{3"])
async def test_what_is_no_mathematics_is_unparsable(grader: Grader, answer: str) -> None:
    verdict = await grader.compare("x^2", answer)
    assert (verdict.is_equal, verdict.method) == (False, "unparsable")


@pytest.mark.parametrize(
    ("gold", "pred", "is_equal"),
    [
        ("$3$", "It is $1$ or $2$. The final answer is $3$.", True),
        (r"$28\%$", "28 pct", True),
        (r"$\{1, 2\}$", r"\boxed{1} and \boxed{2}", True),
        ("$x > 5$", "Therefore $x < 5$ is the solution.", False),
        ("$(3,1)$", "${1,3}$", False),
        ("x + y = 0", "x - y = 0", False),
    ],
)
async def test_answers_are_found_in_texts(grader: Grader, gold: str, pred: str, is_equal: bool) -> None:
    assert (await grader.compare_texts(gold, pred)).is_equal is is_equal


async def test_written_decimals_count_as_far_as_asked(grader: Grader) -> None:
    assert not await grader.are_equal(r"(\frac{3}{5},\frac{8}{3}]", "(0.6,2.67]")
    assert (await grader.compare(r"(\frac{3}{5},\frac{8}{3}]", "(0.6,2.67]", Rules(places=2))).is_equal


@pytest.mark.parametrize("answer", ["9^{9^{9^{9}}}", r"\int_0^{1} x^{x^{x}} dx + 100000!!"])
async def test_a_monstrous_answer_ends_within_its_time_and_harms_nothing(grader: Grader, answer: str) -> None:
    verdict = await grader.compare(answer, "5")
    assert not verdict.is_equal
    assert verdict.duration_s < 4
    assert await grader.are_equal("z + z", "2z")


async def test_comparisons_run_side_by_side(grader: Grader) -> None:
    pairs = [(f"{letter}+{letter}", f"2{letter}") for letter in "abcdfghk"]
    assert await asyncio.gather(*(grader.are_equal(*pair) for pair in pairs)) == [True] * len(pairs)
