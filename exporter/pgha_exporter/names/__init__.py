"""Every metric that the exporter publishes: name, type, meaning, labels, unit.

The one source of metric names: collectors take their families from here, and rules, dashboards and
tests check against it, so that nothing can ask for a metric that does not exist.

Conventions (https://prometheus.io/docs/practices/naming/):

- every metric has the label ``scope`` (Patroni's name of the cluster) besides those listed;
- ``member`` is in the labels where the fact is about one member of the cluster;
- a moment is a Unix timestamp in seconds, never an age; 0 means "never";
- a decision (``writable``, ``lock_held``, ``has_quorum``, ``route_ok``, ``*_up``) is always there,
  as 0 or 1; a fact that is unknown at this moment is absent, never an old value;
- a state set is one gauge per possible state, 1 for the present one and 0 for the others. All are
  there together; when the state is unknown, all are absent.

Seen by: ``own`` metrics describe the node that the exporter runs on, so there is one of each in a
cluster; ``shared`` metrics describe the cluster as that node sees it, so every exporter publishes
them: aggregate with ``max by (scope, ...)`` or ``min by (scope, ...)`` before comparing.

One file per source or view; the names are used from here: ``names.ROLE``, ``names.METRICS``.
"""

from __future__ import annotations

from pgha_exporter.names.backup import *
from pgha_exporter.names.cluster import *
from pgha_exporter.names.etcd import *
from pgha_exporter.names.exporter import *
from pgha_exporter.names.metric import *
from pgha_exporter.names.patroni import *
from pgha_exporter.names.postgres import *
from pgha_exporter.names.replication import *
from pgha_exporter.names.route import *
from pgha_exporter.names.server import *

METRICS: dict[str, Metric] = {
    value.name: value for value in list(globals().values()) if isinstance(value, Metric)
}
"""All of them by name, file by file."""
