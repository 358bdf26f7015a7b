"""A Llama-architecture language model in plain torch, small enough to train on a CPU.

Parameter names and layouts are those of the Llama checkpoints that transformers and vLLM read (`model.layers.0…`,
rotate-half rotary embedding, SwiGLU, RMSNorm, tied embeddings), so exporting is a cast and a save.

Shapes: B sequences, T tokens, S cached tokens, Hq query heads, Hk key-value heads, D head size.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class ModelConfig:
    """The model's sizes; `context` is the longest sequence in tokens."""

    vocab: int = 2048
    hidden: int = 256
    intermediate: int = 704
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    context: int = 1024
    rope_theta: float = 10000.0
    norm_eps: float = 1e-5

    @property
    def head_dim(self) -> int:
        """Size of one attention head."""
        return self.hidden // self.heads

    def to_llama(self, eos: int, pad: int) -> dict[str, object]:
        """The same sizes as a transformers `config.json`."""
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": self.vocab,
            "hidden_size": self.hidden,
            "intermediate_size": self.intermediate,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "head_dim": self.head_dim,
            "max_position_embeddings": self.context,
            "rms_norm_eps": self.norm_eps,
            "rope_theta": self.rope_theta,
            "hidden_act": "silu",
            "attention_bias": False,
            "mlp_bias": False,
            "tie_word_embeddings": True,
            "bos_token_id": None,
            "eos_token_id": eos,
            "pad_token_id": pad,
            "dtype": "bfloat16",
        }

    def as_dict(self) -> dict[str, float]:
        """The fields, for a checkpoint."""
        return asdict(self)


class RMSNorm(nn.Module):
    """Root-mean-square normalisation with a gain."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """`x` scaled to unit mean square over its last axis."""
        return F.rms_norm(x, (x.shape[-1],), self.weight, self.eps)


class Cache:
    """Keys and values of one layer for generation: (B, Hk, S, D), filled up to the model's `length`."""

    def __init__(self, batch: int, cfg: ModelConfig, size: int) -> None:
        self.k = torch.zeros(batch, cfg.kv_heads, size, cfg.head_dim)
        self.v = torch.zeros(batch, cfg.kv_heads, size, cfg.head_dim)


class Attention(nn.Module):
    """Grouped-query causal self-attention with rotary positions."""

    def __init__(self, cfg: ModelConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.q_proj = nn.Linear(cfg.hidden, cfg.heads * cfg.head_dim, bias=False)
        self.k_proj = nn.Linear(cfg.hidden, cfg.kv_heads * cfg.head_dim, bias=False)
        self.v_proj = nn.Linear(cfg.hidden, cfg.kv_heads * cfg.head_dim, bias=False)
        self.o_proj = nn.Linear(cfg.heads * cfg.head_dim, cfg.hidden, bias=False)

    def forward(self, x: Tensor, rope: tuple[Tensor, Tensor], cached: tuple[Cache, int, Tensor] | None) -> Tensor:
        """Attend within `x`, or, with `cached` = (cache, start, mask), within the cache extended by `x`."""
        b, t, _ = x.shape
        cfg = self.cfg
        q = rotate(self.q_proj(x).view(b, t, cfg.heads, cfg.head_dim).transpose(1, 2), rope)
        k = rotate(self.k_proj(x).view(b, t, cfg.kv_heads, cfg.head_dim).transpose(1, 2), rope)
        v = self.v_proj(x).view(b, t, cfg.kv_heads, cfg.head_dim).transpose(1, 2)
        mask = None
        if cached is not None:
            cache, start, mask = cached
            cache.k[:, :, start : start + t] = k
            cache.v[:, :, start : start + t] = v
            k, v = cache.k[:, :, : start + t], cache.v[:, :, : start + t]
        groups = cfg.heads // cfg.kv_heads
        k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
        if mask is None and q.device.type == "cpu":
            out = short_causal(q, k, v)
        else:
            out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
        return self.o_proj(out.transpose(1, 2).reshape(b, t, -1))  # type: ignore[no-any-return]


def short_causal(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention over whole sequences (B, H, T, D) with the scores written out.

    For a few hundred tokens on a CPU the backward pass is five times faster than that of the tiled kernel.
    """
    t = q.shape[2]
    later = torch.ones(t, t, dtype=torch.bool, device=q.device).triu(1)
    scores: Tensor = (q @ k.transpose(2, 3)) * q.shape[-1] ** -0.5
    return scores.masked_fill(later, float("-inf")).softmax(-1) @ v


def rotate(x: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
    """`x` (B, H, T, D) with rotary positions, rotate-half layout."""
    cos, sin = rope
    a, b = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-b, a), dim=-1) * sin


class MLP(nn.Module):
    """SwiGLU feed-forward."""

    def __init__(self, cfg: ModelConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(cfg.hidden, cfg.intermediate, bias=False)
        self.up_proj = nn.Linear(cfg.hidden, cfg.intermediate, bias=False)
        self.down_proj = nn.Linear(cfg.intermediate, cfg.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Gate, multiply, project back."""
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))  # type: ignore[no-any-return]


