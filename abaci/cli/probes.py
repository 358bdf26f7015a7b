"""What `abaci doctor` asks: each probe uses the thing it asks about, within a bound, and says what it found."""

from __future__ import annotations

import asyncio
import importlib.metadata
import importlib.util
import os
import platform
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import BaseModel, TypeAdapter, ValidationError

from abaci.backend.config import BackendConfig, OpenAIConfig, ScriptedConfig, VllmConfig
from abaci.backend.model_files import local_model_directory
from abaci.backend.vllm_environment import is_cpu_build
from abaci.cli.loading import load_in_background
from abaci.errors import AbaciError, SandboxUnavailable, SettingsError, TraceStoreError
from abaci.sandbox.config import SandboxConfig
from abaci.settings import BUNDLED_MODEL, Settings
from abaci.types import ExecutionStatus, Value

ENGINE_TIMEOUT_S: Final = 180.0
"""Importing vLLM from a cold disk takes long."""
CONNECT_TIMEOUT_S: Final = 30.0
SANDBOX_START_S: Final = 30.0
STORE_TIMEOUT_S: Final = 15.0

_PACKAGE_FOLDER: Final = str(Path(__file__).resolve().parent.parent.parent)
_ENGINE_PROGRAM: Final = """
import json
from abaci.backend.config import VllmConfig
from abaci.backend.vllm_environment import import_engine, prepare
from abaci.errors import ModelLoadError
config = VllmConfig(model="none")
prepare(config, is_local=True)
try:
    import_engine(config)
except ModelLoadError as error:
    print(json.dumps({"error": str(error)}))
else:
    import torch, vllm
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    gpus = [torch.cuda.get_device_name(i) for i in range(count)]
    print(json.dumps({"vllm": vllm.__version__, "torch": torch.__version__, "gpus": gpus}))
"""


class Finding(StrEnum):
    """What a probe found."""

    OK = "ok"
    MISSING = "missing"
    """Does not work, but no solve with these settings needs it."""
    BROKEN = "broken"
    """Does not work, and a solve needs it."""


class Check(Value):
    """The outcome of one probe; `advice` says what to do where it is not ok."""

    name: str
    finding: Finding
    detail: str
    advice: str | None = None


class _Engine(BaseModel):
    """What the engine's program says of itself."""

    vllm: str = ""
    torch: str = ""
    gpus: list[str] = []
    error: str | None = None


def check_python() -> Check:
    """The interpreter."""
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Check(name="python", finding=Finding.OK, detail=detail)


def check_model(settings: Settings) -> Check:
    """Whether the settings name a model that can be loaded."""
    try:
        backend = settings.choose_backend()
        detail = _describe_model(backend)
    except AbaciError as error:
        return Check(name="model", finding=Finding.BROKEN, detail="none that can be used", advice=str(error))
    return Check(name="model", finding=Finding.OK, detail=detail)


def _describe_model(backend: BackendConfig) -> str:
    match backend:
        case VllmConfig(model=model):
            if model == str(BUNDLED_MODEL):
                return f"the bundled one, {local_model_directory(model)}"
            is_local = local_model_directory(model) is not None
            return model if is_local else f"{model}, from the Hugging Face hub"
        case OpenAIConfig(model=model, base_url=url):
            return f"{model} of {url}"
        case ScriptedConfig(replies=replies):
            return f"a script of {len(replies)} replies"


async def check_engine(settings: Settings) -> Check:
    """Whether vLLM can be imported, and on what it runs; imported in a process of its own.

    Where the settings name another backend it is only looked for: importing it takes seconds.
    """
    is_needed = _needs_engine(settings)
    try:
        build = "for CPUs" if is_cpu_build() else "for GPUs"
        if not is_needed:
            detail = f"installed {build}; these settings do not use it"
            return Check(name="vllm", finding=Finding.OK, detail=detail)
        engine = await _import_engine()
    except AbaciError as error:
        failed = Finding.BROKEN if is_needed else Finding.MISSING
        return Check(name="vllm", finding=failed, detail="cannot be used", advice=str(error))
    devices = ", ".join(engine.gpus) if engine.gpus else "CPU"
    detail = f"{engine.vllm} {build}, torch {engine.torch}, runs on: {devices}"
    if build == "for GPUs" and not engine.gpus:
        advice = 'torch sees no GPU: check the driver, or install "abaci[cpu]" instead'
        return Check(name="vllm", finding=Finding.BROKEN, detail=detail, advice=advice)
    return Check(name="vllm", finding=Finding.OK, detail=detail)


def _needs_engine(settings: Settings) -> bool:
    if settings.backend is not None:
        return isinstance(settings.backend, VllmConfig)
    return settings.server is None


