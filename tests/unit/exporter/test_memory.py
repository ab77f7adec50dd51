"""What only the start needed is given back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from pgha_exporter.memory import as_in_their_files

ROOT = Path(__file__).resolve().parents[3]
SMAPS = """\
55d0c0a70000-55d0c0d00000 r-xp 00070000 08:01 123  /usr/bin/python3.13
Rss:                 300 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
55d0c0d00000-55d0c0d10000 r--p 00300000 08:01 123  /usr/bin/python3.13
Anonymous:             0 kB
55d0c0d10000-55d0c0d20000 r--p 00310000 08:01 123  /a/library into which the linker wrote
Anonymous:             4 kB
55d0c0d20000-55d0c0d30000 rw-p 00320000 08:01 123  /usr/bin/python3.13
Anonymous:             0 kB
7f0000000000-7f0000010000 r-xp 00000000 00:00 0
Anonymous:             0 kB
7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0                          [vdso]
Anonymous:             0 kB
"""
SCRIPT = """
import re, ssl, sys
import grpc
from pgha_exporter.memory import settle
def resident():
    return int(re.search(r"RssFile:\\s+(\\d+)", open("/proc/self/status").read()).group(1))
before = resident()
settle()
assert resident() < before - 1024, (before, resident())
ssl.create_default_context()
assert grpc.insecure_channel("127.0.0.1:1")
print("goes on")
"""


def test_only_files_that_nobody_wrote_into() -> None:
    assert list(as_in_their_files(SMAPS)) == [
        (0x55D0C0A70000, 0x55D0C0D00000),
        (0x55D0C0D00000, 0x55D0C0D10000),
    ]


def test_a_process_shrinks_and_goes_on() -> None:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'exporter'}:{ROOT / '_utils'}"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "goes on\n"), done.stderr
