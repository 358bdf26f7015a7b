"""Sinks and window written out in plain torch: what the kernel must give, and what CPU tensors get."""

from __future__ import annotations

import torch

from abaci.backend.kernels.common.batch import Attended, PagedBatch
from abaci.backend.kernels.common.reference import requests, scores, softmax_values
from abaci.backend.kernels.sink.policy import Rotary, SinkWindow


def rotate(x: torch.Tensor, positions: torch.Tensor, rotary: Rotary) -> torch.Tensor:
    """Each row of `x` [t, H, D] turned on by `positions` [t, 1] tokens, which may be negative."""
    size = rotary.inv_freq.shape[0]
    angles = positions.to(x.dtype)[:, None] * rotary.inv_freq.to(x.dtype)
    cos, sin = torch.cos(angles), torch.sin(angles)
    pairs = x[..., : 2 * size].reshape(*x.shape[:-1], *((2, size) if rotary.is_neox else (size, 2)))
    first, second = pairs.unbind(-2 if rotary.is_neox else -1)
    turned = torch.stack((first * cos - second * sin, second * cos + first * sin), -2 if rotary.is_neox else -1)
    return torch.cat((turned.flatten(-2), x[..., 2 * size :]), -1)


def sink_attention_reference(
    batch: PagedBatch,
    policy: SinkWindow,
    scale: float,
    sink_logits: torch.Tensor | None = None,
    precision: torch.dtype = torch.float64,
) -> Attended:
    """Attention over sinks and window in `precision`; rows of padding are 0 and -inf."""
    out = torch.zeros_like(batch.q, dtype=precision)
    lse = torch.full(batch.q.shape[:2], -torch.inf, dtype=precision, device=batch.q.device)
    for request in requests(batch, precision):
        distances = request.q_positions - request.k_positions
        is_sink = request.k_positions < policy.n_sinks
        visible = (distances >= 0) & (is_sink | (distances < policy.window))
        logits = scores(request.q, request.k, scale)
        if policy.positions == "cache" and policy.rotary is not None:
            in_cache = request.q_positions.clamp(max=policy.size - 1)
            turned = rotate(request.q, in_cache - request.q_positions, policy.rotary)
            logits = torch.where(is_sink, scores(turned, request.k, scale), logits)
        attended = softmax_values(logits.masked_fill(~visible, -torch.inf), request.v, sink_logits)
        out[request.rows], lse[request.rows] = attended.out, attended.lse
    return Attended(out, lse)
