"""etcd as this node sees it."""

from __future__ import annotations

from pgha_exporter.names.metric import gauge, histogram

ETCD_OPERATIONS = ("linearizable_read", "status")
ETCD_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)
ALARMS = ("nospace", "corrupt")

ETCD_HAS_QUORUM = gauge(
    "pgha_etcd_has_quorum", "1 when this node could read with quorum in time.", view="shared"
)
ETCD_REQUEST_DURATION = histogram(
    "pgha_etcd_request_duration_seconds",
    "How long etcd took to answer this node, by operation.",
    "op",
    op=ETCD_OPERATIONS,
)
ETCD_VOTERS = gauge("pgha_etcd_voters", "Voting members of etcd.", view="shared")
ETCD_HEALTHY_VOTERS = gauge(
    "pgha_etcd_healthy_voters",
    "Voting members of etcd that answer this node and follow a leader.",
    view="shared",
)
ETCD_FAILURE_TOLERANCE = gauge(
    "pgha_etcd_failure_tolerance",
    "Healthy voters above the quorum: 0 means that the next loss stops etcd; negative is lost.",
    view="shared",
)
ETCD_MEMBER_UP = gauge(
    "pgha_etcd_member_up",
    "1 when the member of etcd answered this node in time.",
    "etcd_member",
    view="shared",
)
ETCD_MEMBER_IS_LEADER = gauge(
    "pgha_etcd_member_is_leader",
    "1 when the member leads etcd; absent when it does not answer.",
    "etcd_member",
    view="shared",
)
ETCD_MEMBER_IS_LEARNER = gauge(
    "pgha_etcd_member_is_learner", "1 when the member has no vote.", "etcd_member", view="shared"
)
ETCD_DB_SIZE = gauge(
    "pgha_etcd_db_size_bytes",
    "Size of the member's database file.",
    "etcd_member",
    view="shared",
)
ETCD_DB_IN_USE = gauge(
    "pgha_etcd_db_in_use_bytes", "What of that file is in use.", "etcd_member", view="shared"
)
ETCD_DB_QUOTA = gauge(
    "pgha_etcd_db_quota_bytes",
    "Size of the database at which etcd stops to accept writes.",
    "etcd_member",
    view="shared",
)
ETCD_RAFT_APPLIED_LAG = gauge(
    "pgha_etcd_raft_applied_lag",
    "Committed entries of the raft log that the member has not applied.",
    "etcd_member",
    view="shared",
)
ETCD_ALARM = gauge(
    "pgha_etcd_alarm",
    "1 when the member raised the alarm.",
    "etcd_member",
    "alarm",
    view="shared",
    alarm=ALARMS,
)
