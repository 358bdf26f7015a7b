"""What interpreted kernels load and store, byte by byte, and what they multiply."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from kernels_sparq import SECTOR_BYTES
from triton.runtime.interpreter import InterpreterBuilder, TensorHandle


@dataclass
class Traffic:
    """Addresses in the order in which they were met, each with the bytes from it on."""

    loads: list[tuple[Any, int]] = field(default_factory=list)
    stores: list[tuple[Any, int]] = field(default_factory=list)
    operations: int = 0
    """Sums and products of matrix products"""

    def loaded(self, *tensors: torch.Tensor) -> int:
        """Bytes of these tensors that were loaded, each as often as it was."""
        return sum(_count(self.loads, tensor) for tensor in tensors)

    def stored(self, *tensors: torch.Tensor) -> int:
        """Likewise of what was stored."""
        return sum(_count(self.stores, tensor) for tensor in tensors)

    def different(self, *tensors: torch.Tensor) -> int:
        """Bytes of these tensors that were loaded at least once; all loads are of one size."""
        found = [(_inside(at, tensor), size) for at, size in self.loads for tensor in tensors]
        (size,) = {size for at, size in found if len(at)}
        return size * len(np.unique(np.concatenate([at for at, _ in found])))

    def touched(self, *tensors: torch.Tensor) -> int:
        """Bytes of the sectors of these tensors of which anything was loaded or stored: what memory must move."""
        found = [_inside(at, tensor) // SECTOR_BYTES for at, _ in self.loads + self.stores for tensor in tensors]
        return SECTOR_BYTES * len(np.unique(np.concatenate(found)))


def _inside(at: Any, tensor: torch.Tensor) -> Any:
    storage = tensor.untyped_storage()
    return at[(at >= storage.data_ptr()) & (at < storage.data_ptr() + storage.nbytes())]


def _count(met: list[tuple[Any, int]], tensor: torch.Tensor) -> int:
    return sum(size * len(_inside(at, tensor)) for at, size in met)


@contextlib.contextmanager
def watched() -> Iterator[Traffic]:
    """Everything that kernels load, store and multiply in here."""
    traffic = Traffic()
    load, store = InterpreterBuilder.create_masked_load, InterpreterBuilder.create_masked_store
    dot = InterpreterBuilder.create_dot

    def noted(pointers: TensorHandle, mask: TensorHandle) -> tuple[Any, int]:
        # One number a pointer; in the interpreter booleans are bytes as well.
        bits = pointers.get_element_ty().primitive_bitwidth
        return pointers.data[mask.data.astype(bool)].ravel(), max(bits // 8, 1)

    def create_load(self: Any, pointers: TensorHandle, mask: TensorHandle, *options: Any) -> TensorHandle:
        traffic.loads.append(noted(pointers, mask))
        return load(self, pointers, mask, *options)

    def create_store(self: Any, pointers: TensorHandle, value: TensorHandle, mask: TensorHandle, policy: Any) -> Any:
        traffic.stores.append(noted(pointers, mask))
        return store(self, pointers, value, mask, policy)

    def create_dot(self: Any, a: TensorHandle, b: TensorHandle, *options: Any) -> TensorHandle:
        traffic.operations += 2 * a.data.size * b.data.shape[1]
        return dot(self, a, b, *options)

    InterpreterBuilder.create_masked_load, InterpreterBuilder.create_masked_store = create_load, create_store
    InterpreterBuilder.create_dot = create_dot
    try:
        yield traffic
    finally:
        InterpreterBuilder.create_masked_load, InterpreterBuilder.create_masked_store = load, store
        InterpreterBuilder.create_dot = dot
