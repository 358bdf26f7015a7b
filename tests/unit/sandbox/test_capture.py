"""Head and tail of an output."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from abaci.sandbox.capture import OutputCapture


@given(st.lists(st.binary(max_size=40).map(lambda data: bytes(byte & 0x7F for byte in data))), st.integers(256, 300))
def test_output_within_the_limit_is_kept_whole(parts: list[bytes], limit: int) -> None:
    whole = b"".join(parts)[:limit]
    capture = OutputCapture(limit)
    capture.add(whole[:100])
    capture.add(whole[100:])
    assert capture.text() == whole.decode()


@given(st.lists(st.integers(1, 700), min_size=1, max_size=20), st.integers(256, 1000))
def test_longer_output_keeps_exactly_its_head_and_tail(sizes: list[int], limit: int) -> None:
    whole = b"".join(bytes([97 + number % 26]) * size for number, size in enumerate(sizes)) * 2 + b"x" * limit
    capture = OutputCapture(limit)
    for start in range(0, len(whole), 333):
        capture.add(whole[start : start + 333])
    head, tail = whole[: (limit + 1) // 2], whole[-(limit // 2) :]
    expected = f"{head.decode()}\n[... {len(whole) - limit} bytes dropped ...]\n{tail.decode()}"
    assert capture.text() == (expected if len(whole) > limit else whole.decode())


def test_memory_does_not_grow_with_the_output() -> None:
    capture = OutputCapture(1000)
    for _ in range(1000):
        capture.add(b"y" * 65536)
    held = len(capture._head) + sum(map(len, capture._tail))
    assert held < 1000 + 2 * 65536
    assert capture.total_bytes == 65536000


def test_bytes_that_are_no_text_are_replaced() -> None:
    capture = OutputCapture(1000)
    capture.add(b"\xff\xed\xa0\x80 ok\x00")
    assert capture.text().endswith(" ok\x00")
    assert "\ufffd" in capture.text()


def test_a_character_cut_in_two_does_no_harm() -> None:
    capture = OutputCapture(257)
    capture.add("é".encode() * 1000)
    assert "[... 1743 bytes dropped ...]" in capture.text()
