from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abaci.cli.layout import CHROME_ROWS, Form, choose_layout


@given(width=st.integers(20, 300), height=st.integers(8, 100), chains=st.integers(1, 1024))
def test_the_layout_fits_the_terminal(width: int, height: int, chains: int) -> None:
    layout = choose_layout(width, height, chains)
    assert layout.rows * layout.cell_height + layout.vote_rows + CHROME_ROWS <= height
    assert layout.columns * layout.cell_width <= width


@given(width=st.integers(20, 300), height=st.integers(8, 100), chains=st.integers(1, 1024))
def test_cards_and_rows_show_every_chain(width: int, height: int, chains: int) -> None:
    layout = choose_layout(width, height, chains)
    assert layout.form is Form.CELL or layout.capacity >= chains


@pytest.mark.parametrize(
    ("width", "height", "chains", "form"),
    [
        (80, 24, 1, Form.CARD),
        (80, 24, 4, Form.CARD),
        (80, 24, 8, Form.ROW),
        (120, 40, 8, Form.CARD),
        (80, 24, 64, Form.CELL),
        (200, 60, 32, Form.CARD),
        (200, 60, 64, Form.ROW),
        (40, 10, 8, Form.CELL),
    ],
)
def test_the_richest_form_that_fits_is_chosen(width: int, height: int, chains: int, form: Form) -> None:
    assert choose_layout(width, height, chains).form is form


def test_sixty_four_chains_fit_the_smallest_usual_terminal() -> None:
    assert choose_layout(80, 24, 64).capacity >= 56
