from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from abaci.traces.config import RedisTraceConfig, SqliteTraceConfig, TraceConfig
from abaci.traces.keys import Keys


def test_kind_chooses_the_config() -> None:
    config: TraceConfig = TypeAdapter(TraceConfig).validate_python({"kind": "sqlite", "path": "/tmp/t.db"})
    assert isinstance(config, SqliteTraceConfig)


@pytest.mark.parametrize("url", ["http://127.0.0.1", "127.0.0.1:6379", ""])
def test_an_address_that_is_not_redis_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="starts with redis://"):
        RedisTraceConfig(url=url)


@pytest.mark.parametrize("ttl_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_ttl_that_keeps_nothing_or_is_no_number_is_refused(ttl_s: float) -> None:
    with pytest.raises(ValidationError, match="ttl_s"):
        RedisTraceConfig(ttl_s=ttl_s)


def test_every_key_starts_with_the_prefix() -> None:
    keys = Keys("mine:")
    assert {keys.runs, keys.started, keys.events("r"), keys.heads("r")} == {
        "mine:runs",
        "mine:started",
        "mine:run:r:events",
        "mine:run:r:heads",
    }