async def _import_engine() -> _Engine:
    """What the engine says of itself.

    Raises:
        AbaciError: it cannot be imported; says why.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-c",
        _ENGINE_PROGRAM,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([_PACKAGE_FOLDER, *_python_path()])},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(ENGINE_TIMEOUT_S):
            out, err = await process.communicate()
    except TimeoutError as error:
        raise AbaciError(f"vLLM was not imported within {ENGINE_TIMEOUT_S:.0f} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        engine = _Engine.model_validate_json(out.decode(errors="replace").strip().rpartition("\n")[2])
    except ValidationError as error:
        reason = err.decode(errors="replace").strip().rpartition("\n")[2] or f"exit code {process.returncode}"
        raise AbaciError(f"vLLM cannot be imported ({reason[:300]}): install it again") from error
    if engine.error is not None:
        raise AbaciError(engine.error)
    return engine


def _python_path() -> list[str]:
    return [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]


def find_server(settings: Settings) -> OpenAIConfig | None:
    """The server that the settings name, if they do."""
    try:
        backend = settings.choose_backend()
    except SettingsError:
        return None
    return backend if isinstance(backend, OpenAIConfig) else None


async def check_server(backend: OpenAIConfig) -> Check:
    """Whether a server answers."""
    await load_in_background("abaci.app")
    from abaci.app import make_backend

    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S), make_backend(backend) as client:
            context = client.info.context_length
    except (AbaciError, TimeoutError) as error:
        advice = str(error) or f"no answer within {CONNECT_TIMEOUT_S:.0f} s"
        return Check(name="server", finding=Finding.BROKEN, detail=backend.base_url, advice=advice)
    known = f", {context:,} tokens of context" if context is not None else ""
    return Check(name="server", finding=Finding.OK, detail=f"{backend.base_url} answers{known}")


async def check_sandbox(kind: str, settings: Settings) -> Check:
    """Whether the tier `kind` (as `Settings.sandbox` names it) runs a program."""
    sizes = {"max_sessions": 1, "spares": 0, "start_s": SANDBOX_START_S}
    # Runtimes, for instance, count only where this tier is the one in use.
    chosen = settings.sandbox.model_dump() if settings.sandbox.kind == kind else {"kind": kind}
    config: SandboxConfig = TypeAdapter(SandboxConfig).validate_python({**chosen, **sizes})
    try:
        seconds = await _run_program(config)
    except AbaciError as error:
        failed = Finding.BROKEN if settings.sandbox.kind == kind else Finding.MISSING
        return Check(name=kind, finding=failed, detail="runs no programs here", advice=str(error))
    return Check(name=kind, finding=Finding.OK, detail=f"ran a program, started in {seconds:.1f} s")


async def _run_program(config: SandboxConfig) -> float:
    """Seconds that the tier took to start; raises an `AbaciError` where it does not run a program rightly."""
    from abaci.sandbox.auto import open_sandbox

    began = time.monotonic()
    async with open_sandbox(config) as sandbox:
        started = time.monotonic()
        async with sandbox.session() as session:
            execution = await session.execute("import sympy\nsympy.Integer(6) * 7")
    if execution.status is not ExecutionStatus.OK or execution.result != "42":
        raise SandboxUnavailable(f"a test program ended with {execution.status.value}: {execution.error}")
    return started - began


async def check_traces(settings: Settings) -> Check:
    """Whether the trace store can be opened and read."""
    await load_in_background("abaci.app")
    from abaci.app import make_traces

    try:
        async with asyncio.timeout(STORE_TIMEOUT_S), make_traces(settings.traces) as store:
            location = store.location
            newest = await store.runs(limit=1)
    except (TraceStoreError, TimeoutError) as error:
        advice = str(error) or f"no answer within {STORE_TIMEOUT_S:.0f} s"
        detail = f"{settings.traces.kind} cannot be used: solves go on, but leave no trace"
        return Check(name="traces", finding=Finding.MISSING, detail=detail, advice=advice)
    except SettingsError as error:
        return Check(name="traces", finding=Finding.BROKEN, detail=settings.traces.kind, advice=str(error))
    holds = f"newest run {newest[0].run_id}" if newest else "no runs yet"
    return Check(name="traces", finding=Finding.OK, detail=f"{settings.traces.kind}, {location}, {holds}")


def check_extra(package: str) -> Check:
    """Whether an optional package is installed."""
    if importlib.util.find_spec(package) is None:
        advice = f'pip install "abaci[{package}]", where it is wanted'
        return Check(name=package, finding=Finding.MISSING, detail="not installed", advice=advice)
    version = importlib.metadata.version(package)
    return Check(name=package, finding=Finding.OK, detail=f"Python package {version}")
