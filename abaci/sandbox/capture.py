"""Keep the head and the tail of a program's output, whatever its length, in bounded memory."""

from __future__ import annotations

from collections import deque

READ_BYTES = 64 * 1024
"""Bytes taken from a pipe at a time: a pipe holds no more."""


class OutputCapture:
    """The output of one program.

    Args:
        limit_bytes: how many bytes are kept; beyond that the middle is dropped.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._head_bytes = (limit_bytes + 1) // 2
        self._tail_bytes = limit_bytes // 2
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._in_tail = 0
        self.total_bytes = 0

    def add(self, data: bytes) -> None:
        """Take more output."""
        self.total_bytes += len(data)
        room = self._head_bytes - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if not data:
            return
        self._tail.append(data)
        self._in_tail += len(data)
        while self._in_tail - len(self._tail[0]) >= self._tail_bytes:
            self._in_tail -= len(self._tail.popleft())

    def text(self) -> str:
        """What is kept, with a line where bytes were dropped; bytes that are not UTF-8 are replaced."""
        tail = b"".join(self._tail)
        kept = tail[len(tail) - self._tail_bytes :] if len(tail) > self._tail_bytes else tail
        dropped = self.total_bytes - len(self._head) - len(kept)
        if not dropped:
            return (bytes(self._head) + kept).decode("utf-8", "replace")
        head_text = self._head.decode("utf-8", "replace")
        return f"{head_text}\n[... {dropped} bytes dropped ...]\n{kept.decode('utf-8', 'replace')}"
