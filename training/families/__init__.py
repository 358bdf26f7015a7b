"""All problem families; importing this package registers them in `training.problem.FAMILIES`."""

from __future__ import annotations

from training.families import (
    algebra,
    arithmetic,
    calculus,
    combinatorics,
    composed,
    composed_scenes,
    composed_stories,
    direct,
    functions,
    geometry,
    matrices,
    number_theory,
    statistics,
    stories_belongings,
    stories_change,
    stories_crowds,
    stories_groups,
    stories_measures,
    stories_money,
    stories_rates,
    stories_shopping,
)
from training.problem import FAMILIES

__all__ = [
    "FAMILIES",
    "algebra",
    "arithmetic",
    "calculus",
    "combinatorics",
    "composed",
    "composed_scenes",
    "composed_stories",
    "direct",
    "functions",
    "geometry",
    "matrices",
    "number_theory",
    "statistics",
    "stories_belongings",
    "stories_change",
    "stories_crowds",
    "stories_groups",
    "stories_measures",
    "stories_money",
    "stories_rates",
    "stories_shopping",
]
