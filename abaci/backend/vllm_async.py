"""vLLM's engine in processes of its own, reached over sockets: `AsyncLLM`."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import Future
from typing import Any

from abaci.backend.config import VllmConfig
from abaci.backend.own_thread import OwnThread
from abaci.backend.vllm_driver import (
    START_TIMEOUT_S,
    STOP_TIMEOUT_S,
    EngineFacts,
    Progress,
    load_error,
    make_engine_args,
    register_architectures,
)
from abaci.backend.vllm_environment import import_engine, quiet_children
from abaci.errors import AbaciError, BackendRejected, BackendUnavailable, ModelLoadError


class AsyncDriver:
    """Runs `AsyncLLM`. See `vllm_driver.Driver`. Use it from one event loop: the engine's socket belongs to that."""

    def __init__(self, config: VllmConfig) -> None:
        self._config = config
        self._engine: Any = None
        # Engines of one process, or several processes' engines under one log, must not share request names.
        self._prefix = f"abaci-{os.getpid()}-{id(self):x}"
        self._ids = itertools.count()

    async def start(self, progress: Progress) -> EngineFacts:
        """Start the engine's processes and load the model there. See `Driver.start`."""
        # AsyncLLM's constructor blocks until the model is loaded: not on the event loop.
        building = OwnThread("vllm-start", lambda: self._build(progress))
        try:
            await building.result(START_TIMEOUT_S)
        except TimeoutError as error:
            building.future.add_done_callback(self._shut_down_late)
            raise ModelLoadError(
                f"the model {self._config.model} did not load within {START_TIMEOUT_S:.0f} s"
            ) from error
        except asyncio.CancelledError:
            building.future.add_done_callback(self._shut_down_late)
            raise
        return EngineFacts(self._engine.renderer.tokenizer, self._engine.model_config.max_model_len)

    def _build(self, progress: Progress) -> None:
        """Make `self._engine`; blocks until it is ready.

        It is not returned, for a future would then keep it alive when it was stopped.
        """
        try:
            progress("importing vLLM", None)
            import_engine(self._config)
            self._engine = self._start_processes(progress)
        except AbaciError:
            raise
        except Exception as error:
            # vLLM raises anything here, and all of it means: not loaded.
            raise load_error(self._config, error) from error

    def _start_processes(self, progress: Progress) -> Any:
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM
        from vllm.v1.executor.abstract import Executor

        from abaci.backend.vllm_executors import watched

        args = make_engine_args(AsyncEngineArgs, self._config)
        progress(f"loading {self._config.model} in the engine's processes", None)
        register_architectures(self._config)
        vllm_config = args.create_engine_config()
        executor_class = watched(Executor.get_class(vllm_config))
        with quiet_children():
            return AsyncLLM(vllm_config=vllm_config, executor_class=executor_class, log_stats=False, log_requests=False)

    async def stream(self, prompt_ids: Sequence[int], params: Any) -> AsyncGenerator[Any, None]:
        """The outputs of one request. See `Driver.stream`."""
        from vllm.exceptions import VLLMClientError, VLLMError
        from vllm.inputs.engine import tokens_input

        request_id = f"{self._prefix}-{next(self._ids)}"
        outputs = self._engine.generate(tokens_input(list(prompt_ids)), params, request_id)
        try:
            async with contextlib.aclosing(outputs):
                async for output in outputs:
                    yield output
        except (VLLMClientError, ValueError, TypeError, OverflowError) as error:
            raise BackendRejected(f"vLLM refuses the request: {error}") from error
        except VLLMError as error:
            raise BackendUnavailable(f"vLLM's engine failed ({error}): start it again") from error

    async def stop(self) -> None:
        """End every request and process. See `Driver.stop`."""
        engine, self._engine = self._engine, None
        if engine is None:
            return
        handler = engine.output_handler
        try:
            await OwnThread("vllm-stop", lambda: _shut_down(engine)).result(STOP_TIMEOUT_S)
        except TimeoutError as error:
            raise BackendUnavailable(
                f"vLLM's processes did not stop within {STOP_TIMEOUT_S:.0f} s: they end with this process"
            ) from error
        if handler is not None:
            await asyncio.wait([handler], timeout=STOP_TIMEOUT_S)

    def _shut_down_late(self, _building: Future[None]) -> None:
        """Stop an engine that became ready when nobody waited for it any more."""
        engine, self._engine = self._engine, None
        if engine is not None:
            _shut_down(engine)


def _shut_down(engine: Any) -> None:
    """Stop the engine's process and its workers, and wait until they are gone; what does not go is killed."""
    import psutil

    own = engine.engine_core.resources.engine_manager.processes
    processes = [psutil.Process(process.pid) for process in own if process.is_alive()]
    processes += [worker for process in processes for worker in process.children(recursive=True)]
    engine.shutdown()
    _, alive = psutil.wait_procs(processes, timeout=STOP_TIMEOUT_S / 4)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=STOP_TIMEOUT_S / 4)
    for process in own:
        process.join(STOP_TIMEOUT_S / 4)
