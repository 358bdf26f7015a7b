"""Rows of JSON-lines files, plain or gzipped: a damaged row is named and skipped, the others are read."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar, cast

from pydantic import BaseModel, ValidationError

from abaci.errors import InvalidInput
from abaci.types import Value

MAX_LINE_BYTES = 32 * 1024 * 1024
"""A longer line is reported as malformed; of it only this much is ever in memory."""

MAX_PROBLEM_CHARS = 300

_Row = TypeVar("_Row", bound=BaseModel)


class MalformedRow(Value):
    """A row that was skipped. `line` counts from 1."""

    line: int
    problem: str


class RowFile:
    """The rows of one `.jsonl` or `.jsonl.gz` file, as `(line number, object)`; blank lines are skipped.

    Iterate it once. `malformed` then names every row that was no JSON object, was not UTF-8, or was cut off with the
    file; `reject` adds to it.

    Raises:
        InvalidInput: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.malformed: list[MalformedRow] = []

    def __iter__(self) -> Iterator[tuple[int, dict[str, object]]]:
        with _open(self.path) as stream:
            for line, raw in self._read_lines(stream):
                if len(raw) > MAX_LINE_BYTES:
                    self.reject(line, f"the line is longer than {MAX_LINE_BYTES} bytes")
                    continue
                row = self._decode(line, raw)
                if row is not None:
                    yield line, row

    def reject(self, line: int, problem: str) -> None:
        """Name a row as malformed."""
        self.malformed.append(MalformedRow(line=line, problem=problem[:MAX_PROBLEM_CHARS]))

    def _read_lines(self, stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
        line = 0
        while True:
            line += 1
            try:
                raw = stream.readline(MAX_LINE_BYTES + 1)
                last = raw
                while len(raw) > MAX_LINE_BYTES and last and not last.endswith(b"\n"):
                    last = stream.readline(MAX_LINE_BYTES)
            except (EOFError, zlib.error, OSError) as error:
                self.reject(line, f"the file cannot be read beyond this line: {error}")
                return
            if not raw:
                return
            yield line, raw

    def _decode(self, line: int, raw: bytes) -> dict[str, object] | None:
        try:
            text = raw.decode("utf-8-sig" if line == 1 else "utf-8").strip()
            row = json.loads(text) if text else None
        except UnicodeDecodeError as error:
            self.reject(line, f"not UTF-8: {error.reason} at byte {error.start}")
            return None
        except (ValueError, RecursionError) as error:
            self.reject(line, f"not JSON: {error}")
            return None
        if text and not isinstance(row, dict):
            self.reject(line, f"a JSON object was expected, this is {type(row).__name__}")
            return None
        return cast("dict[str, object] | None", row)


class TypedRows(Generic[_Row]):
    """The rows of a file as values of `model`; a row that does not fit is malformed and skipped.

    Raises:
        InvalidInput: the file cannot be opened.
    """

    def __init__(self, path: Path, model: type[_Row]) -> None:
        self._file = RowFile(path)
        self._model = model

    @property
    def malformed(self) -> tuple[MalformedRow, ...]:
        """The rows skipped so far."""
        return tuple(self._file.malformed)

    def __iter__(self) -> Iterator[tuple[int, _Row]]:
        for line, row in self._file:
            try:
                parsed = self._model.model_validate(row)
            except ValidationError as error:
                self._file.reject(line, _describe(error))
                continue
            yield line, parsed


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror or error}", field="path") from error
    with file:
        if path.name.endswith(".gz"):
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield cast("BinaryIO", unpacked)
        else:
            yield file


def _describe(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "row"
    return f"{where}: {first['msg']}"
