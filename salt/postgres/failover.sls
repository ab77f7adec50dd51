# Promote a node when the leader is dead and Patroni elects none by itself; rows may be lost:
#   salt-run state.orchestrate postgres.failover pillar='{"confirm": "coolify_postgres"}'
# target_node: the survivor to promote; without it the one that has the most WAL.
A surviving node leads:
  postgres_switchover.failed_over:
    - target: {{ salt['pillar.get']('target_node', none) | json }}
    - confirm: {{ salt['pillar.get']('confirm', none) | json }}
    - cluster: {{ salt['pillar.get']('cluster', none) | json }}
