"""The file that all cores write is a gzip file for everybody, and damage is seen."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from pgha.backup.gzipped import BLOCK, GzipWriter, blocks, sha256_of
from pgha.errors import DamagedStateError


def written(path: Path, data: bytes, piece: int = 300_000) -> Path:
    with GzipWriter(path, level=1) as file:
        for start in range(0, len(data), piece):
            file.write(data[start : start + piece])
        assert file.finish() == sha256_of(path)
        assert (file.raw_bytes, file.size_bytes) == (len(data), path.stat().st_size)
    return path


@pytest.mark.parametrize("size", [0, 1, BLOCK, 2 * BLOCK + 7])
def test_gzip_reads_it(tmp_path: Path, size: int) -> None:
    data = random.Random(1).randbytes(1000) * (size // 1000 + 1)
    path = written(tmp_path / "x.gz", data[:size])
    assert gzip.decompress(path.read_bytes()) == data[:size]
    assert b"".join(blocks(path)) == data[:size]
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_existing_file_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_text("mine")
    with pytest.raises(FileExistsError):
        GzipWriter(tmp_path / "x.gz")


@pytest.mark.parametrize("left", [1, 5, 20, 100])
def test_a_truncated_file_is_seen(tmp_path: Path, left: int) -> None:
    path = written(tmp_path / "x.gz", random.Random(1).randbytes(5000))
    path.write_bytes(path.read_bytes()[:-left])
    with pytest.raises(DamagedStateError, match="truncated"):
        list(blocks(path))


def test_an_empty_file_is_truncated(tmp_path: Path) -> None:
    (tmp_path / "x.gz").touch()
    with pytest.raises(DamagedStateError, match="truncated"):
        list(blocks(tmp_path / "x.gz"))


def test_a_changed_byte_is_seen(tmp_path: Path) -> None:
    path = written(tmp_path / "x.gz", random.Random(1).randbytes(5000))
    content = bytearray(path.read_bytes())
    content[2500] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(DamagedStateError, match="corrupted"):
        list(blocks(path))


def test_something_else_is_no_gzip_file(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_text("CREATE TABLE t ();")
    with pytest.raises(DamagedStateError, match="not a gzip file"):
        list(blocks(tmp_path / "x.gz"))
