"""`abaci solve`."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from pydantic import ValidationError

from abaci.agents.options import SolveOptions
from abaci.agents.question import as_problem
from abaci.backend.config import VllmConfig
from abaci.cli.aggregators import aggregator_config, aggregator_options
from abaci.cli.command import Command, debug_option, json_option, model_options, print_json
from abaci.cli.exits import EXIT_INTERRUPTED
from abaci.cli.run_ids import check_run_id
from abaci.cli.streams import say
from abaci.errors import InvalidInput
from abaci.settings import Settings
from abaci.types import MAX_QUESTION_CHARS, Problem, Solution, TraceEvent

if TYPE_CHECKING:
    from abaci.sdk import Solver

BUNDLED_MODEL_NOTE: Final = (
    "Solving with the small bundled model, made for trying abaci out: it knows simple problems and is often wrong. "
    "Name a real one with --model DIR, or with --server URL --model NAME."
)

MAX_BYTES_PER_CHAR: Final = 4
"""Of UTF-8."""


Start = Callable[["Solver"], AsyncGenerator[TraceEvent, None]]


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be solved, and how."""

    start: Start
    """Gives the events of the run."""
    settings: Settings
    is_live_wanted: bool


@click.command(cls=Command)
@click.argument("question", required=False)
@click.option("--file", metavar="F", help="Read the question from a file; - reads standard input.")
@click.option("--long-form", is_flag=True, help="Ask for a text, merged from what chains agree on (aggregator atomic).")
@click.option("--resume", metavar="RUN", help="Go on with a stored run that broke off, as it was begun.")
@model_options
@click.option("--samples", type=int, metavar="N", help="Chains to sample at most; by default 8, for aor 40.")
@click.option("--rounds", type=int, metavar="N", help="Programs that one chain may run.")
@click.option("--temperature", type=float, metavar="T", help="Sampling temperature.")
@click.option("--seed", type=int, metavar="S", help="Make the run repeatable: chain i draws with S + i.")
@click.option("--wall-s", type=float, metavar="S", help="Wall seconds for the whole run.")
@click.option("--tokens", type=int, metavar="N", help="Tokens for the whole run, tool output included.")
@click.option("--style", metavar="NAME", help="Prompt style; by default the one that fits the model.")
@aggregator_options(default=None)
@click.option("--no-live", is_flag=True, help="Plain lines on standard error instead of the live view.")
@json_option
@debug_option
@click.pass_context
def solve(
    ctx: click.Context,
    /,
    question: str | None,
    file: str | None,
    long_form: bool,
    resume: str | None,
    model: str | None,
    server: str | None,
    no_live: bool,
    is_json: bool,
    **chosen: Any,
) -> None:
    """Solve one problem and watch the chains at work.

    The answer goes to standard output: alone on the first line, then how many chains agree, the explanation and the
    run's id; of a --long-form problem, the text and the run's id. Exit code 0 means that there is an answer.

    A run that was interrupted or killed goes on with --resume: chains that had ended are not drawn again, nor are
    judges asked again that had replied.

    \b
    Examples:
      abaci solve "What is the sum of the primes below 100?"
      abaci solve --long-form "How do the primes thin out?" --samples 16
      abaci solve --resume run_0199c0ffee00a1b2c3d4e5f6
    """
    settings = Settings.load(model=model, server=server)
    if resume is not None:
        start = _resuming(resume, question, file, {**chosen, "long_form": long_form or None})
        _look_up(resume, settings)
    else:
        problem = read_problem(question, file)
        if long_form:
            problem = problem.model_copy(update={"kind": "long_form"})
            # Votes make no text.
            chosen["aggregator"] = chosen["aggregator"] or "atomic"
        start = _solving(problem, choose_options(settings.solve, chosen))
    request = Request(start, settings, is_live_wanted=not no_live)
    _preload(settings)
    ctx.exit(_run(request, is_json=is_json))


def _solving(problem: Problem, options: SolveOptions) -> Start:
    return lambda solver: solver.stream(problem, options)


def _resuming(run_id: str, question: str | None, file: str | None, chosen: Mapping[str, Any]) -> Start:
    """What goes on with `run_id`, whose question and options are those that it was begun with.

    Raises:
        UsageError: others are given.
        InvalidInput: that is no run id.
    """
    others = [question, file, *chosen.values()]
    if any(value is not None and value != () for value in others):
        raise click.UsageError("--resume goes on with a run as it was begun: leave out the question and its options")
    check_run_id(run_id)
    return lambda solver: solver.stream_resumed(run_id)


def read_problem(question: str | None, file: str | None) -> Problem:
    """The problem given on the command line, in a file, or on standard input (`-`).

    Raises:
        UsageError: both or neither are given.
        InvalidInput: the question cannot be read or used; says why.
    """
    if (question is None) == (file is None):
        raise click.UsageError("give either a QUESTION or --file F (- reads standard input)")
    text = question if question is not None else _read(file or "")
    return as_problem(text)


