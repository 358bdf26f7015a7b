"""vLLM's engine in this process, stepped by one thread of its own.

The thread owns the engine: it alone touches it. It takes commands from a queue (add, abort, stop), steps while there
are unfinished requests, and hands outputs to the event loop that each request came from, one wake-up a step and loop.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import queue
import threading
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from abaci.backend.config import VllmConfig
from abaci.backend.own_thread import OwnThread, new_future, wait
from abaci.backend.vllm_driver import (
    START_TIMEOUT_S,
    STOP_TIMEOUT_S,
    EngineFacts,
    Progress,
    load_error,
    make_engine_args,
    register_architectures,
)
from abaci.backend.vllm_environment import import_engine
from abaci.errors import AbaciError, BackendError, BackendRejected, BackendUnavailable, ModelLoadError

_only_engine = threading.Lock()
"""vLLM keeps its distributed state in module globals: a process holds one engine at a time."""


@dataclass(frozen=True, slots=True)
class _Outbox:
    """Where a request's outputs go."""

    loop: asyncio.AbstractEventLoop
    items: asyncio.Queue[Any]


@dataclass(frozen=True, slots=True)
class _Add:
    request_id: str
    prompt_ids: list[int]
    params: Any
    outbox: _Outbox


@dataclass(frozen=True, slots=True)
class _Abort:
    request_id: str


@dataclass(frozen=True, slots=True)
class _Stop:
    pass


