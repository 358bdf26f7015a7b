from __future__ import annotations

import json

import pytest

from abaci.errors import TraceStoreError
from abaci.traces.codec import parse_event, to_json
from abaci.types import Rationale, StepTaken, TraceEvent


def step(text: str) -> TraceEvent:
    body = StepTaken(chain=0, round=0, step=Rationale(text=text))
    return TraceEvent(run_id=f"run_{1:024x}", seq=0, at=1.5, body=body)


@pytest.mark.parametrize("text", ["", "x", "\x00", "é𝟚\u2028", '"\\'])
def test_an_event_comes_back_as_it_was(text: str) -> None:
    assert parse_event(to_json(step(text)), "here") == step(text)


def test_half_a_surrogate_pair_becomes_a_replacement_character() -> None:
    assert parse_event(to_json(step("a\ud83db\udc00𝟚")), "here") == step("a\ufffdb\ufffd𝟚")


def test_a_damaged_event_is_an_error_that_says_where() -> None:
    with pytest.raises(TraceStoreError, match=r"trace store here holds an event .*seq: "):
        parse_event(json.dumps({**json.loads(to_json(step("x"))), "seq": "x"}), "here")
    with pytest.raises(TraceStoreError, match="here"):
        parse_event("{", "here")
