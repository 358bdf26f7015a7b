from __future__ import annotations

from collections.abc import Callable

from abaci.cli.stages import StageView

Render = Callable[..., str]


def test_stages_show_how_long_they_took_and_how_far_they_are(render: Render) -> None:
    seconds = iter([0.0, 0.0, 2.0, 2.0, 5.0, 5.0])
    view = StageView(clock=lambda: next(seconds))
    view.advance("importing", None)
    view.advance("loading", 0.5)
    view.advance("loading", 0.75)
    first, second = render(view).splitlines()
    assert "importing" in first
    assert "✓" in first
    assert "loading" in second
    assert "75%" in second


def test_the_summary_is_one_line() -> None:
    seconds = iter([1.0, 3.5])
    assert StageView(clock=lambda: next(seconds)).summary("ready").plain == "ready in 2.5 s"
