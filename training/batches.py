"""Token batches: rows encoded once, grouped by length so that little is padding, in a fixed random order."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from training.chat import Weights, parts
from training.problem import Row

STEP = 8
"""Sequences are padded to a multiple of this many tokens, which keeps the number of shapes small."""


@dataclass(frozen=True)
class Encoded:
    """One row as tokens, with the loss weight of each; the first `prompt` of them are the question."""

    ids: list[int]
    weights: list[float]
    prompt: int = 0


def encode(row: Row, tokenizer: Tokenizer, weights: Weights, *, is_cut: bool = False) -> Encoded:
    """The row's tokens, part by part; a row that `is_cut` ends with its last program."""
    ids: list[int] = []
    loss: list[float] = []
    prompt = 0
    for text, weight in parts(row, weights)[: -2 if is_cut and row.turns else None]:
        found = tokenizer.encode(text).ids
        ids += found
        loss += [weight] * len(found)
        prompt = prompt or len(found)
    return Encoded(ids, loss, prompt)


def encode_all(
    rows: Sequence[Row], tokenizer: Tokenizer, weights: Weights, max_tokens: int, cut: float = 0.0
) -> list[Encoded]:
    """All rows of at most `max_tokens` tokens, a share `cut` of them up to their last program.

    What follows a program is its output and a closing sentence, a fifth of all tokens, and soon learnt.
    """
    found = (encode(row, tokenizer, weights, is_cut=at % 100 < 100 * cut) for at, row in enumerate(rows))
    return [row for row in found if len(row.ids) <= max_tokens]


def order(rows: Sequence[Encoded], batch_tokens: int, seed: int) -> list[list[int]]:
    """One epoch: lists of row numbers of similar length, in random order."""
    rng = random.Random(seed)
    by_length = sorted(range(len(rows)), key=lambda i: (len(rows[i].ids) + rng.random() * STEP, rng.random()))
    batches: list[list[int]] = []
    current: list[int] = []
    longest = 0
    for index in by_length:
        size = max(longest, padded(len(rows[index].ids)))
        if current and size * (len(current) + 1) > batch_tokens:
            batches.append(current)
            current, size = [], padded(len(rows[index].ids))
        current.append(index)
        longest = size
    batches.append(current)
    rng.shuffle(batches)
    return batches


def padded(length: int) -> int:
    """The next multiple of `STEP`."""
    return (length + STEP - 1) // STEP * STEP


def tensors(rows: Sequence[Encoded], chosen: list[int], pad: int, *, with_prompt: bool) -> tuple[Tensor, Tensor]:
    """Ids and weights (B, T) of the rows chosen; padding weighs nothing, the prompt only `with_prompt`."""
    width = padded(max(len(rows[i].ids) for i in chosen))
    ids = torch.full((len(chosen), width), pad)
    weights = torch.zeros(len(chosen), width)
    for line, i in enumerate(chosen):
        ids[line, : len(rows[i].ids)] = torch.tensor(rows[i].ids)
        weights[line, : len(rows[i].ids)] = torch.tensor(rows[i].weights)
        if not with_prompt:
            weights[line, : rows[i].prompt] = 0
    return ids, weights


def stream(rows: Sequence[Encoded], batch_tokens: int, seed: int, skip: int) -> Iterator[tuple[int, list[int]]]:
    """(epoch, row numbers) without end; the first `skip` batches are left out, so that a run resumes where it was."""
    epoch = 0
    while True:
        batches = order(rows, batch_tokens, seed * 1000 + epoch)
        for batch in batches[skip:]:
            yield epoch, batch
        skip = max(0, skip - len(batches))
        epoch += 1
