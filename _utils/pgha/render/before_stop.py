"""Patroni's hook ``before_stop``: an announced stop of PostgreSQL takes as long as it takes.

Patroni (4.1) looks once a second whether PostgreSQL has shut down before it gives the leader key
away (``STOP_POLLING_INTERVAL``), so a shutdown of 0.2 s costs clients a whole second of every
switchover. The hook runs right before Patroni's own stop. When a switchover has been announced
(docs/adr/0004) it stops PostgreSQL itself, in the same mode, and Patroni then finds it stopped.
Without an announcement it does nothing, and it never takes longer than its bound: Patroni's own
stop follows in any case.
"""

from __future__ import annotations

from pgha.render.places import POSTGRES_DATA, POSTGRES_VOLUME

NAME = "before-stop"
ANNOUNCEMENT = "handover-until"
"""In PostgreSQL's volume, beside the data: the second since the epoch until which it counts."""
BOUND_S = 5

SCRIPT = f"""\
#!/bin/sh
# Run by Patroni before it stops PostgreSQL. For an announced switchover it stops it here, because
# Patroni would notice the end only a second later.
announcement={POSTGRES_VOLUME}/{ANNOUNCEMENT}
until=$(cat "$announcement" 2>/dev/null) || exit 0
rm -f "$announcement"
[ "$until" -ge "$(date +%s)" ] 2>/dev/null || exit 0
exec pg_ctl stop --silent --pgdata={POSTGRES_DATA} --mode=fast --wait --timeout={BOUND_S}
"""
