"""Configuration turned into vLLM's arguments, and vLLM's failures into advice, without starting an engine."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from abaci.backend.config import VllmConfig
from abaci.backend.vllm_driver import engine_arguments, load_error, make_engine_args
from abaci.errors import SettingsError


@dataclass
class Args:
    """Takes what vLLM's arguments take, as far as these tests go."""

    model: str
    dtype: str
    max_model_len: int
    enforce_eager: bool
    enable_prefix_caching: bool
    seed: int
    disable_log_stats: bool
    use_tqdm_on_load: bool
    generation_config: str
    kv_cache_memory_bytes: int = 0
    block_size: int = 0
    tensor_parallel_size: int = 1


def test_the_context_length_is_fitted_to_the_memory_unless_given() -> None:
    assert engine_arguments(VllmConfig(model="m"))["max_model_len"] == -1
    assert engine_arguments(VllmConfig(model="m", max_model_len=99))["max_model_len"] == 99


def test_two_engines_draw_from_different_seeds() -> None:
    config = VllmConfig(model="m")
    assert engine_arguments(config)["seed"] != engine_arguments(config)["seed"]


def test_further_arguments_are_passed_on() -> None:
    args = make_engine_args(Args, VllmConfig(model="m", engine_args={"tensor_parallel_size": 2}))
    assert args.tensor_parallel_size == 2


def test_a_misspelt_argument_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(SettingsError, match="did you mean tensor_parallel_size"):
        make_engine_args(Args, VllmConfig(model="m", engine_args={"tensor_paralel_size": 2}))


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (ValueError("the KV cache is too small"), "kv_cache_bytes"),
        (MemoryError(), "smaller model"),
        (RuntimeError("CUDA out of memory"), "smaller model"),
        (RuntimeError("Engine core initialization failed."), "__main__"),
        (ValueError("Model architectures ['X'] are not supported"), "supports"),
        (KeyError("lm_head"), "VLLM_LOGGING_LEVEL"),
    ],
)
def test_a_failed_load_comes_with_advice(error: Exception, advice: str) -> None:
    message = str(load_error(VllmConfig(model="some/model"), error))
    assert "some/model" in message
    assert advice in message
