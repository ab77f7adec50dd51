"""Show the list of ``salt-run postgres.backups`` as a table; plain when piped.

CLI Example:

.. code-block:: bash

    salt-run postgres.backups
    salt-run postgres.backups --out=json
"""

from __future__ import annotations

COLUMNS = ("Backup", "Age", "Size", "Rows", "PostgreSQL", "From", "Took", "Verified")
RIGHT = ("Age", "Size", "Rows", "Took")


def output(data, **kwargs):
    """
    Return the list as text.

    data
        What ``postgres.backups`` returned.
    """
    listed = data.get("data", data)
    if not isinstance(listed, dict) or "backups" not in listed:
        raise TypeError("not a list of backups")  # Salt then shows it with its own outputter
    if not listed["backups"]:
        return f"{listed['cluster']} has no backups in {listed['folder']}."
    rows = [_row(backup) for backup in listed["backups"]]
    widths = [max(map(len, column)) for column in zip(COLUMNS, *rows, strict=True)]
    lines = [_line(row, widths) for row in (COLUMNS, *rows)]
    return "\n".join([f"Backups of {listed['cluster']} in {listed['folder']}:", "", *lines])


def _line(row, widths):
    cells = (
        cell.rjust(width) if name in RIGHT else cell.ljust(width)
        for name, cell, width in zip(COLUMNS, row, widths, strict=True)
    )
    return "  ".join(cells).rstrip()


def _row(backup):
    if backup.get("problem"):
        cells = (backup["name"], "-", "-", "-", "-", "-", "-", backup["problem"])
    else:
        cells = (
            backup["name"],
            _age(backup["age_s"]),
            _size(backup["size_bytes"]),
            str(backup["rows"]),
            backup["postgresql_version"],
            backup["source"]["host"],
            f"{backup['duration_s']:.0f} s",
            _verified(backup),
        )
    return ["".join(char if char.isprintable() else "?" for char in cell) for cell in cells]


def _verified(backup):
    if backup["verify_problem"]:
        return f"FAILED: {backup['verify_problem']}"
    return backup["verified_at"] or "not yet"


def _age(seconds):
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _size(count):
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e3:.1f} kB"
