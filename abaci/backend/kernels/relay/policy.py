"""Where reading a shared prefix once pays."""

from __future__ import annotations

from dataclasses import dataclass

from abaci.backend.kernels.common.batch import PagedBatch


@dataclass(frozen=True)
class RelayPolicy:
    """Requests form a group where at least `min_requests` of them share at least `min_tokens` tokens of whole pages.

    A second level finds groups within each group, which share as many tokens again: the samples of one problem below
    one system prompt. All groups are given up together unless they save one layer `min_saved_bytes`.

    The rule weighs bytes against what plain attention does not need: the search for groups, once a step, and partial
    results, which are written and read again. In that time memory delivers the bytes that are to be saved at least: 16
    MB take 4 us on an H200. `min_requests` and `min_tokens` bound the search, and keep later levels to groups whose
    list of work is worth it: fewer than 64 rows are no loss, as they have tiles of 16.

    Raises:
        ValueError: a number out of range.
    """

    levels: int = 2
    min_requests: int = 4
    min_tokens: int = 256
    min_saved_bytes: int = 16 << 20

    def __post_init__(self) -> None:
        if self.levels < 1 or self.min_requests < 2 or self.min_tokens < 1 or self.min_saved_bytes < 0:
            raise ValueError(f"levels >= 1, min_requests >= 2, min_tokens >= 1, min_saved_bytes >= 0, not {self}")

    def can_pay(self, batch: PagedBatch) -> bool:
        """Whether any contents of this batch would pay: by shapes alone, so that a captured graph may rely on it."""
        capacity = batch.block_table.shape[1] * batch.page_size
        if batch.requests < self.min_requests or capacity < self.min_tokens:
            return False
        return (batch.requests - 1) * capacity * token_bytes(batch) >= self.min_saved_bytes


def token_bytes(batch: PagedBatch) -> int:
    """Bytes of one token's keys and values in one layer."""
    return 2 * batch.kv_heads * batch.head_size * batch.k_pages.element_size()
