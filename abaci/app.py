"""Composition root: the only place where implementations are named.

Implementations are imported when they are chosen, so that nothing heavy loads before it is needed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from abaci.aggregation.base import Aggregator
from abaci.aggregation.buckets import AnswerEquality
from abaci.aggregation.config import (
    AdaptiveConfig,
    AggregatorConfig,
    AorConfig,
    AtomicConfig,
    AutoEmbedderConfig,
    EmbedderConfig,
    GenSelectConfig,
    SelfConsistencyConfig,
    UniversalConfig,
)
from abaci.aggregation.judge import Judge
from abaci.backend.base import Backend
from abaci.backend.config import BackendConfig, OpenAIConfig, ScriptedConfig, VllmConfig
from abaci.errors import SettingsError
from abaci.grading.grader import Grader
from abaci.sandbox.auto import open_sandbox
from abaci.settings import Settings
from abaci.tools.python import PythonTool
from abaci.traces.base import TraceStore
from abaci.traces.config import MemoryTraceConfig, RedisTraceConfig, SqliteTraceConfig, TraceConfig
from abaci.traces.patient import PatientTraceStore
from abaci.types import JudgeCalled

if TYPE_CHECKING:
    from abaci.agents.solver import Services

Progress = Callable[[str, float | None], None]
"""Told what a slow start is doing and, where it is known, the share done from 0 to 1."""

DEFAULT_EMBEDDER = AutoEmbedderConfig()

GRADER_SESSIONS = 2
"""Sandbox sessions kept for comparing answers, beside those of the chains."""


def say_nothing(_: str, __: float | None) -> None:
    """The `Progress` that tells nobody."""


def make_backend(config: BackendConfig, on_progress: Progress = say_nothing, *, is_last: bool = False) -> Backend:
    """The backend that `config` describes, not yet started. `is_last`: nothing follows it in this process."""
    match config:
        case VllmConfig():
            from abaci.backend.vllm import VllmBackend

            return VllmBackend(config, on_progress=on_progress, is_last=is_last)
        case OpenAIConfig():
            from abaci.backend.openai import OpenAIBackend

            return OpenAIBackend(config)
        case ScriptedConfig():
            from abaci.backend.scripted import ScriptedBackend

            return ScriptedBackend.from_config(config)


def make_traces(config: TraceConfig) -> TraceStore:
    """The trace store that `config` describes, not yet opened.

    Raises:
        SettingsError: a package that it needs is not installed.
    """
    match config:
        case MemoryTraceConfig():
            from abaci.traces.memory import MemoryTraceStore

            return MemoryTraceStore(config)
        case SqliteTraceConfig():
            from abaci.traces.sqlite import SqliteTraceStore

            return SqliteTraceStore(config)
        case RedisTraceConfig():
            try:
                from abaci.traces.redis import RedisTraceStore
            except ModuleNotFoundError as error:
                raise SettingsError('traces in Redis need a package: pip install "abaci[redis]"') from error

            return RedisTraceStore(config)


def make_aggregator(
    config: AggregatorConfig,
    equal: AnswerEquality,
    judge: Judge,
    embedder: EmbedderConfig = DEFAULT_EMBEDDER,
) -> Aggregator:
    """The aggregator that `config` describes; `embedder` tells which atoms are alike.

    Raises:
        SettingsError: what embeds its atoms is not installed.
    """
    match config:
        case SelfConsistencyConfig():
            from abaci.aggregation.self_consistency import SelfConsistency

            return SelfConsistency(config, equal)
        case AdaptiveConfig():
            from abaci.aggregation.adaptive import Adaptive

            return Adaptive(config, make_aggregator(config.answer, equal, judge, embedder), equal)
        case AorConfig():
            from abaci.aggregation.aor import Aor

            return Aor(config, judge, equal)
        case AtomicConfig():
            from abaci.aggregation.atomic import Atomic
            from abaci.aggregation.embedding import make_embedder

            inner = make_aggregator(config.answer, equal, judge)
            return Atomic(config, inner, judge, make_embedder(embedder), equal)
        case UniversalConfig():
            from abaci.aggregation.universal import Universal

            return Universal(config, judge, equal)
        case GenSelectConfig():
            from abaci.aggregation.genselect import GenSelect

            return GenSelect(config, judge, equal)


@asynccontextmanager
async def open_judge(
    settings: Settings, config: AggregatorConfig, record: Callable[[JudgeCalled], None]
) -> AsyncIterator[Judge]:
    """A judge for `config` where there is no solver; nothing is started for a method that asks none.

    Raises:
        SettingsError, ModelLoadError, BackendUnavailable: the judge cannot be started.
    """
    chosen = (settings.judge or settings.choose_backend()) if config.needs_judge else ScriptedConfig(replies=("",))
    async with make_backend(chosen) as backend:
        yield Judge(backend, record)


@asynccontextmanager
async def open_services(
    settings: Settings, on_progress: Progress = say_nothing, *, is_last: bool = False
) -> AsyncIterator[Services]:
    """Everything a solver works with, started; stopped in an order in which nothing waits for an engine.

    A trace store that is down is no reason not to solve: it is tried again, and solutions say what is not stored.

    Args:
        settings: what to work with.
        on_progress: told what start-up is doing.
        is_last: nothing follows in this process: an engine within it is left to the end of the process.

    Raises:
        SettingsError, ModelLoadError, BackendUnavailable, SandboxUnavailable: what cannot be started.
    """
    from abaci.agents.solver import Services

    config = settings.choose_backend()
    sandbox_config = settings.sandbox.model_copy(update={"max_sessions": settings.max_chains + GRADER_SESSIONS})
    # An engine is started last, so that a cheap failure comes first, and stopped last, because it may take seconds.
    async with AsyncExitStack() as engine, PatientTraceStore(make_traces(settings.traces)) as traces:
        on_progress("warming the sandbox", None)
        async with open_sandbox(sandbox_config) as sandbox, Grader(sandbox, max_workers=GRADER_SESSIONS) as grader:
            backend = await engine.enter_async_context(make_backend(config, on_progress, is_last=is_last))
            judge = None
            if settings.judge is not None:
                judge = await engine.enter_async_context(make_backend(settings.judge, on_progress))
            on_progress("ready", 1.0)
            yield Services(
                backend=backend,
                python=PythonTool(sandbox, settings.python),
                equal=grader.are_equal,
                make_aggregator=partial(make_aggregator, embedder=settings.embedder),
                traces=traces,
                max_chains=settings.max_chains,
                judge=judge,
            )
