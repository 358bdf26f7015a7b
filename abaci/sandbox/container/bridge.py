"""Between a host that passes descriptors and a zygote that takes none: seen from the host, the bridge is the zygote.

The host's control channel is answered here; each session's channel and output are carried over the container's own
streams (`worker/stream.py`), and its signals too.
"""

from __future__ import annotations

import array
import os
import socket
import struct
from collections.abc import Callable

from abaci.sandbox.worker.stream import FrameKind, Multiplexer, StreamEnded
from abaci.sandbox.worker.wire import CONTROL_BYTES, Control, ControlKind, parse_control

_STATUS = struct.Struct("<i")


class _HostGone(Exception):
    """The host hung up."""


class Bridge:
    """One bridge.

    Args:
        control: the zygote's end of the control channel.
        stream: the socket of the container's streams.
        unwrap: what takes the engine's wrapping off what is read from it.
    """

    def __init__(self, control: socket.socket, stream: int, unwrap: Callable[[bytes], bytes]) -> None:
        self._control = control
        self._multiplexer = Multiplexer(stream, stream, self._on_frame, unwrap)
        self._lines: dict[int, socket.socket] = {}
        self._multiplexer.watch(control.fileno(), self._on_control)

    def serve(self) -> None:
        """Until either side is gone."""
        try:
            while True:
                self._multiplexer.turn()
        except (StreamEnded, _HostGone, BrokenPipeError, ConnectionResetError):
            return

    def _on_control(self) -> None:
        descriptors = array.array("i")
        packet, ancillary, _, _ = self._control.recvmsg(CONTROL_BYTES, socket.CMSG_SPACE(2 * descriptors.itemsize))
        if not packet:
            raise _HostGone
        for _, _, data in ancillary:
            descriptors.frombytes(data)
        channel, output = descriptors
        session = parse_control(packet).session
        self._multiplexer.join(session, channel, output, is_output_ours=False)
        self._multiplexer.send(FrameKind.SPAWN, session)

    def _on_frame(self, kind: FrameKind, session: int, payload: bytes) -> None:
        match kind:
            case FrameKind.READY:
                self._control.send(Control(ControlKind.READY).pack())
            case FrameKind.SPAWNED:
                self._open_line(session)
            case FrameKind.FAILED:
                self._multiplexer.part(session)
                text = payload.decode("utf-8", "replace")
                self._control.send(Control(ControlKind.FAILED, session, text=text).pack())
            case FrameKind.EXITED:
                status = _STATUS.unpack(payload)[0]
                self._control.send(Control(ControlKind.EXITED, session, status).pack())
                self._close_line(session)
            case _:
                raise ValueError(f"the zygote sent a frame of kind {kind.name}")

    def _open_line(self, session: int) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            packet = Control(ControlKind.SPAWNED_AFAR, session).pack()
            socket.send_fds(self._control, [packet], [theirs.fileno()])
        self._lines[session] = ours
        self._multiplexer.watch(ours.fileno(), lambda: self._on_line(session))

    def _on_line(self, session: int) -> None:
        """Each byte on a line is a signal; its end means that the host has no interest in the process any more."""
        try:
            signals = os.read(self._lines[session].fileno(), 64)
        except BlockingIOError:
            return  # The event was for a descriptor that had this number until a moment ago.
        if not signals:
            self._multiplexer.forget(self._lines[session].fileno())
            return
        for number in signals:
            self._multiplexer.send(FrameKind.SIGNAL, session, bytes([number]))

    def _close_line(self, session: int) -> None:
        with self._lines.pop(session) as line:
            self._multiplexer.forget(line.fileno())
