"""The bundled model as a judge in vLLM's asynchronous engine: a reply that is held to a schema has its verdict."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NANO = Path(__file__).resolve().parents[2] / "abaci" / "backend" / "nano"
START_S = 170
# A file, since the engine's processes import the main module again.
SCRIPT = """
import asyncio, json, sys
import psutil
from abaci.aggregation.aor import Aor
from abaci.aggregation.base import Progress, conclude
from abaci.aggregation.config import AorConfig, GenSelectConfig, JudgeLimits
from abaci.aggregation.genselect import GenSelect
from abaci.aggregation.judge import Judge
from abaci.backend.config import VllmConfig
from abaci.backend.vllm import VllmBackend
from abaci.types import Answer, Problem, Rationale, StopReason, Trajectory

def chain(index, answer):
    text = f"In way {index}, 17 + 25 = {answer}. The answer is {answer}."
    given = Answer(raw=answer, canonical=answer)
    return Trajectory(chain=index, steps=(Rationale(text=text),), answer=given, stop_reason=StopReason.ANSWER)

async def main(model):
    problem, chains = Problem(question="What is 17 + 25?"), [chain(0, "42"), chain(1, "41"), chain(2, "42")]
    limits = JudgeLimits(max_tokens=48)
    calls, decisions = [], []
    config = VllmConfig(model=model, engine="async", dtype="float32", kv_cache_bytes=64 << 20)
    async with VllmBackend(config) as backend:
        judge = Judge(backend, calls.append)
        aor = Aor(AorConfig(min_score=0.0, judge=limits), judge)
        for method in (aor, GenSelect(GenSelectConfig(judge=limits), judge)):
            decisions.append(await conclude(method, problem, chains, Progress(finished=3, started=3, remaining=0)))
        unfinished = backend._driver._engine.get_num_unfinished_requests()
    children = psutil.Process().children(recursive=True)
    left = [child.pid for child in children if "resource_tracker" not in str(child.cmdline())]
    found = {"unfinished": unfinished, "left": left}
    found |= {"calls": [json.loads(call.model_dump_json()) for call in calls]}
    found |= {"decisions": [json.loads(decision.model_dump_json()) for decision in decisions]}
    print("FOUND", json.dumps(found))

if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.engine
@pytest.mark.timeout(200)
def test_every_verdict_of_a_model_that_was_never_taught_to_judge_is_read(tmp_path: Path) -> None:
    path = tmp_path / "judging.py"
    path.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(path), str(NANO)],
        capture_output=True,
        text=True,
        timeout=START_S,
        env=os.environ | {"OMP_WAIT_POLICY": "PASSIVE"},
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("FOUND ")]
    assert lines, done.stderr[-3000:]
    found = json.loads(lines[0].removeprefix("FOUND "))
    assert (found["unfinished"], found["left"]) == (0, [])
    calls = found["calls"]
    # Two answers are scored, then compared in two rounds, then selected three times; what could not be read, again.
    assert {call["task"] for call in calls} == {"local scoring", "global evaluation", "selection"}
    first = [call for call in calls if call["attempt"] == 1]
    assert len(first) == 2 + 2 + 3
    assert all(call["reply"].lstrip().startswith("{") and '"reasons"' in call["reply"] for call in first)
    last = [call for call in calls if call["error"] is None]
    assert len(last) == len(first)
    for call in last:
        reply = json.loads(call["reply"])
        if call["task"] == "selection":
            assert reply["choice"] == call["verdict"] in (1, 2, 3)
        else:
            assert reply["scores"] == call["verdict"]
            assert [*reply["scores"]] == [str(label) for label in range(1, len(call["chains"]) + 1)]
            assert all(isinstance(points, int) and 0 <= points <= 10 for points in reply["scores"].values())
    aor, genselect = found["decisions"]
    assert aor["answer"]["raw"] in ("41", "42")
    assert aor["buckets"][0]["score"] is not None
    assert genselect["reason"].endswith("selections by the judge")
    assert aor["warnings"] == genselect["warnings"] == []
