"""What makes the tokens, as configuration: one frozen model a backend, told apart by `kind`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue, SecretStr

from abaci.types import Value


class VllmConfig(Value):
    """vLLM on this machine, on its GPUs or on its CPU.

    `inprocess` runs the engine on a thread of this process: it starts fastest and suits one process with moderate load.
    `async` gives the engine processes of its own: it starts slower, and goes on generating while this process is busy.
    """

    kind: Literal["vllm"] = "vllm"
    model: str = Field(min_length=1)
    """A model directory in the Hugging Face layout, or the name of a model on the hub (downloaded on first use)."""
    engine: Literal["inprocess", "async"] = "inprocess"
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    max_model_len: int | None = Field(default=None, ge=2)
    """Context length in tokens, prompt and completion together; None: what the model was made for."""
    kv_cache_bytes: int | None = Field(default=None, ge=1 << 20)
    """Memory for keys and values; None: 1 GiB on a CPU, and what vLLM finds free on a GPU."""
    block_size: int | None = Field(default=None, ge=1)
    """Tokens a page of the KV cache; None: 32 on a CPU (prefixes are cached by whole pages), vLLM's choice on a GPU."""
    enforce_eager: bool | None = None
    """True: no compilation and no CUDA graphs, so a fast start. None: True on a CPU, False on a GPU."""
    engine_args: dict[str, JsonValue] = Field(default_factory=dict)
    """Further vLLM engine arguments by their Python names, such as `tensor_parallel_size` or `attention_backend`."""


class OpenAIConfig(Value):
    """A server that speaks the OpenAI protocol: a hosted one, `vllm serve`, llama.cpp, Ollama, …"""

    kind: Literal["openai"] = "openai"
    base_url: str = Field(min_length=1, pattern=r"^https?://")
    """Up to and including the version, such as `http://localhost:8000/v1`."""
    model: str = Field(min_length=1)
    api_key: SecretStr | None = None
    is_chat: bool = True
    """True: `/chat/completions`, with tools. False: `/completions`, for models that continue text."""
    context_length: int | None = Field(default=None, ge=2)
    """In tokens; None: what the server says about its model, if it does."""
    timeout_s: float = Field(default=120.0, gt=0.0, le=3600.0)
    """The longest silence: to connect, to the first delta, and between two deltas."""
    max_retries: int = Field(default=4, ge=0, le=10)
    """How often a request that was refused as busy or failed is sent again, before its first delta."""


class ScriptedConfig(Value):
    """No model at all: the replies, in order, starting over after the last. For tests and benchmarks."""

    kind: Literal["scripted"] = "scripted"
    replies: tuple[str, ...] = Field(min_length=1)
    is_chat: bool = False
    context_length: int | None = Field(default=None, ge=2)
    """In the script's own tokens: one a character."""
    latency_s: float = Field(default=0.0, ge=0.0)
    """Seconds before each delta."""


BackendConfig = Annotated[VllmConfig | OpenAIConfig | ScriptedConfig, Field(discriminator="kind")]