def _read(file: str) -> str:
    # One byte more than any usable question has, so that a huge or endless file is refused and not read.
    most = MAX_QUESTION_CHARS * MAX_BYTES_PER_CHAR + 1
    try:
        if file == "-":
            content = sys.stdin.buffer.read(most)
        else:
            with Path(file).open("rb") as stream:
                content = stream.read(most)
    except OSError as error:
        raise InvalidInput(f"cannot read {file}: {error.strerror}", field="file") from error
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(content) == most:
            raise InvalidInput(f"{file} is too long for a question", field="file") from error
        raise InvalidInput(f"{file} is not UTF-8 text: {error.reason} at byte {error.start}", field="file") from error


def choose_options(defaults: SolveOptions, chosen: Mapping[str, Any]) -> SolveOptions:
    """`defaults` with what was chosen on the command line (what is not None) on top.

    Raises:
        BadParameter: a value is out of range.
        InvalidInput: the aggregator has no such option.
        SettingsError: there is no such prompt style.
    """
    aggregator: str | None = chosen["aggregator"]
    settings: Sequence[str] = chosen["options"]
    if settings and aggregator is None:
        raise InvalidInput("--set is about an aggregator: name it with --aggregator", field="set")
    budget = {"samples": chosen["samples"], "rounds": chosen["rounds"], "tokens": chosen["tokens"]}
    budget["wall_s"] = chosen["wall_s"]
    sampling = {"temperature": chosen["temperature"], "seed": chosen["seed"]}
    style: str | None = chosen["style"]
    if style is not None:
        from abaci.agents.styles import load_style

        load_style(style)
    merged = defaults.model_dump()
    merged["budget"] |= _given(budget)
    merged["sampling"] |= _given(sampling)
    merged |= _given({"style": style})
    if aggregator is not None:
        merged["aggregator"] = aggregator_config(aggregator, settings)
    try:
        return SolveOptions.model_validate(merged)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        option = "--" + str(fault["loc"][-1]).replace("_", "-")
        raise click.BadParameter(fault["msg"], param_hint=f"'{option}'") from error


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _look_up(run_id: str, settings: Settings) -> None:
    """Ask the trace store for the run, before an engine is started for it.

    Raises:
        RunNotFound: it is not there.
        RunInProgress: another process works on it.
        TraceStoreError: the store cannot be read.
    """
    from abaci.cli.interrupt import run_interruptibly
    from abaci.cli.loading import load_traces
    from abaci.traces.hold import Hold

    async def look() -> None:
        async with await load_traces(settings) as store, Hold(store, run_id) as hold:
            async with aclosing(store.read(run_id)) as events:
                await anext(events)
            await hold.take(
                lambda left_s: say(f"Waiting for {left_s:.0f} s at most, whether another process works on it.")
            )

    run_interruptibly(look())


def _preload(settings: Settings) -> None:
    """Begin the engine's imports, the slowest part of the start, before our own; name the model if it is ours.

    Raises:
        SettingsError, ModelLoadError: there is no such model; told at once.
    """
    backend = settings.choose_backend()
    if settings.is_bundled_model_used:
        say(BUNDLED_MODEL_NOTE)
    if isinstance(backend, VllmConfig):
        from abaci.backend.model_files import local_model_directory
        from abaci.backend.vllm_environment import preload

        local_model_directory(backend.model)
        preload(backend)


def _run(request: Request, *, is_json: bool) -> int:
    """Solve, print, and give the exit code."""
    from abaci.cli.interrupt import FAREWELL, RUN_GRACE_S, START_GRACE_S, run_interruptibly
    from abaci.cli.progress import RunProgress
    from abaci.cli.result import exit_code, print_solution
    from abaci.cli.terminal import one_line, results_console

    progress = RunProgress()

    def show(solution: Solution) -> None:
        for warning in solution.warnings:
            say(f"abaci: warning: {one_line(warning)}")
        if is_json:
            print_json(solution)
        else:
            print_solution(results_console(), solution)

    def choose_grace_s() -> float:
        is_running = progress.run_id is not None and progress.finished is None
        return RUN_GRACE_S if is_running else START_GRACE_S

    def farewell() -> str:
        if progress.run_id is None:
            return FAREWELL
        run_id = progress.run_id
        return f"{FAREWELL}; abaci trace {run_id} shows the run, abaci solve --resume {run_id} goes on with it"

    try:
        return exit_code(run_interruptibly(_solve(request, progress.add, show), choose_grace_s, farewell))
    except KeyboardInterrupt:
        say(farewell())
        return EXIT_INTERRUPTED


async def _solve(
    request: Request, on_event: Callable[[TraceEvent], None], show: Callable[[Solution], None]
) -> Solution:
    """Solve, and show the solution before the engine is stopped: stopping takes time that nobody has to wait for."""
    from abaci.cli.loading import load_solver
    from abaci.cli.talk import choose_talk
    from abaci.traces.fold import fold_solution

    talk = choose_talk(is_live_wanted=request.is_live_wanted)
    events: list[TraceEvent] = []
    async with AsyncExitStack() as stack:
        async with talk.working("ready") as on_progress:
            on_progress("loading abaci", None)
            make_solver = await load_solver()
            opening = make_solver(request.settings, on_progress=on_progress, is_last=True)
            solver = await stack.enter_async_context(opening)
        async with talk.watching() as watch, aclosing(request.start(solver)) as stream:
            async for event in stream:
                on_event(event)
                watch(event)
                if event.is_stored:
                    events.append(event)
        solution = fold_solution(events)
        show(solution)
    return solution
