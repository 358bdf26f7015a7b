"""Every error abaci raises on purpose.

    AbaciError
    ├── InvalidInput            the caller's problem, file or option cannot be used; says what to change
    │   └── RunInProgress       the run that is to be resumed is being worked on
    ├── SettingsError           configuration that contradicts itself or names something absent
    ├── BackendError            tokens could not be made
    │   ├── BackendUnavailable  the server is down, dropped the stream, or kept failing after every retry
    │   ├── BackendRejected     the server or engine refused the request; retrying it cannot help
    │   ├── ContextLengthExceeded  the prompt leaves no room for a single new token
    │   └── ModelLoadError      the model directory or name cannot be loaded
    ├── SandboxError            the sandbox itself is broken; never shown to a model as program output
    │   ├── SandboxUnavailable  no isolation tier works on this machine
    │   ├── SandboxBusy         no session became free within the bounded wait
    │   └── SessionClosed       the session was used after its `async with` ended
    ├── TraceStoreError         the trace store failed; the solution is still returned, with a warning
    │   └── RunNotFound         no run has this id
    └── GradingError            the grader itself is broken (a hard or hostile answer is a verdict, not an error)

A wrong, slow or hostile *program* is never an error: it is an `abaci.types.Execution`. A failed *run* is none either:
it is a `Solution` with status `failed`.
"""

from __future__ import annotations


class AbaciError(Exception):
    """Base of every error that abaci raises on purpose."""


class InvalidInput(AbaciError):
    """The caller's input cannot be used. `field` names the offending part, when there is one."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class RunInProgress(InvalidInput):
    """The run is being worked on, so nobody else can go on with it."""

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"{run_id} is going on, here or in another process: wait for its end, which `abaci trace {run_id}` shows, "
            "or stop that process; then resume it"
        )
        self.run_id = run_id


class SettingsError(AbaciError):
    """Configuration that contradicts itself or names something that does not exist."""


class BackendError(AbaciError):
    """Tokens could not be made."""


class BackendUnavailable(BackendError):
    """The model server is unreachable, broke the stream, or kept failing after every retry."""


class BackendRejected(BackendError):
    """The request was refused; the same request would be refused again."""


class ContextLengthExceeded(BackendError):
    """The prompt is longer than the model's context: no new token fits.

    Args:
        prompt_tokens: length of the refused prompt, in tokens.
        context_length: the model's limit, in tokens.
    """

    def __init__(self, prompt_tokens: int, context_length: int) -> None:
        super().__init__(
            f"the prompt has {prompt_tokens} tokens, but the model's context holds {context_length}: "
            "shorten the problem, lower the number of rounds, or choose a model with a longer context"
        )
        self.prompt_tokens = prompt_tokens
        self.context_length = context_length


class ModelLoadError(BackendError):
    """The model directory or name cannot be loaded."""


class SandboxError(AbaciError):
    """The sandbox is broken. Never shown to a model as if it were program output."""


class SandboxUnavailable(SandboxError):
    """No isolation tier works on this machine, or the chosen one does not."""


class SandboxBusy(SandboxError):
    """No session became free within the bounded wait."""


class SessionClosed(SandboxError):
    """A session was used after it was closed."""


class TraceStoreError(AbaciError):
    """The trace store failed."""


class RunNotFound(TraceStoreError):
    """No stored run has this id."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"no run {run_id!r} in the trace store: `abaci trace` without an id lists the stored runs")
        self.run_id = run_id


class GradingError(AbaciError):
    """The grader is broken."""
