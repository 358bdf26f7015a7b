"""Which chain justifies an answer, and how it is written out."""

from __future__ import annotations

from typing import Any

from abaci.aggregation.explain import pick_representative, write_out
from abaci.types import Answer, Bucket, Execution, Output, Program, Rationale, StopReason, Trajectory

FIVE = Answer(raw="5", canonical="5")
COMPUTED = (
    Rationale(text="I add.\n"),
    Program(code="print(2 + 3)\n"),
    Output(text="5", execution=Execution(status="ok")),
)


def chain(index: int, **fields: Any) -> Trajectory:
    return Trajectory(**{"chain": index, "answer": FIVE, "stop_reason": StopReason.ANSWER, **fields})


def pick(*members: Trajectory) -> int:
    bucket = Bucket(answer=FIVE, chains=tuple(member.chain for member in members), share=1.0)
    outsider = chain(99, steps=COMPUTED, mean_logprob=0.0)
    picked = {pick_representative(bucket, order).chain for order in ([*members, outsider], [outsider, *members[::-1]])}
    assert len(picked) == 1
    return picked.pop()


def test_a_chain_that_ended_by_itself_is_shown_first() -> None:
    assert pick(chain(0, stop_reason=StopReason.MAX_TOKENS, steps=COMPUTED), chain(1)) == 1


def test_then_one_that_computed_something() -> None:
    assert pick(chain(0, mean_logprob=-0.1), chain(1, steps=COMPUTED, mean_logprob=-0.9)) == 1


def test_then_the_likeliest() -> None:
    assert pick(chain(0, mean_logprob=-0.9), chain(1, mean_logprob=-0.1), chain(2)) == 1


def test_then_the_first() -> None:
    assert pick(chain(2), chain(1), chain(3)) == 1


def test_a_chain_is_written_out_as_markdown() -> None:
    text = write_out(chain(0, steps=(*COMPUTED, Rationale(text="So 5."))))
    assert text == "I add.\n\n```python\nprint(2 + 3)\n```\n\n```output\n5\n```\n\nSo 5."


def test_an_empty_chain_is_written_out_as_nothing() -> None:
    assert write_out(chain(0)) == ""
