"""Room on this server's disks."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def free_bytes(path: Path) -> int:
    """Free bytes for non-root on the file system that holds ``path`` or its nearest parent."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def used_bytes(path: Path) -> int:
    """Bytes that the files below a directory take on disk; files that vanish meanwhile count 0."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
            except FileNotFoundError:
                continue
    return total
