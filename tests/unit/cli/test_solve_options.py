from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from abaci.agents.options import SolveOptions
from abaci.aggregation.config import AdaptiveConfig, WindowRule
from abaci.cli.solve import choose_options, read_problem
from abaci.errors import InvalidInput, SettingsError
from abaci.types import MAX_QUESTION_CHARS, Budget, Sampling

CHOICES = ("samples", "rounds", "temperature", "seed", "wall_s", "tokens", "style", "aggregator")
NOTHING: dict[str, Any] = dict.fromkeys(CHOICES) | {"options": ()}


def test_a_question_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "question.txt"
    file.write_text("What is 1 + 1?\n")
    assert read_problem(None, str(file)).question == "What is 1 + 1?\n"


@pytest.mark.parametrize(("question", "file"), [(None, None), ("a", "b")])
def test_a_question_is_given_in_exactly_one_way(question: str | None, file: str | None) -> None:
    with pytest.raises(click.UsageError, match="either"):
        read_problem(question, file)


def test_an_empty_question_is_refused() -> None:
    with pytest.raises(InvalidInput, match="empty"):
        read_problem(" \n", None)


def test_a_question_that_is_too_long_is_refused() -> None:
    with pytest.raises(InvalidInput, match="100,000 characters"):
        read_problem("x" * (MAX_QUESTION_CHARS + 1), None)


def test_a_huge_file_is_refused_without_reading_it_all() -> None:
    with pytest.raises(InvalidInput, match="100,000 characters"):
        read_problem(None, "/dev/zero")


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "image"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match="not UTF-8"):
        read_problem(None, str(file))


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"absent\.txt: No such file"):
        read_problem(None, str(tmp_path / "absent.txt"))


def test_a_question_with_broken_encoding_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Unicode"):
        read_problem("what\udcff", None)


def test_what_is_not_chosen_stays_as_configured() -> None:
    defaults = SolveOptions(budget=Budget(samples=3), sampling=Sampling(temperature=0.1))
    assert choose_options(defaults, NOTHING) == defaults


def test_what_is_chosen_wins() -> None:
    chosen = NOTHING | {"samples": 5, "wall_s": 2.5, "seed": 7, "style": "tora"}
    options = choose_options(SolveOptions(), chosen)
    assert (options.budget.samples, options.budget.wall_s) == (5, 2.5)
    assert (options.sampling.seed, options.style) == (7, "tora")


def test_a_value_out_of_range_names_its_option() -> None:
    with pytest.raises(click.BadParameter) as caught:
        choose_options(SolveOptions(), NOTHING | {"wall_s": -1.0})
    assert caught.value.param_hint == "'--wall-s'"


def test_an_unknown_style_lists_those_there_are() -> None:
    with pytest.raises(SettingsError, match="few_shot"):
        choose_options(SolveOptions(), NOTHING | {"style": "baroque"})


def test_an_aggregator_is_chosen_with_its_options() -> None:
    chosen = NOTHING | {"aggregator": "adaptive", "options": ("rule.kind=window",)}
    assert choose_options(SolveOptions(), chosen).aggregator == AdaptiveConfig(rule=WindowRule())


def test_an_option_needs_the_name_of_its_aggregator() -> None:
    with pytest.raises(InvalidInput, match="--aggregator"):
        choose_options(SolveOptions(), NOTHING | {"options": ("weight=reward",)})
