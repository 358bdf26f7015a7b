"""Which trace store to use: a union of config models told apart by `kind`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from platformdirs import user_data_path
from pydantic import Field, SecretStr, field_validator

from abaci.types import Value

WEEK_S = 7 * 24 * 3600.0
MIN_TTL_S = 60.0


class MemoryTraceConfig(Value):
    """Keep the newest `max_runs` runs in this process, and nothing after it ends."""

    kind: Literal["memory"] = "memory"
    max_runs: int = Field(default=1000, ge=1)


class SqliteTraceConfig(Value):
    """Keep runs in one SQLite file; `path` absent means `traces.db` in the user's data folder for abaci.

    Runs that started more than `ttl_s` seconds ago are deleted when the store opens and when a new run starts; absent
    means that they are kept until someone deletes them.
    """

    kind: Literal["sqlite"] = "sqlite"
    path: Path | None = None
    ttl_s: float | None = Field(default=None, ge=MIN_TTL_S, allow_inf_nan=False)

    @property
    def file(self) -> Path:
        """The file in use: `path`, or the default place."""
        return self.path if self.path is not None else user_data_path("abaci") / "traces.db"


class RedisTraceConfig(Value):
    """Keep runs in one Redis server (6.2 or newer; alone or behind Sentinel), shared by any number of processes.

    `url` is `redis://`, `rediss://` or `unix://`, with credentials where the server wants them; it is never printed.
    A run vanishes `ttl_s` seconds after its last event. `prefix` starts every key, so that several services may share a
    server.
    """

    kind: Literal["redis"] = "redis"
    url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    ttl_s: float = Field(default=WEEK_S, ge=MIN_TTL_S, allow_inf_nan=False)
    prefix: str = Field(default="abaci:", min_length=1, max_length=64)

    @field_validator("url")
    @classmethod
    def _is_redis_url(cls, url: SecretStr) -> SecretStr:
        if urlsplit(url.get_secret_value()).scheme not in {"redis", "rediss", "unix"}:
            raise ValueError("a Redis address starts with redis://, rediss:// or unix://")
        return url


TraceConfig = Annotated[MemoryTraceConfig | SqliteTraceConfig | RedisTraceConfig, Field(discriminator="kind")]
