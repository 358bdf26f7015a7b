"""Settings: one place for everything that can be configured, composed of the config models of the packages below.

Later wins: defaults, then a TOML file (`ABACI_CONFIG`, or `config.toml` in the user's configuration folder), then the
environment (`ABACI_MODEL`, `ABACI_TRACES__KIND`, `ABACI_TRACES__URL`, …; `__` enters a nested model), then arguments.
"""

from __future__ import annotations

import logging
import os
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

from platformdirs import user_config_path
from pydantic import Field, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from abaci.agents.options import SolveOptions
from abaci.aggregation.config import AutoEmbedderConfig, EmbedderConfig
from abaci.backend.config import BackendConfig, OpenAIConfig, VllmConfig
from abaci.errors import SettingsError
from abaci.sandbox.config import AutoSandboxConfig, SandboxConfig
from abaci.tools.config import PythonToolConfig
from abaci.traces.config import SqliteTraceConfig, TraceConfig

CONFIG_VARIABLE = "ABACI_CONFIG"
BUNDLED_MODEL = Path(__file__).parent / "backend" / "nano"
BUNDLED_KV_CACHE_BYTES = 128 << 20
"""Room for more than 64 chains of the bundled model; vLLM's start clears it, so more would only take time."""

_log = logging.getLogger(__name__)


class Settings(BaseSettings):
    """Everything that can be configured."""

    model_config = SettingsConfigDict(env_prefix="ABACI_", env_nested_delimiter="__", extra="forbid", frozen=True)

    model: str | None = Field(default=None, min_length=1)
    """Short for a backend: a model directory or name for vLLM, or, with `server`, a model of that server."""
    server: str | None = None
    """Base URL of an OpenAI-compatible server, for instance `http://127.0.0.1:8000/v1`."""
    backend: BackendConfig | None = None
    """The backend in full; excludes `model` and `server`."""
    judge: BackendConfig | None = None
    """The backend of the model that judges chains; absent: the one that wrote them."""
    embedder: EmbedderConfig = AutoEmbedderConfig()
    """What tells which statements of chains are alike."""
    sandbox: SandboxConfig = AutoSandboxConfig()
    python: PythonToolConfig = PythonToolConfig()
    traces: TraceConfig = SqliteTraceConfig()
    solve: SolveOptions = SolveOptions()
    """Options of runs that name none."""
    max_chains: int = Field(default=64, ge=1, le=4096)
    """Chains that may run at once, over all runs of the process."""

    @field_validator("server")
    @classmethod
    def _is_http_url(cls, server: str | None) -> str | None:
        if server is not None and not server.startswith(("http://", "https://")):
            raise ValueError("a server's address starts with http:// or https://, as in http://127.0.0.1:8000/v1")
        return server

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """The settings in force, with `overrides` (those that are not None) on top.

        Raises:
            SettingsError: a value does not fit; the message names it and where it can be set.
        """
        if os.environ.get(CONFIG_VARIABLE) and not config_file().exists():
            raise SettingsError(f"{CONFIG_VARIABLE} names {config_file()}, which is not there")
        _warn_of_misspelt()
        try:
            return cls(**{name: value for name, value in overrides.items() if value is not None})
        except ValidationError as error:
            faults = "; ".join(map(_describe, error.errors()))
            raise SettingsError(f"settings do not fit: {faults} (see ABACI_* and {config_file()})") from error
        except ValueError as error:
            raise SettingsError(f"settings cannot be read: {error} (see ABACI_* and {config_file()})") from error

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then the TOML file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, config_file())

    @property
    def is_bundled_model_used(self) -> bool:
        """Whether nothing names a model, so that the bundled one is used."""
        return self.backend is None and self.server is None and self.model is None

    def choose_backend(self) -> BackendConfig:
        """The backend that these settings ask for: `backend`, else `server` and `model`, else the bundled model.

        Raises:
            SettingsError: the settings contradict themselves, or name no model and none is bundled.
        """
        if self.backend is not None:
            if self.model is not None or self.server is not None:
                raise SettingsError("`backend` says everything about the backend: leave out `model` and `server`")
            return self.backend
        if self.server is not None:
            if self.model is None:
                raise SettingsError(f"which model of {self.server}? Name it with --model or ABACI_MODEL")
            return OpenAIConfig(base_url=self.server, model=self.model)
        if self.model is not None:
            return VllmConfig(model=self.model)
        if not (BUNDLED_MODEL / "config.json").is_file():
            raise SettingsError(
                "no model: name a model directory with --model or ABACI_MODEL, or an OpenAI-compatible server with "
                "--server (ABACI_SERVER) and --model"
            )
        return VllmConfig(model=str(BUNDLED_MODEL), kv_cache_bytes=BUNDLED_KV_CACHE_BYTES)


def _warn_of_misspelt() -> None:
    """Variables that nearly have a setting's name are nobody's: what was meant is said, since nothing would happen."""
    prefix = str(Settings.model_config["env_prefix"])
    for name in os.environ:
        field = name.removeprefix(prefix).split("__")[0].lower()
        if not name.startswith(prefix) or name == CONFIG_VARIABLE or field in Settings.model_fields:
            continue
        for near in get_close_matches(field, Settings.model_fields, n=1, cutoff=0.7):
            _log.warning("%s is no setting and is ignored: is %s%s meant?", name, prefix, near.upper())


def _describe(fault: ErrorDetails) -> str:
    place = [str(part) for part in fault["loc"]]
    if fault["type"] == "union_tag_not_found":
        return f"{'.'.join(place)}: say which kind it is, for instance with ABACI_{'__'.join(place).upper()}__KIND"
    return f"{'.'.join(place)}: {fault['msg'].removeprefix('Value error, ')}"


def config_file() -> Path:
    """The TOML file that is read, whether or not it exists."""
    named = os.environ.get(CONFIG_VARIABLE)
    return Path(named) if named else user_config_path("abaci") / "config.toml"
