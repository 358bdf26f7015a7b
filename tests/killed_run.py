"""A run that hangs where it is told to, for a test to kill: `python killed_run.py FOLDER HANG`.

Every call of the model is a line of `FOLDER/calls`; one that holds `HANG` never gets its reply.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from judges import asked, scores, shown

from abaci.agents.options import SolveOptions
from abaci.agents.solver import Services, Solver
from abaci.aggregation.buckets import equal_text
from abaci.aggregation.config import AorConfig
from abaci.app import make_aggregator
from abaci.backend.base import GenerateRequest
from abaci.backend.scripted import ScriptedBackend, ScriptedReply
from abaci.sandbox.scripted import ScriptedSandbox
from abaci.tools.config import PythonToolConfig
from abaci.tools.python import PythonTool
from abaci.traces.config import SqliteTraceConfig
from abaci.traces.sqlite import SqliteTraceStore
from abaci.types import Budget, Execution, Sampling

OPTIONS = SolveOptions(
    aggregator=AorConfig(first_samples=5), budget=Budget(samples=5), sampling=Sampling(seed=0), style="tora"
)
ANSWERS = "11223"


def name_of(request: GenerateRequest) -> str:
    """What a call is for, in a line: a chain's number, or the judge's task and what it is shown."""
    if "quoted material" not in asked(request):
        return f"chain {request.sampling.seed}"
    task = "local" if "the same answer" in asked(request) else "global"
    return f"{task} {' | '.join(' '.join(text.split()) for text in shown(request).values())}"


def script_in(folder: Path, hang: str | None = None) -> Callable[[GenerateRequest], ScriptedReply]:
    def script(request: GenerateRequest) -> ScriptedReply:
        name = name_of(request)
        with (folder / "calls").open("a") as calls:
            calls.write(f"{name}\n")
        if hang is not None and hang in name:
            return ScriptedReply("Let me think.", latency_s=600.0)
        if name.startswith("chain"):
            seed = request.sampling.seed or 0
            return ScriptedReply(f"Way {seed}. It is $\\boxed{{{ANSWERS[seed]}}}$.")
        return ScriptedReply(scores(request, lambda text: 9 if text.endswith("Answer: 2") else 6))

    return script


def store_in(folder: Path) -> SqliteTraceStore:
    return SqliteTraceStore(SqliteTraceConfig(path=folder / "traces.db"))


async def run(folder: Path, hang: str) -> None:
    @asynccontextmanager
    async def services() -> AsyncIterator[Services]:
        sandbox = ScriptedSandbox(lambda code: Execution(status="ok"))
        async with store_in(folder) as store, sandbox, ScriptedBackend(script_in(folder, hang)) as backend:
            yield Services(
                backend=backend,
                python=PythonTool(sandbox, PythonToolConfig()),
                equal=equal_text,
                make_aggregator=make_aggregator,
                traces=store,
                max_chains=64,
            )

    async with Solver(services) as solver:
        await solver.solve("What?", OPTIONS)


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), sys.argv[2]))
