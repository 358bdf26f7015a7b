"""Run programs one after another in one namespace, as an interactive session does, and report how each ended."""

from __future__ import annotations

import ast
import builtins
import ctypes
import io
import linecache
import site
import sys
import traceback
import types
from dataclasses import dataclass

from abaci.sandbox.worker.wire import ReplyKind

MAX_INT_DIGITS = 100_000
"""Decimal digits of an integer that may be printed: Python's own 4300 is too few for competition problems, and this
many take under 0.1 s."""

# Taken now, because a program may replace them in their modules.
_settrace, _setprofile = sys.settrace, sys.setprofile
_getrecursionlimit, _setrecursionlimit = sys.getrecursionlimit, sys.setrecursionlimit
_RECURSION_LIMIT = 1000
_libc = ctypes.CDLL(None)


@dataclass(frozen=True)
class Ending:
    """How a program ended."""

    kind: ReplyKind
    result: str | None = None
    error: str | None = None
    traceback: str | None = None


class Interpreter:
    """A namespace that looks like `__main__` to the programs run in it."""

    def __init__(self) -> None:
        self._main = types.ModuleType("__main__")
        self._main.__dict__["__builtins__"] = builtins
        sys.modules["__main__"] = self._main
        self._programs = 0
        self._streams = _StandardStreams()
        sys.set_int_max_str_digits(MAX_INT_DIGITS)
        site.setquit()

    def run(self, code: str) -> Ending:
        """Run `code`. Only an interrupt that arrives in the last moments can escape as an exception."""
        self._programs += 1
        name = f"<program {self._programs}>"
        # Kept for good: a later program's traceback may lead through a function of this one.
        linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
        self._streams.restore()
        try:
            return Ending(ReplyKind.OK, result=self._execute(code, name))
        except SystemExit as stop:
            return _exit_ending(stop)
        except MemoryError as error:
            return Ending(ReplyKind.MEMORY, error=_last_line(error), traceback=_format(error))
        except BaseException as error:  # noqa: BLE001
            return Ending(ReplyKind.ERROR, error=_last_line(error), traceback=_format(error))
        finally:
            _flush()

    def forget_programs(self) -> None:
        """Count programs from 1 again."""
        self._programs = 0

    def _execute(self, code: str, name: str) -> str | None:
        """Run `code`; the text of its last expression's value, if it ends in one that has a value."""
        namespace = self._main.__dict__
        try:
            body, last = _split(code, name)
            if body.body:
                exec(compile(body, name, "exec"), namespace)  # noqa: S102
            value = eval(compile(last, name, "eval"), namespace) if last else None  # noqa: S307
            return None if value is None else _text_of(value)
        finally:
            # In this very frame, which was entered before the program could set a hook, and is therefore not traced.
            _settrace(None)
            _clear_profiler()
            _setrecursionlimit(max(_getrecursionlimit(), _RECURSION_LIMIT))


def _split(code: str, name: str) -> tuple[ast.Module, ast.Expression | None]:
    """The program without its last statement where that is an expression, and that expression."""
    tree = ast.parse(code, name)
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr):
        return tree, None
    tree.body.pop()
    return tree, ast.Expression(last.value)


def _text_of(value: object) -> str:
    try:
        return repr(value)
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException as error:  # noqa: BLE001
        return f"<{type(value).__name__} object whose repr failed: {_last_line(error)}>"


def _exit_ending(stop: SystemExit) -> Ending:
    """`exit()` and `exit(0)` end a program well, anything else is its error; the session stays either way."""
    # By type first: a code of the program's own making could do anything in its `==`.
    if stop.code is None or (type(stop.code) is int and stop.code == 0):
        return Ending(ReplyKind.OK)
    return Ending(ReplyKind.ERROR, error=_last_line(stop), traceback=_format(stop))


def _last_line(error: BaseException) -> str:
    try:
        lines = traceback.format_exception_only(type(error), error)
        # A syntax error's own last line is its message; the source line and the caret come before it.
        return lines[-1].strip() or type(error).__name__
    except BaseException as second:  # noqa: BLE001
        return f"{type(error).__name__} (its message could not be made: {type(second).__name__})"


def _format(error: BaseException) -> str | None:
    """The traceback, with the programs' own frames only; None where even that cannot be made."""
    try:
        report = traceback.TracebackException(type(error), error, error.__traceback__, compact=True)
        seen: set[int] = set()
        _keep_program_frames(report, seen)
        return "".join(report.format())
    except BaseException as second:  # noqa: BLE001
        return f"{type(error).__name__}: no traceback could be made ({type(second).__name__})\n"


def _keep_program_frames(report: traceback.TracebackException, seen: set[int]) -> None:
    """Drop the frames of libraries and of this module: they are long, and no program can act on them."""
    if id(report) in seen:
        return
    seen.add(id(report))
    frames = [frame for frame in report.stack if frame.filename.startswith("<program ")]
    # Without frames, as for a syntax error, there is nothing to trace back and no headline either.
    report.stack = traceback.StackSummary.from_list(frames) if frames else None  # type: ignore[assignment]
    for other in (report.__cause__, report.__context__, *(report.exceptions or ())):
        if other is not None:
            _keep_program_frames(other, seen)


def _clear_profiler() -> None:
    """Remove the program's profile function, which would otherwise run inside the code that reports it."""
    try:
        _setprofile(None)
    except BaseException:  # noqa: BLE001
        # A profile function sees even the call that removes it; when it raises, the interpreter drops it.
        _setprofile(None)


class _StandardStreams:
    """Streams over descriptors 0, 1 and 2, the same for every program unless one was broken.

    Unbuffered, so that what was printed is there even if the process is killed a moment later.
    """

    def __init__(self) -> None:
        self._open()

    def restore(self) -> None:
        """Make them `sys.stdin`, `sys.stdout` and `sys.stderr`, whatever the last program did to those."""
        try:
            is_broken = self._stdin.closed or self._stdout.closed or self._stderr.closed
        except ValueError:  # A program detached what is below one.
            is_broken = True
        if is_broken:
            self._open()
        sys.stdin, sys.stdout, sys.stderr = self._stdin, self._stdout, self._stderr

    def _open(self) -> None:
        self._stdin = io.TextIOWrapper(io.FileIO(0, "r", closefd=False), encoding="utf-8", errors="replace")
        self._stdout = _writer(1)
        self._stderr = _writer(2)


def _writer(descriptor: int) -> io.TextIOWrapper:
    raw = io.FileIO(descriptor, "w", closefd=False)
    # A raw file where a buffered one is declared is what `python -u` does too.
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", write_through=True)  # type: ignore[arg-type, unused-ignore]


def _flush() -> None:
    """Push out what C code has buffered on its own."""
    _libc.fflush(None)
