"""`--aggregator NAME` and `--set NAME=VALUE`: how chains are merged, said on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, get_args

import click
from pydantic import TypeAdapter, ValidationError

from abaci.aggregation.config import AggregatorConfig
from abaci.errors import InvalidInput

F = TypeVar("F", bound=Callable[..., Any])


def aggregator_names() -> tuple[str, ...]:
    """The kinds of aggregator that can be configured."""
    kinds: Sequence[Any] = get_args(AggregatorConfig) or (AggregatorConfig,)
    # A discriminated union is annotated: its members are one level deeper.
    kinds = get_args(kinds[0]) or kinds
    return tuple(kind.model_fields["kind"].default for kind in kinds if hasattr(kind, "model_fields"))


def aggregator_options(default: str | None) -> Callable[[F], F]:
    """Adds `--aggregator` (the parameter `aggregator`, `default` where it is not given) and `--set` (`options`)."""

    def add(function: F) -> F:
        setting = click.option(
            "--set",
            "options",
            multiple=True,
            metavar="NAME=VALUE",
            help="An option of the aggregator, for instance weight=reward or rule.kind=window; may be repeated.",
        )
        name = click.option(
            "--aggregator",
            type=click.Choice(aggregator_names()),
            default=default,
            show_default=True,
            help="How candidates are merged.",
        )
        return name(setting(function))

    return add


def aggregator_config(kind: str, options: Sequence[str]) -> AggregatorConfig:
    """The configuration of aggregator `kind` with `options`, each a dotted name, "=", and JSON or a plain word.

    Raises:
        InvalidInput: there is no such option, or its value does not fit.
    """
    fields: dict[str, Any] = {"kind": kind}
    for option in options:
        name, is_given, value = option.partition("=")
        if not is_given or not name:
            raise InvalidInput(f"{option!r} is no option: write NAME=VALUE", field="set")
        *outer, last = name.split(".")
        inner = fields
        for part in outer:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise InvalidInput(f"{name!r} is set twice, with different parts", field="set")
        try:
            inner[last] = json.loads(value)
        except (ValueError, RecursionError):
            inner[last] = value
    adapter: TypeAdapter[AggregatorConfig] = TypeAdapter(AggregatorConfig)
    try:
        return adapter.validate_python(fields)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in fault["loc"][1:])
        raise InvalidInput(f"the aggregator {kind} has no such option: {where}: {fault['msg']}", field="set") from error
