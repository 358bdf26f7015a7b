"""The commands on a scripted model, a real sandbox and a real trace store."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from click.testing import CliRunner
from process_table import descendants, is_alive

from abaci.cli import cli
from abaci.types import Solution

PROGRAM = "I multiply.\n```python\nprint(6 * 7)\n```\n"
ANSWER = "The answer is $\\boxed{42}$."
SILENCE = "I cannot say."


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ABACI_CONFIG", os.devnull)
    monkeypatch.setenv("ABACI_TRACES__KIND", "sqlite")
    monkeypatch.setenv("ABACI_TRACES__PATH", str(tmp_path / "traces.db"))
    script(monkeypatch, PROGRAM, ANSWER)


def script(monkeypatch: pytest.MonkeyPatch, *replies: str, latency_s: float = 0.0) -> None:
    monkeypatch.setenv("ABACI_BACKEND__KIND", "scripted")
    monkeypatch.setenv("ABACI_BACKEND__REPLIES", json.dumps(replies))
    monkeypatch.setenv("ABACI_BACKEND__LATENCY_S", str(latency_s))


def abaci(*arguments: str, stdout: Any = subprocess.PIPE, stderr: Any = subprocess.PIPE) -> Any:
    command = [sys.executable, "-m", "abaci.cli", *arguments]
    return subprocess.run(command, stdout=stdout, stderr=stderr, text=True, timeout=150, check=False)


# --- solve and trace --------------------------------------------------------------------------------------------------


def test_a_solution_is_on_standard_output_and_the_talk_on_standard_error() -> None:
    done = abaci("solve", "What is 6 times 7?", "--samples", "1")
    assert done.returncode == 0
    assert done.stdout.startswith("42\n1 of 1 answered chains agree (confidence 100%)\n")
    assert re.search(r"run_[0-9a-f]{24} · 1 chain · ", done.stdout)
    for line in done.stderr.splitlines():
        assert re.match(r"\[ *[0-9.]+ s\] ", line)
    assert "chain 1: output: 42" in done.stderr


def test_json_is_one_solution_that_trace_gives_again() -> None:
    solved = CliRunner().invoke(cli, ["solve", "What is 6 times 7?", "--samples", "2", "--json"])
    assert solved.exit_code == 0
    solution = Solution.model_validate_json(solved.stdout)
    assert (solution.answer, solution.warnings) == ("42", ())

    listed = CliRunner().invoke(cli, ["trace", "--json"])
    assert [run["run_id"] for run in json.loads(listed.stdout)["runs"]] == [solution.run_id]

    traced = CliRunner().invoke(cli, ["trace", solution.run_id, "--json"])
    assert Solution.model_validate_json(traced.stdout) == solution

    shown = CliRunner().invoke(cli, ["trace", solution.run_id])
    assert "What is 6 times 7?" in shown.stdout
    assert "→ 42" in shown.stdout

    table = CliRunner().invoke(cli, ["trace"])
    assert table.stdout.startswith(solution.run_id)


@pytest.mark.parametrize("option", ["--no-live", "--json"])
def test_a_reader_that_leaves_early_is_no_failure(option: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = abaci("solve", "What is 6 times 7?", "--samples", "1", option, stdout=writer)
    os.close(writer)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("option", ["--no-live", "--json"])
def test_a_result_that_cannot_be_written_is_one_line(option: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = abaci("solve", "What is 6 times 7?", "--samples", "1", option, stdout=full)
    assert done.returncode == 1
    assert done.stderr.endswith("abaci: nothing more can be written: [Errno 28] No space left on device\n")
    assert "Traceback" not in done.stderr


def test_talk_that_cannot_be_written_costs_nothing() -> None:
    with Path("/dev/full").open("w") as full:
        done = abaci("solve", "What is 6 times 7?", "--samples", "1", stderr=full)
    assert (done.returncode, done.stdout[:3]) == (0, "42\n")


def test_a_store_that_cannot_be_opened_costs_a_warning_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ABACI_TRACES__PATH", str(tmp_path))
    done = abaci("solve", "What is 6 times 7?", "--samples", "1")
    assert (done.returncode, done.stdout[:3]) == (0, "42\n")
    assert "abaci: warning: " in done.stderr
    assert "another file can be named with ABACI_TRACES__KIND=sqlite" in done.stderr


def test_an_abstention_exits_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    script(monkeypatch, SILENCE)
    done = CliRunner().invoke(cli, ["solve", "What?", "--samples", "2", "--json"])
    assert done.exit_code == 1
    assert json.loads(done.stdout)["status"] == "abstained"


def test_a_question_is_read_from_standard_input() -> None:
    done = CliRunner().invoke(cli, ["solve", "--file", "-", "--samples", "1", "--json"], input="What is 6 × 7?\n")
    assert json.loads(done.stdout)["question"] == "What is 6 × 7?\n"


def test_an_unknown_run_is_a_clear_error() -> None:
    done = CliRunner().invoke(cli, ["trace", "run_" + "0" * 24])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "no run 'run_000000000000000000000000'" in done.stderr


def test_a_store_without_runs_says_so_on_standard_error() -> None:
    done = CliRunner().invoke(cli, ["trace"])
    assert (done.exit_code, done.stdout) == (0, "")
    assert "no runs are stored yet" in done.stderr


# --- doctor -----------------------------------------------------------------------------------------------------------


def test_the_doctor_tries_everything_that_a_solve_needs() -> None:
    done = CliRunner().invoke(cli, ["doctor", "--json"])
    report = json.loads(done.stdout)
    checks = {check["name"]: check for check in report["checks"]}
    assert {"python", "model", "vllm", "bubblewrap", "landlock", "traces", "redis", "docker"} <= checks.keys()
    assert checks["model"]["detail"] == "a script of 2 replies"
    assert "ok" in {checks["bubblewrap"]["finding"], checks["landlock"]["finding"]}
    assert (done.exit_code, report["can_solve"]) == (0, True)
    for check in report["checks"]:
        assert (check["finding"] == "ok") == (check["advice"] is None)


ATTACKS = [
    {"name": "fork", "code": "import os\nos.fork()\nprint('PWNED')", "oracle": "reply", "timeout": 3},
    {"name": "success", "code": "print('PWNED')", "oracle": "no_pwned", "timeout": 3, "category": "none"},
]


def test_the_doctor_runs_attacks_and_fails_when_one_succeeds(tmp_path: Path) -> None:
    file = tmp_path / "attacks.jsonl"
    file.write_text("\n".join([json.dumps(ATTACKS[0]), '{"name": "half"', json.dumps(ATTACKS[1])]))
    done = CliRunner().invoke(cli, ["doctor", "--attacks", str(file), "--json"])
    report = json.loads(done.stdout)
    assert (done.exit_code, report["programs"], report["held"]) == (1, 2, 1)
    assert report["failed"] == [{"name": "success", "why": "it succeeded: PWNED"}]
    assert report["holds"] == [{"name": "fork", "by": "error: PermissionError: [Errno 1] Operation not permitted"}]
    assert report["tier"] in {"bubblewrap", "landlock"}
    assert "abaci: line 2: not JSON" in done.stderr


def test_the_doctor_is_content_when_every_attack_is_held(tmp_path: Path) -> None:
    file = tmp_path / "attacks.jsonl"
    file.write_text(json.dumps(ATTACKS[0]))
    done = CliRunner().invoke(cli, ["doctor", "--attacks", str(file)])
    assert done.exit_code == 0
    assert "1 of 1 attack held by the" in done.stdout


def test_a_file_without_attacks_is_bad_input(tmp_path: Path) -> None:
    file = tmp_path / "attacks.jsonl"
    file.write_text('{"name": "no code"}')
    done = CliRunner().invoke(cli, ["doctor", "--attacks", str(file), "--json"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "line 1: code: Field required" in done.stderr


# --- offline ----------------------------------------------------------------------------------------------------------


def test_grade_names_malformed_rows_and_uses_the_others(tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    rows = [
        '{"gold": "1/2", "pred": "0.5", "equal": true}',
        '{"gold": "1/2"',
        '{"gold": "2", "pred": "3", "equal": false}',
        '{"gold": 5, "pred": "3"}',
    ]
    file.write_text("\n".join(rows))
    done = CliRunner().invoke(cli, ["grade", str(file), "--json"])
    assert done.exit_code == 0
    report = json.loads(done.stdout)
    assert report.keys() >= {"pairs", "agreement", "false_positives", "false_negatives", "p50_ms", "p99_ms", "max_ms"}
    assert (report["pairs"], report["agreement"]) == (2, 100.0)
    assert "abaci: line 2: not JSON" in done.stderr
    assert "abaci: line 4: " in done.stderr


def test_a_file_without_any_usable_row_is_bad_input(tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text("nonsense\n")
    done = CliRunner().invoke(cli, ["grade", str(file)])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "line 1" in done.stderr
    assert "no row that can be used" in done.stderr


def test_replay_runs_recorded_programs_of_a_gzipped_file(tmp_path: Path) -> None:
    file = tmp_path / "trajectories.jsonl.gz"
    text = "```python\nprint(6 * 7)\n```\n```output\n42\n```\nThe answer is $\\boxed{42}$."
    row = {"code": [text], "pred": ["42"], "gt": "42"}
    file.write_bytes(gzip.compress(json.dumps(row).encode()))
    done = CliRunner().invoke(cli, ["replay", str(file), "--json"])
    report = json.loads(done.stdout)
    keys = [
        "programs",
        "exact",
        "mismatches",
        "extraction_agreement",
        "accuracy",
        "accuracy_lenient",
        "p50_ms",
        "p99_ms",
    ]
    assert report.keys() >= set(keys)
    assert (done.exit_code, report["programs"], report["exact"], report["accuracy"]) == (0, 1, 1, 100.0)


def test_vote_decides_pools_by_majority(tmp_path: Path) -> None:
    file = tmp_path / "pools.jsonl"
    answers = [("a", "2", True), ("b", "2", True), ("c", "3", False)]
    row = {"gold": "2", "candidates": [{"run": run, "answer": raw, "correct": right} for run, raw, right in answers]}
    file.write_text(json.dumps(row))
    done = CliRunner().invoke(cli, ["vote", str(file), "--aggregator", "self_consistency", "--json"])
    report = json.loads(done.stdout)
    assert done.exit_code == 0
    assert report.keys() >= {"questions", "accuracy", "oracle", "best_single", "abstained", "mean_samples"}
    assert (report["questions"], report["accuracy"], report["oracle"]) == (1, 100.0, 100.0)


# --- serve ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "abaci.cli", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                found = re.search(r"listening on (http://127\.0\.0\.1:\d+)", line)
                if found is not None:
                    yield process, found.group(1)
                    break
        finally:
            process.kill()


def test_serve_answers_until_it_is_told_to_stop(server: tuple[subprocess.Popen[str], str]) -> None:
    process, url = server
    with urlopen(f"{url}/health", timeout=20) as response:
        assert json.load(response)["status"] == "ok"
    children = descendants(process.pid)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    deadline = time.monotonic() + 10
    while any(map(is_alive, children)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(is_alive, children))
