"""How many spares are kept: by a clock of the test's own."""

from __future__ import annotations

from abaci.sandbox.config import PoolConfig
from abaci.sandbox.spares import CALM_S, SpareTarget


def test_it_starts_at_the_least() -> None:
    assert SpareTarget(2, 16, 0.0).at(0.0) == 2


def test_each_miss_doubles_it_up_to_the_most() -> None:
    target = SpareTarget(2, 10, 0.0)
    seen = []
    for _ in range(4):
        target.missed(1.0)
        seen.append(target.at(1.0))
    assert seen == [4, 8, 10, 10]


def test_each_calm_while_halves_it_down_to_the_least() -> None:
    target = SpareTarget(3, 16, 0.0)
    for _ in range(3):
        target.missed(100.0)
    times = [100.0, 100.0 + 0.9 * CALM_S, 100.0 + CALM_S, 100.0 + 2 * CALM_S, 100.0 + 50 * CALM_S]
    assert [target.at(now_s) for now_s in times] == [16, 16, 8, 4, 3]


def test_a_miss_in_between_starts_the_calm_anew() -> None:
    target = SpareTarget(2, 4, 0.0)
    target.missed(10.0)
    target.missed(10.0 + 0.9 * CALM_S)
    assert target.at(10.0 + 1.5 * CALM_S) == 4


def test_it_says_whether_it_will_fall() -> None:
    target = SpareTarget(2, 4, 0.0)
    assert not target.is_raised
    target.missed(0.0)
    assert target.is_raised
    target.at(10 * CALM_S)
    assert not target.is_raised


def test_without_spares_there_are_never_any() -> None:
    target = SpareTarget(0, 16, 0.0)
    target.missed(0.0)
    assert target.at(0.0) == 0


def test_the_least_counts_where_it_is_more_than_the_most() -> None:
    target = SpareTarget(8, 4, 0.0)
    target.missed(0.0)
    assert target.at(0.0) == 8


def test_spares_beyond_their_most_count_as_processes_too() -> None:
    assert PoolConfig(max_sessions=4, spares=100, max_spares=16).most_processes == 104
    assert PoolConfig(max_sessions=4, spares=2, max_spares=16).most_processes == 20
