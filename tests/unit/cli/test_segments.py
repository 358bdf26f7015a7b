from __future__ import annotations

from abaci.cli.segments import Segment, SegmentKind, is_in_fence, split_fences, styled

PROSE, CODE, OUTPUT = SegmentKind.PROSE, SegmentKind.CODE, SegmentKind.OUTPUT


def test_fences_separate_prose_code_and_output() -> None:
    text = "Think.\n```python\nx = 1\n```\n```output\n1\n```\nDone."
    assert split_fences(text) == [
        Segment(PROSE, "Think.\n"),
        Segment(CODE, "x = 1\n"),
        Segment(OUTPUT, "1\n"),
        Segment(PROSE, "Done."),
    ]


def test_code_that_is_being_written_is_code() -> None:
    assert split_fences("Think.\n```python\nx =")[-1] == Segment(CODE, "x =")
    assert is_in_fence("Think.\n```python\nx =")


def test_a_beginning_fence_is_not_shown_yet() -> None:
    assert split_fences("Think.\n``") == [Segment(PROSE, "Think.\n")]


def test_a_closed_fence_is_closed() -> None:
    assert not is_in_fence("```python\nx = 1\n```\nso")


def test_highlighting_keeps_the_code() -> None:
    assert styled(Segment(CODE, "def f(x):\n    return x ** 2\n")).plain == "def f(x):\n    return x ** 2"


def test_markup_in_a_models_text_is_shown_as_it_is() -> None:
    for kind in SegmentKind:
        assert "[bold red]boo[/]" in styled(Segment(kind, "[bold red]boo[/]")).plain


def test_escape_sequences_are_dropped_in_every_kind() -> None:
    for kind in SegmentKind:
        assert "\x1b" not in styled(Segment(kind, "a\x1b[31mb")).plain


def test_restyling_a_text_leaves_later_ones_alone() -> None:
    segment = Segment(CODE, "x = 1")
    styled(segment).stylize("dim")
    assert all(span.style != "dim" for span in styled(segment).spans)
