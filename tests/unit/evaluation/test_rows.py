"""Reading JSON-lines files with damaged rows."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from pydantic import BaseModel

from abaci.errors import InvalidInput
from abaci.evaluation.rows import MAX_LINE_BYTES, RowFile, TypedRows


class Named(BaseModel):
    name: str


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_rows_come_with_their_line_numbers(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    content = b'{"a": 1}\n\n{"a": 2}'
    path.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    rows = RowFile(path)
    assert list(rows) == [(1, {"a": 1}), (3, {"a": 2})]
    assert rows.malformed == []


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (b'{"a": ', "not JSON"),
        (b"[1]", "a JSON object was expected, this is list"),
        (b"null", "a JSON object was expected, this is NoneType"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b"[" * 200_000, "not JSON"),
        (b'{"a": ' + b"1" * 5000 + b"}", "not JSON"),
    ],
)
def test_a_damaged_row_is_named_and_the_rest_is_read(tmp_path: Path, bad: bytes, problem: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\n' + bad + b'\n{"a": 3}\n')
    rows = RowFile(path)
    assert [line for line, _ in rows] == [1, 3]
    assert [row.line for row in rows.malformed] == [2]
    assert rows.malformed[0].problem.startswith(problem)


def test_an_endless_line_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'"' + b"x" * (MAX_LINE_BYTES * 2 + 5) + b'"\n{"a": 2}\n')
    rows = RowFile(path)
    assert list(rows) == [(2, {"a": 2})]
    assert "longer than" in rows.malformed[0].problem


def test_a_byte_order_mark_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\n')
    assert list(RowFile(path)) == [(1, {"a": 1})]


def test_a_truncated_archive_gives_what_it_still_holds(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    lines = b"".join(b'{"a": %d, "b": "%s"}\n' % (i, gzip.compress(b"%d" % i).hex().encode()) for i in range(2000))
    packed = gzip.compress(lines)
    path.write_bytes(packed[: len(packed) // 2])
    rows = RowFile(path)
    read = [line for line, _ in rows]
    assert 100 < len(read) < 2000
    assert [row.line for row in rows.malformed] == [len(read) + 1]
    assert "cannot be read beyond this line" in rows.malformed[0].problem


def test_a_plain_file_called_gz_is_malformed(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_text('{"a": 1}\n')
    rows = RowFile(path)
    assert list(rows) == []
    assert rows.malformed[0].line == 1


def test_a_missing_file_is_invalid_input(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"cannot read .*absent.jsonl: No such file"):
        list(RowFile(tmp_path / "absent.jsonl"))


def test_a_row_without_a_needed_field_says_which(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"name": "x"}\n{"nam": "y"}\n{"name": 3}\n')
    rows = TypedRows(path, Named)
    assert [(line, row.name) for line, row in rows] == [(1, "x")]
    assert [(row.line, row.problem) for row in rows.malformed] == [
        (2, "name: Field required"),
        (3, "name: Input should be a valid string"),
    ]
