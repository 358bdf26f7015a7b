"""vLLM's executors, with two additions: they leave no file behind, and they die with the process that started them.

An engine of one process meets itself through a file, which vLLM never removes. vLLM's workers watch their parent, the
engine's process; the engine's process itself does not watch ours, so even a SIGKILL of ours is noticed here: an
executor is the first thing that the engine's process builds, and the one class in it that a caller may choose.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from vllm.v1.executor.abstract import Executor
from vllm.v1.executor.multiproc_executor import MultiprocExecutor
from vllm.v1.executor.uniproc_executor import UniProcExecutor


def tidy(executor: type[Executor]) -> type[Executor]:
    """`executor`, or the same that removes its file; for an engine in this process."""
    return TidyUniProcExecutor if executor is UniProcExecutor else executor


def watched(executor: type[Executor]) -> type[Executor]:
    """`executor`, or the same that watches its parent; one of another kind (Ray) is left as it is."""
    return {MultiprocExecutor: WatchedMultiprocExecutor, UniProcExecutor: WatchedUniProcExecutor}.get(
        executor, executor
    )


class WatchedMultiprocExecutor(MultiprocExecutor):  # type: ignore[misc]
    """Workers in processes of their own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _die_with_parent()
        super().__init__(*args, **kwargs)


class TidyUniProcExecutor(UniProcExecutor):  # type: ignore[misc]
    """The worker in the engine's process, without the file of its meeting."""

    def _init_executor(self) -> None:
        try:
            super()._init_executor()
        finally:
            # The groups are formed, or never will be: nobody opens it again.
            if self._meeting.scheme == "file":
                Path(self._meeting.path).unlink(missing_ok=True)

    def _distributed_args(self) -> tuple[str, int, int]:
        method, rank, local_rank = super()._distributed_args()
        self._meeting = urlsplit(method)
        return method, rank, local_rank


class WatchedUniProcExecutor(TidyUniProcExecutor):
    """The worker in the engine's process."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _die_with_parent()
        super().__init__(*args, **kwargs)


def _die_with_parent() -> None:
    """From now on this process is killed as soon as its parent is gone, and at once if it is already."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        # Returns when the pipe that the parent holds open closes, however the parent ended.
        parent.join()
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="watch-parent", daemon=True).start()
