"""Backend configuration: told apart by kind, misspellings refused, secrets hidden."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from abaci.backend.config import BackendConfig, OpenAIConfig, ScriptedConfig, VllmConfig

ANY = TypeAdapter[BackendConfig](BackendConfig)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        ({"kind": "vllm", "model": "m"}, VllmConfig),
        ({"kind": "openai", "base_url": "http://localhost/v1", "model": "m"}, OpenAIConfig),
        ({"kind": "scripted", "replies": ["a"]}, ScriptedConfig),
    ],
)
def test_the_kind_chooses_the_model(raw: dict[str, object], kind: type) -> None:
    assert isinstance(ANY.validate_python(raw), kind)


@pytest.mark.parametrize(
    "raw",
    [
        {"kind": "vllm", "model": "m", "modell": 1},
        {"kind": "vllm", "model": ""},
        {"kind": "vllm", "model": "m", "engine": "thread"},
        {"kind": "openai", "base_url": "localhost:8000", "model": "m"},
        {"kind": "scripted", "replies": []},
        {"kind": "magic"},
    ],
)
def test_what_makes_no_sense_is_refused(raw: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ANY.validate_python(raw)


def test_the_api_key_is_not_shown() -> None:
    config = OpenAIConfig.model_validate({"base_url": "http://localhost/v1", "model": "m", "api_key": "sesame"})
    assert "sesame" not in repr(config)