class Layer(nn.Module):
    """One pre-norm transformer layer."""

    def __init__(self, cfg: ModelConfig) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(cfg.hidden, cfg.norm_eps)
        self.self_attn = Attention(cfg)
        self.post_attention_layernorm = RMSNorm(cfg.hidden, cfg.norm_eps)
        self.mlp = MLP(cfg)

    def forward(self, x: Tensor, rope: tuple[Tensor, Tensor], cached: tuple[Cache, int, Tensor] | None) -> Tensor:
        """Attention and feed-forward, each added to the stream."""
        x = x + self.self_attn(self.input_layernorm(x), rope, cached)
        return x + self.mlp(self.post_attention_layernorm(x))  # type: ignore[no-any-return]


class Decoder(nn.Module):
    """The stack of layers (named `model` in checkpoints)."""

    def __init__(self, cfg: ModelConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(cfg.vocab, cfg.hidden)
        self.layers = nn.ModuleList(Layer(cfg) for _ in range(cfg.layers))
        self.norm = RMSNorm(cfg.hidden, cfg.norm_eps)


class NanoModel(nn.Module):
    """The causal language model; the output matrix is the embedding."""

    inv_freq: Tensor

    def __init__(self, cfg: ModelConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.model = Decoder(cfg)
        steps = torch.arange(0, cfg.head_dim, 2).float() / cfg.head_dim
        self.register_buffer("inv_freq", cfg.rope_theta**-steps, persistent=False)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                residual = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(weight, std=0.02 / (2 * cfg.layers) ** 0.5 if residual else 0.02)

    def rope(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines for `positions` (B or 1, T), shaped to broadcast over heads."""
        angle = positions[..., None].float() * self.inv_freq
        angle = torch.cat((angle, angle), dim=-1)[:, None]
        return angle.cos(), angle.sin()

    def hidden(self, ids: Tensor) -> Tensor:
        """Last hidden states (B, T, hidden) of whole sequences."""
        x = self.model.embed_tokens(ids)
        rope = self.rope(torch.arange(ids.shape[1], device=ids.device)[None])
        for layer in self.model.layers:
            x = layer(x, rope, None)
        return self.model.norm(x)  # type: ignore[no-any-return]

    def loss(self, ids: Tensor, weights: Tensor) -> Tensor:
        """Weighted mean cross-entropy of every next token; `weights` (B, T) belongs to the token itself, not its place.

        Only rows with a weight pass through the output matrix: on a CPU that is a fifth of the work.
        """
        hidden = self.hidden(ids[:, :-1])
        weight = weights[:, 1:].reshape(-1)
        kept = weight.nonzero().squeeze(1)
        logits = F.linear(hidden.reshape(-1, self.cfg.hidden)[kept], self.model.embed_tokens.weight)
        each = F.cross_entropy(logits.float(), ids[:, 1:].reshape(-1)[kept], reduction="none")
        weight = weight[kept]
        return (each * weight).sum() / weight.sum()

    def step(self, ids: Tensor, positions: Tensor, caches: list[Cache], start: int, mask: Tensor) -> Tensor:
        """Logits (B, vocab) after `ids` (B, T), which are written to `caches` at `start`; `mask` (B, 1, T, S)."""
        x = self.model.embed_tokens(ids)
        rope = self.rope(positions)
        for layer, cache in zip(self.model.layers, caches, strict=True):
            x = layer(x, rope, (cache, start, mask))
        return F.linear(self.model.norm(x[:, -1]), self.model.embed_tokens.weight)
