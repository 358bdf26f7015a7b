"""How the engine wraps a container's output on its way out: standard output and error in one stream, in pieces.

Source: Docker Engine API, "Attach to a container", stream format.
"""

from __future__ import annotations

import os
import struct

_HEADER = struct.Struct(">BxxxI")
_STDOUT = 1


class Unwrapper:
    """Called with what was read, it gives the standard output therein; standard error is written to a descriptor.

    Args:
        error_fd: where standard error goes; what it does not take at once is dropped.
    """

    def __init__(self, error_fd: int) -> None:
        self._error_fd = error_fd
        self._stream = 0
        self._left = 0
        self._header = b""

    def __call__(self, data: bytes) -> bytes:
        """The standard output in `data`; pieces may begin and end anywhere."""
        output = bytearray()
        rest = memoryview(data)
        while rest:
            if self._left == 0:
                missing = _HEADER.size - len(self._header)
                self._header += bytes(rest[:missing])
                rest = rest[missing:]
                if len(self._header) == _HEADER.size:
                    self._stream, self._left = _HEADER.unpack(self._header)
                    self._header = b""
                continue
            piece, rest = rest[: self._left], rest[self._left :]
            self._left -= len(piece)
            if self._stream == _STDOUT:
                output += piece
            else:
                self._say(piece)
        return bytes(output)

    def _say(self, piece: memoryview) -> None:
        try:
            os.write(self._error_fd, piece)
        except OSError:
            return  # Nobody listens, or its pipe is full: enough has been said.
