from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from abaci.backend.config import OpenAIConfig, ScriptedConfig, VllmConfig
from abaci.cli.doctor import SIGNS
from abaci.cli.probes import Finding, check_engine, check_extra, check_model, check_server, check_traces, find_server
from abaci.settings import Settings
from abaci.traces.config import MemoryTraceConfig, RedisTraceConfig, SqliteTraceConfig

SCRIPTED = ScriptedConfig(replies=("a", "b"))


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABACI_CONFIG", os.devnull)


def test_a_configured_model_is_described() -> None:
    check = check_model(Settings(backend=SCRIPTED))
    assert (check.finding, check.detail, check.advice) == (Finding.OK, "a script of 2 replies", None)


def test_a_model_directory_that_is_not_there_is_broken() -> None:
    check = check_model(Settings(model="/nowhere/model"))
    assert check.finding is Finding.BROKEN
    assert check.advice is not None
    assert "/nowhere/model" in check.advice


def test_a_server_without_a_model_is_broken() -> None:
    settings = Settings(server="http://127.0.0.1:1/v1")
    assert check_model(settings).finding is Finding.BROKEN
    assert find_server(settings) is None


async def test_a_server_that_does_not_answer_is_broken() -> None:
    server = OpenAIConfig(base_url="http://127.0.0.1:1/v1", model="m", max_retries=0)
    assert find_server(Settings(backend=server)) == server
    check = await check_server(server)
    assert check.finding is Finding.BROKEN
    assert check.advice


async def test_an_engine_that_nobody_needs_is_not_imported() -> None:
    check = await check_engine(Settings(backend=SCRIPTED))
    assert check.finding is Finding.OK
    assert "do not use it" in check.detail


@pytest.mark.engine
async def test_an_engine_that_is_needed_is_imported() -> None:
    check = await check_engine(Settings(backend=VllmConfig(model="none")))
    assert (check.finding, check.advice) == (Finding.OK, None)
    assert "torch" in check.detail


async def test_a_store_that_works_says_where_it_is(tmp_path: Path) -> None:
    check = await check_traces(Settings(traces=SqliteTraceConfig(path=tmp_path / "traces.db")))
    assert check.finding is Finding.OK
    assert "traces.db, no runs yet" in check.detail


async def test_a_store_that_cannot_be_opened_is_missed_by_no_solve(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    check = await check_traces(Settings(traces=SqliteTraceConfig(path=file / "traces.db")))
    assert check.finding is Finding.MISSING
    assert "leave no trace" in check.detail
    assert check.advice


async def test_a_store_whose_package_is_missing_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "abaci.traces.redis", raising=False)
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    check = await check_traces(Settings(traces=RedisTraceConfig()))
    assert (check.finding, check.advice) == (
        Finding.BROKEN,
        'traces in Redis need a package: pip install "abaci[redis]"',
    )


async def test_a_store_in_memory_works() -> None:
    assert (await check_traces(Settings(traces=MemoryTraceConfig()))).finding is Finding.OK


def test_an_optional_package_that_is_absent_is_missing_only() -> None:
    check = check_extra("abaci_has_no_such_extra")
    assert check.finding is Finding.MISSING
    assert check.advice is not None


def test_every_finding_has_a_sign() -> None:
    assert SIGNS.keys() == set(Finding)
