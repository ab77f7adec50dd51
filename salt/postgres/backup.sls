# Take a backup from the replica that is least behind, into the state directory of the Salt master:
#   salt-run state.orchestrate postgres.backup [pillar='{"format": "directory"}'] [test=True]
A backup of the cluster is taken:
  postgres_backup.taken:
    - format: {{ salt['pillar.get']('format', 'sql') | json }}
    - cluster: {{ salt['pillar.get']('cluster', none) | json }}
