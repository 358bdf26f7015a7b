"""Coverage-guided fuzzing of what the host does with the bytes of a session and of its zygote.

    python tests/fuzz/fuzz_frames.py -max_total_time=60        # every option of libFuzzer works

A finding is any exception; libFuzzer then writes the input to a file, which can be given as an argument to see it
again.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1]))

with atheris.instrument_imports(
    include=["abaci.sandbox.worker.wire", "abaci.sandbox.process", "abaci.sandbox.capture"]
):
    from abaci.sandbox.worker.wire import ReplyKind, parse_control

from forged_channel import SERIAL, run_against

_loop = asyncio.new_event_loop()


def take(data: bytes) -> None:
    """Feed one input: a control packet, and a session's bytes in pieces."""
    provider = atheris.FuzzedDataProvider(data)
    with contextlib.suppress(ValueError):
        control = parse_control(provider.ConsumeBytes(64))
        if parse_control(control.pack()).kind is not control.kind:
            raise AssertionError("a control packet does not survive the wire")
    pieces = [
        provider.ConsumeBytes(provider.ConsumeIntInRange(0, 200)) for _ in range(provider.ConsumeIntInRange(0, 4))
    ]
    # Most inputs would not get past the magic number.
    if pieces and provider.ConsumeBool():
        pieces[0] = b"abac" + SERIAL.to_bytes(4, "little") + pieces[0]
    ended, _ = _loop.run_until_complete(run_against(pieces))
    if ended.reply is not None and (
        ended.reply.serial != SERIAL or ended.reply.kind not in (ReplyKind.OK, ReplyKind.ERROR, ReplyKind.MEMORY)
    ):
        raise AssertionError(f"the host believed {ended.reply}")


def main() -> None:
    """Fuzz until a finding or the limit given."""
    atheris.Setup(sys.argv, take)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