class InprocessDriver:
    """Runs `LLMEngine` on a thread. See `vllm_driver.Driver`.

    Args:
        config: which model, and how.
        is_last: nothing follows the engine in this process. It is then not taken apart, which takes seconds in which
            nothing else runs: the end of the process frees it.
    """

    def __init__(self, config: VllmConfig, *, is_last: bool = False) -> None:
        self._config = config
        self._is_last = is_last
        self._commands: queue.SimpleQueue[_Add | _Abort | _Stop] = queue.SimpleQueue()
        self._outboxes: dict[str, _Outbox] = {}
        self._ids = itertools.count()
        self._thread: OwnThread[None] | None = None
        # Never in a local variable of a long-lived frame: torch keeps tracebacks, and they would keep the model.
        self._engine: Any = None
        self._failure: BackendUnavailable | None = None

    # --- on the event loop --------------------------------------------------------------------------------------------

    async def start(self, progress: Progress) -> EngineFacts:
        """Load the model on the engine's thread. See `Driver.start`."""
        if not _only_engine.acquire(blocking=False):
            raise ModelLoadError(
                'this process already runs an engine: share its backend, close it first, or use engine="async"'
            )
        ready: Future[EngineFacts] = new_future()
        self._thread = OwnThread("vllm-engine", lambda: self._run(ready, progress))
        try:
            return await wait(ready, START_TIMEOUT_S)
        except TimeoutError as error:
            self._commands.put(_Stop())
            raise ModelLoadError(
                f"the model {self._config.model} did not load within {START_TIMEOUT_S:.0f} s"
            ) from error
        except asyncio.CancelledError:
            # An import cannot be interrupted; the thread ends by itself as soon as it reads its commands.
            self._commands.put(_Stop())
            raise
        except AbaciError:
            # Not before the thread has left the process as it was, ready for another engine.
            await self._thread.result(STOP_TIMEOUT_S)
            raise

    async def stream(self, prompt_ids: Sequence[int], params: Any) -> AsyncGenerator[Any, None]:
        """The outputs of one request. See `Driver.stream`."""
        request_id = f"abaci-{next(self._ids)}"
        outbox = _Outbox(asyncio.get_running_loop(), asyncio.Queue())
        self._commands.put(_Add(request_id, list(prompt_ids), params, outbox))
        if self._failure is not None:
            raise self._failure
        is_finished = False
        try:
            while not is_finished:
                # Bounded by the thread: it finishes every request it knows of, or fails them all.
                output = await outbox.items.get()
                is_finished = isinstance(output, BackendError) or output.finished
                if isinstance(output, BackendError):
                    raise output
                yield output
        finally:
            if not is_finished:
                self._commands.put(_Abort(request_id))

    async def stop(self) -> None:
        """End every request and the thread. See `Driver.stop`."""
        if self._thread is None:
            return
        self._commands.put(_Stop())
        try:
            await self._thread.result(STOP_TIMEOUT_S)
        except TimeoutError as error:
            raise BackendUnavailable(
                f"vLLM's thread did not stop within {STOP_TIMEOUT_S:.0f} s: only the end of this process stops it"
            ) from error

    # --- on the engine's thread ---------------------------------------------------------------------------------------

    def _run(self, ready: Future[EngineFacts], progress: Progress) -> None:
        """The thread's whole life. Its problems reach whoever waits for `ready` or for an output."""
        reason = "the engine was stopped: open the backend again"
        try:
            if self._load(ready, progress):
                try:
                    self._serve()
                finally:
                    if not self._is_last:
                        self._shut_down()
        except Exception as error:  # noqa: BLE001 - a thread's boundary: every failure is handed to the waiting requests
            reason = f"vLLM's engine failed ({type(error).__name__}: {error}): start it again"
        finally:
            self._fail_all(BackendUnavailable(reason))
            _only_engine.release()

    def _load(self, ready: Future[EngineFacts], progress: Progress) -> bool:
        """Build the engine and resolve `ready`; False when that failed."""
        try:
            progress("importing vLLM", None)
            import_engine(self._config)
            self._build(progress)
        except AbaciError as error:
            ready.set_exception(error)
        except Exception as error:  # noqa: BLE001 - vLLM raises anything here, and all of it means: not loaded
            _leave_distributed()
            translated = load_error(self._config, error)
            translated.__cause__ = error
            ready.set_exception(translated)
        else:
            ready.set_result(EngineFacts(self._engine.renderer.tokenizer, self._engine.model_config.max_model_len))
            return True
        return False

    def _build(self, progress: Progress) -> None:
        from vllm.engine.arg_utils import EngineArgs
        from vllm.v1.engine.llm_engine import LLMEngine
        from vllm.v1.executor.abstract import Executor

        from abaci.backend.vllm_executors import tidy

        args = make_engine_args(EngineArgs, self._config)
        progress(f"loading {self._config.model}", None)
        register_architectures(self._config)
        vllm_config = args.create_engine_config()
        executor_class = tidy(Executor.get_class(vllm_config))
        self._engine = LLMEngine(vllm_config=vllm_config, executor_class=executor_class, log_stats=False)

    def _serve(self) -> None:
        """Obey commands and step, until told to stop."""
        while True:
            is_idle = not self._engine.has_unfinished_requests()
            try:
                command = self._commands.get(block=is_idle)
            except queue.Empty:
                self._deliver(self._engine.step())
                continue
            match command:
                case _Add():
                    self._add(command)
                case _Abort(request_id):
                    self._outboxes.pop(request_id, None)
                    self._engine.abort_request([request_id])
                case _Stop():
                    return

    def _add(self, command: _Add) -> None:
        from vllm.exceptions import VLLMClientError
        from vllm.inputs.engine import tokens_input

        # Known before it is tried: should vLLM fail in a new way, the request is failed with all others.
        self._outboxes[command.request_id] = command.outbox
        try:
            self._engine.add_request(command.request_id, tokens_input(command.prompt_ids), command.params)
        except (VLLMClientError, ValueError, TypeError, OverflowError) as error:
            del self._outboxes[command.request_id]
            self._engine.abort_request([command.request_id])
            refusal = BackendRejected(f"vLLM refuses the request: {error}")
            refusal.__cause__ = error
            _hand_over([(command.outbox, refusal)])

    def _deliver(self, outputs: Sequence[Any]) -> None:
        """Hand a step's outputs to the requests' event loops."""
        items = [
            (self._outboxes[output.request_id], output) for output in outputs if output.request_id in self._outboxes
        ]
        gone = _hand_over(items)
        for output in outputs:
            outbox = self._outboxes.get(output.request_id)
            if output.finished:
                self._outboxes.pop(output.request_id, None)
            elif outbox is not None and outbox.loop in gone:
                self._outboxes.pop(output.request_id)
                self._engine.abort_request([output.request_id])

    def _shut_down(self) -> None:
        """Free the engine's memory and end its threads."""
        engine, self._engine = self._engine, None
        engine.renderer.shutdown()
        engine.engine_core.shutdown()
        del engine
        gc.collect()

    def _fail_all(self, failure: BackendUnavailable) -> None:
        """End every request, also those still in the queue, and every later one."""
        self._failure = failure
        waiting = [*self._outboxes.values()]
        self._outboxes.clear()
        while not self._commands.empty():
            command = self._commands.get()
            if isinstance(command, _Add):
                waiting.append(command.outbox)
        _hand_over([(outbox, failure) for outbox in waiting])


def _hand_over(items: Sequence[tuple[_Outbox, Any]]) -> set[asyncio.AbstractEventLoop]:
    """Put `items` into their outboxes, each loop woken once; gives the loops that are closed, where nobody waits."""
    batches: dict[asyncio.AbstractEventLoop, list[tuple[_Outbox, Any]]] = {}
    for outbox, item in items:
        batches.setdefault(outbox.loop, []).append((outbox, item))
    gone = set()
    for loop, batch in batches.items():
        try:
            loop.call_soon_threadsafe(_put_all, batch)
        except RuntimeError:
            gone.add(loop)
    return gone


def _put_all(batch: Sequence[tuple[_Outbox, Any]]) -> None:
    for outbox, item in batch:
        outbox.items.put_nowait(item)


def _leave_distributed() -> None:
    """Undo what a half-built engine left in vLLM's module globals, so that another may be built."""
    from vllm.distributed.parallel_state import cleanup_dist_env_and_memory

    cleanup_dist_env_and_memory()
