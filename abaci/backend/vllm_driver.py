"""What the two ways of running vLLM share: the seam between them and the backend, and the engine's arguments."""

from __future__ import annotations

import dataclasses
import difflib
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol

from abaci.backend.config import VllmConfig
from abaci.backend.model_files import architectures, local_model_directory
from abaci.backend.vllm_environment import is_cpu_build, is_eager
from abaci.errors import ModelLoadError, SettingsError

START_TIMEOUT_S: Final = 3600.0
"""The longest a model may take to load; a large one from a cold disk takes many minutes."""

STOP_TIMEOUT_S: Final = 60.0
"""The longest an engine may take to stop: one step of a large batch, then its shutdown."""

Progress = Callable[[str, float | None], None]
"""Told what is being done and, where it is known, the share done from 0 to 1."""

_CPU_KV_CACHE_BYTES: Final = 1 << 30
_CPU_BLOCK_TOKENS: Final = 32


class EngineFacts(NamedTuple):
    """What a started engine says of itself: its tokenizer (Hugging Face) and context length in tokens."""

    tokenizer: Any
    context_length: int


class Driver(Protocol):
    """One way of running vLLM. Its outputs are vLLM's `RequestOutput`s, its parameters vLLM's `SamplingParams`."""

    async def start(self, progress: Progress) -> EngineFacts:
        """Load the model.

        Raises:
            ModelLoadError: it cannot be loaded.
        """
        ...

    def stream(self, prompt_ids: Sequence[int], params: Any) -> AsyncGenerator[Any, None]:
        """The outputs of one request; closing it early aborts the request.

        Raises:
            BackendRejected: vLLM refuses the request.
            BackendUnavailable: the engine failed or was stopped.
        """
        ...

    async def stop(self) -> None:
        """End every request, thread and process."""
        ...


def engine_arguments(config: VllmConfig) -> dict[str, Any]:
    """`config` as keyword arguments of vLLM's `EngineArgs`."""
    is_cpu = is_cpu_build()
    arguments: dict[str, Any] = {
        "model": str(local_model_directory(config.model) or config.model),
        "dtype": config.dtype,
        # -1: the model's own length, or less where the KV cache has no room for one request of that length.
        "max_model_len": config.max_model_len or -1,
        "kv_cache_memory_bytes": config.kv_cache_bytes or (_CPU_KV_CACHE_BYTES if is_cpu else None),
        "block_size": config.block_size or (_CPU_BLOCK_TOKENS if is_cpu else None),
        "enforce_eager": is_eager(config),
        "enable_prefix_caching": True,
        # vLLM's default is the constant 0, which would make unseeded runs repeat each other.
        "seed": secrets.randbits(31),
        "disable_log_stats": True,
        "use_tqdm_on_load": False,
        # Defaults of the model's author must not override what the caller asked for.
        "generation_config": "vllm",
    }
    return {name: value for name, value in arguments.items() if value is not None} | config.engine_args


def make_engine_args(kind: Any, config: VllmConfig) -> Any:
    """`config` as an instance of `kind`, which is vLLM's `EngineArgs` or `AsyncEngineArgs`.

    Raises:
        SettingsError: `engine_args` holds a name that vLLM does not know.
    """
    known = {field.name for field in dataclasses.fields(kind)}
    for name in config.engine_args.keys() - known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f": did you mean {close[0]}?" if close else ""
        raise SettingsError(f"vLLM has no engine argument {name!r} (backend.engine_args){hint}")
    args = kind(**engine_arguments(config))
    if "structured_outputs_config" in known - config.engine_args.keys():
        # Held to JSON, a weak model may write blanks up to its limit: none between tokens. Only xgrammar can do that.
        args.structured_outputs_config.backend = "xgrammar"
        args.structured_outputs_config.disable_any_whitespace = True
    return args


def register_architectures(config: VllmConfig) -> None:
    """Import the model's class here and tell vLLM about it.

    Otherwise vLLM inspects the class in a subprocess that imports everything again: 10 to 20 seconds, the first time
    on a machine.
    """
    from vllm.model_executor.models import ModelRegistry

    directory = local_model_directory(config.model)
    for name in architectures(directory) if directory is not None else ():
        lazy = ModelRegistry.models.get(name)
        if lazy is not None:
            ModelRegistry.register_model(name, lazy.load_model_cls())


def load_error(config: VllmConfig, error: BaseException) -> ModelLoadError:
    """`error`, raised by vLLM while it started, as an error that says what to do."""
    text = " ".join(str(error).split()) or type(error).__name__
    advice = "see the message above; `VLLM_LOGGING_LEVEL=INFO` shows vLLM's own account"
    if "KV cache" in text or "kv cache" in text:
        advice = "give `kv_cache_bytes` more, or `max_model_len` less"
    elif isinstance(error, MemoryError) or "out of memory" in text.lower() or "memory on node" in text.lower():
        advice = "choose a smaller model, or give `kv_cache_bytes` less"
    elif "Engine core initialization failed" in text:
        advice = 'see the engine\'s own message above; a script must begin its work under `if __name__ == "__main__":`'
    elif "architectures" in text and "not supported" in text:
        advice = "choose a model that this version of vLLM supports"
    return ModelLoadError(f"vLLM could not load the model {config.model}: {text[:500]} — {advice}")
