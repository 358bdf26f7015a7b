"""Batched generation in plain torch, so that thousands of problems are measured quickly on a CPU.

Prompts of one batch are padded on the left; every row keeps its own positions. Shapes: B rows, T tokens, S cached.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor

from training.chat import END, PAD, STOP
from training.model import Cache, ModelConfig, NanoModel
from training.tokenizer import id_of


@dataclass(frozen=True)
class Decoding:
    """How to draw tokens; temperature 0 takes the likeliest one."""

    temperature: float = 0.0
    max_tokens: int = 192
    stops: tuple[str, ...] = (STOP, END)
    seed: int = 0


@dataclass(frozen=True)
class Loaded:
    """A model with its tokenizer."""

    model: NanoModel
    tokenizer: Tokenizer


def load(folder: Path) -> Loaded:
    """The exported model in `folder`, in fp32."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    sizes = ModelConfig(
        vocab=config["vocab_size"],
        hidden=config["hidden_size"],
        intermediate=config["intermediate_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        kv_heads=config["num_key_value_heads"],
        context=config["max_position_embeddings"],
        rope_theta=config["rope_theta"],
        norm_eps=config["rms_norm_eps"],
    )
    model = NanoModel(sizes)
    model.load_state_dict({name: value.float() for name, value in load_file(folder / "model.safetensors").items()})
    return Loaded(model.eval(), Tokenizer.from_file(str(folder / "tokenizer.json")))


@torch.inference_mode()
def complete(loaded: Loaded, prompts: list[list[int]], decoding: Decoding) -> list[list[int]]:
    """New tokens for each prompt, the stop token included where one was reached."""
    tokenizer, context = loaded.tokenizer, loaded.model.cfg.context
    stops = torch.tensor([id_of(tokenizer, text) for text in decoding.stops])
    width = max(map(len, prompts))
    room = min(decoding.max_tokens, context - width)
    if room <= 0:
        return [[] for _ in prompts]
    ids = torch.full((len(prompts), width), id_of(tokenizer, PAD))
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
    pads = torch.tensor([width - len(prompt) for prompt in prompts])
    caches = [Cache(len(prompts), loaded.model.cfg, width + room) for _ in range(loaded.model.cfg.layers)]
    random = torch.Generator().manual_seed(decoding.seed)
    new: list[Tensor] = []
    done = torch.zeros(len(prompts), dtype=torch.bool)
    start = 0
    step_ids = ids
    while True:
        positions = (torch.arange(start, start + step_ids.shape[1])[None] - pads[:, None]).clamp(min=0)
        mask = _mask(pads, start, step_ids.shape[1])
        logits = loaded.model.step(step_ids, positions, caches, start, mask)
        token = _draw(logits, decoding.temperature, random)
        new.append(token)
        done |= torch.isin(token, stops)
        start += step_ids.shape[1]
        if len(new) == room or bool(done.all()):
            break
        step_ids = token[:, None]
    return [_cut(line, stops) for line in torch.stack(new, dim=1)]


def _mask(pads: Tensor, start: int, length: int) -> Tensor:
    """(B, 1, T, S): causal, and blind to padding; padding rows see themselves so that no row is empty."""
    columns = torch.arange(start + length)
    rows = torch.arange(start, start + length)
    causal = columns[None] <= rows[:, None]
    real = columns[None, None] >= pads[:, None, None]
    itself = columns[None] == rows[:, None]
    return ((causal[None] & real) | itself[None])[:, None]


def _draw(logits: Tensor, temperature: float, random: torch.Generator) -> Tensor:
    """One token per row."""
    if temperature == 0:
        return logits.argmax(dim=-1)
    return torch.multinomial((logits / temperature).softmax(dim=-1), 1, generator=random).squeeze(1)


def _cut(line: Tensor, stops: Tensor) -> list[int]:
    """The row up to its first stop token, that one included."""
    found = torch.isin(line, stops).nonzero()
    return [int(t) for t in (line if len(found) == 0 else line[: int(found[0]) + 1])]
