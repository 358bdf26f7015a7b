"""What orchestration costs: CPU time per round of 64 chains × 4 rounds, with LangGraph and in bare asyncio.

    python benchmarks/orchestration.py [--repeats 9] [--chains 64] [--rounds 4]

One round is one generation call, one program, and everything around them: prompt, reading, events, token accounting.
The backend and the sandbox are the scripted doubles at zero latency, so what is measured is abaci itself. The baseline
runs the very same node functions, dialogue, recorder and vote in plain loops and tasks instead of LangGraph's graphs.
Prints one JSON object; refuses to print a time when a run did not do all of its work.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import platform
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

from langgraph.types import Send

from abaci.agents import solve, tora
from abaci.agents.options import SolveOptions
from abaci.agents.solver import Services, Solver
from abaci.aggregation.buckets import equal_text
from abaci.aggregation.config import SelfConsistencyConfig
from abaci.app import make_aggregator
from abaci.backend.base import GenerateRequest, TextPrompt
from abaci.backend.scripted import ScriptedBackend
from abaci.sandbox.scripted import ScriptedSandbox
from abaci.tools.config import PythonToolConfig
from abaci.tools.python import PythonTool
from abaci.traces.memory import MemoryTraceStore
from abaci.types import Budget, Execution, RunStatus, StopReason

TARGET_MS = 2.0
WARM_UPS = 2


class BareChain:
    """The `tora` graph as a loop."""

    async def ainvoke(self, state: Any, config: object, *, context: tora.ChainServices, **options: object) -> Any:
        """Run one chain."""
        runtime: Any = SimpleNamespace(context=context)
        following: Any = "execute"
        while following == "execute":
            command = await tora.generate(state, runtime)
            following, state = command.goto, {**state, **(command.update or {})}
            if following == "execute":
                state |= await tora.execute(state, runtime)
            elif following == "conclude":
                state |= await tora.conclude(state, runtime)
        return SimpleNamespace(value=state)


class BareSolve:
    """The `solve` graph as a loop over task groups."""

    async def ainvoke(self, state: Any, config: object, *, context: solve.SolveServices, output_keys: object) -> Any:
        """Run one problem."""
        runtime: Any = SimpleNamespace(context=context)
        while not state.get("is_decided"):
            state = {**state, **await solve.plan(state, runtime)}
            async with asyncio.TaskGroup() as group:
                for send in await solve.fan_out(state):
                    if isinstance(send, Send):
                        group.create_task(solve.run_chain(send.arg, runtime))
            state = {**state, **await solve.aggregate(state, runtime)}
        return state


def make_services(rounds: int) -> Any:
    """Opens the doubles: every chain runs `rounds` programs, then answers."""

    def script(request: GenerateRequest) -> str:
        if not isinstance(request.prompt, TextPrompt):
            raise TypeError("the style asks with text")
        done = request.prompt.text.count("```output\n")
        if done < rounds:
            return f"Step {done}: I compute.\n```python\nx = {done}\nprint(x)\n```\n```output"
        return "So the answer is $\\boxed{42}$."

    @asynccontextmanager
    async def open_services() -> AsyncIterator[Services]:
        sandbox = ScriptedSandbox(lambda code: Execution(status="ok", stdout="42\n"))
        async with MemoryTraceStore() as traces, sandbox, ScriptedBackend(script) as backend:
            yield Services(
                backend=backend,
                python=PythonTool(sandbox, PythonToolConfig()),
                equal=equal_text,
                make_aggregator=make_aggregator,
                traces=traces,
                max_chains=1024,
            )

    return open_services


async def measure(solver: Solver, options: SolveOptions) -> float:
    """CPU milliseconds per round of one run."""
    budget = options.budget
    samples = budget.samples or 0
    started = time.process_time()
    solution = await solver.solve("What is 6 times 7?", options)
    spent_s = time.process_time() - started
    is_complete = solution.usage.programs == samples * budget.rounds and all(
        chain.stop_reason is StopReason.ANSWER for chain in solution.trajectories
    )
    if solution.status is not RunStatus.SOLVED or not is_complete:
        sys.exit(f"the run did not do its work, so its time means nothing: {solution.status}, {solution.usage}")
    return 1000 * spent_s / solution.usage.programs


async def compare(chains: int, rounds: int, repeats: int) -> dict[str, Any]:
    """Both variants, measured in turns so that a busy machine is unfair to neither."""
    # Unanimity over all chains is never certain early, so no chain is cancelled and every run does the same work.
    options = SolveOptions(
        budget=Budget(samples=chains, rounds=rounds), style="tora", aggregator=SelfConsistencyConfig(min_share=1.0)
    )
    async with Solver(make_services(rounds)) as graphs, Solver(make_services(rounds)) as bare:
        vars(bare).update(chain_graph=BareChain(), solve_graph=BareSolve())
        for _ in range(WARM_UPS):
            await measure(graphs, options)
            await measure(bare, options)
        pairs = [(await measure(graphs, options), await measure(bare, options)) for _ in range(repeats)]
    with_graphs, without = (summarise(times) for times in zip(*pairs, strict=True))
    share = 1 - without["median"] / with_graphs["median"]
    return {
        "chains": chains,
        "rounds": rounds,
        "repeats": repeats,
        "cpu_ms_per_round": with_graphs,
        "bare_asyncio_cpu_ms_per_round": without,
        "langgraph_share_percent": round(100 * share, 1),
        "target_ms": TARGET_MS,
        "is_target_met": with_graphs["median"] <= TARGET_MS,
        "machine": platform.processor() or platform.machine(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("langgraph", "pydantic")},
        },
    }


def summarise(times_ms: tuple[float, ...]) -> dict[str, float]:
    """Median and range."""
    values = {"median": statistics.median(times_ms), "min": min(times_ms), "max": max(times_ms)}
    return {name: round(value, 3) for name, value in values.items()}


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--chains", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    # As the command line does once it has loaded the solver.
    gc.freeze()
    print(json.dumps(asyncio.run(compare(arguments.chains, arguments.rounds, arguments.repeats)), indent=2))


if __name__ == "__main__":
    main()
