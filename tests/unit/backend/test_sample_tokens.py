"""Ids and text in step, over a toy byte tokenizer with a few long tokens."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abaci.backend.sample_tokens import SampleTokens
from abaci.errors import BackendRejected

LONG = {300: b"output\nfoo", 301: b"``", 302: b" the", 303: b"put\n"}
END = 399


class ByteCodec:
    """Ids below 256 are bytes; `LONG` are longer; `END` is special, without text."""

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def decode(self, token_ids: Sequence[int]) -> str:
        joined = b"".join(LONG.get(token, bytes([token]) if token < 256 else b"") for token in token_ids)
        return joined.decode(errors="replace")


class SpacePrefixingCodec(ByteCodec):
    """Puts a space before whatever it encodes, as sentencepiece tokenizers do."""

    def encode(self, text: str) -> list[int]:
        return super().encode(" " + text)


class MuteCodec(ByteCodec):
    """Cannot encode anything."""

    def encode(self, text: str) -> list[int]:
        return []


def test_text_and_ids_pass_as_they_come() -> None:
    sample = SampleTokens(ByteCodec(), [65])
    piece = sample.add("hi", [104, 105], -0.5)
    assert piece is not None
    assert piece == ("hi", (104, 105), -0.5)


def test_ids_wait_until_their_character_is_complete() -> None:
    first, second = "é".encode()
    sample = SampleTokens(ByteCodec(), [])
    assert sample.add("", [first], -1.0) is None
    assert sample.add("é", [second], -2.0) == ("é", (first, second), -3.0)


def test_bytes_that_never_became_a_character_are_sent_at_the_end() -> None:
    sample = SampleTokens(ByteCodec(), [])
    assert sample.finish("", ["é".encode()[0]], stop=None) == ("\ufffd", (0xC3,), 0.0)


def test_nothing_is_sent_at_the_end_when_nothing_remains() -> None:
    assert SampleTokens(ByteCodec(), []).finish("", [], stop=None) is None


@pytest.mark.parametrize("codec", [ByteCodec(), SpacePrefixingCodec()])
def test_a_token_cut_by_a_stop_string_is_replaced(codec: ByteCodec) -> None:
    sample = SampleTokens(codec, list(b"Q: "))
    sample.add("``", [301])
    piece = sample.finish("output", [300], stop="``output")
    assert piece is not None
    assert piece.text == "output"
    assert piece.token_ids == tuple(b"output")


def test_held_tokens_before_the_cut_one_are_kept() -> None:
    sample = SampleTokens(ByteCodec(), [])
    piece = sample.finish(" the outp", [302, 32, 111, 117, 116, 303], stop="outp")
    assert piece is not None
    assert piece.token_ids == (302, 32, 111, 117, 116, ord("p"))


def test_a_cut_that_no_token_can_express_is_refused() -> None:
    sample = SampleTokens(MuteCodec(), [])
    with pytest.raises(BackendRejected, match="no tokens that end with the stop string"):
        sample.finish("output", [300], stop="output")


def test_the_end_token_is_counted_but_not_sent() -> None:
    sample = SampleTokens(ByteCodec(), [])
    assert list(sample.drop_end_token([104, END])) == [104]
    assert sample.count == 1


def test_a_last_token_with_text_is_not_taken_for_an_end_token() -> None:
    sample = SampleTokens(ByteCodec(), [])
    assert list(sample.drop_end_token([104, 105])) == [104, 105]
    assert sample.count == 0


@given(st.lists(st.sampled_from([*range(256), *LONG]), min_size=1, max_size=12), st.data())
def test_ids_decode_to_the_text_wherever_a_stop_string_cuts(ids: list[int], data: st.DataObject) -> None:
    codec = ByteCodec()
    whole = codec.decode(ids)
    before = codec.decode(ids[:-1])
    if not whole.startswith(before) or "\ufffd" in whole or len(whole) == len(before):
        return
    sample = SampleTokens(codec, list(b"prompt"))
    sent = sample.add(before, ids[:-1])
    end = data.draw(st.integers(len(before) + 1, len(whole)))
    last = sample.finish(whole[len(before) : end], ids[-1:], stop=whole[end - 1 : end])
    assert last is not None
    sent_ids = sent.token_ids if sent is not None else ()
    assert codec.decode([*sent_ids, *last.token_ids]) == whole[:end]
