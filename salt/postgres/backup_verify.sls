# Restore a backup into a throwaway PostgreSQL on the Salt master and compare it with its manifest:
#   salt-run state.orchestrate postgres.backup_verify [pillar='{"backup_file": "postgres_backup_..."}']
The backup can be restored and holds what its manifest says:
  postgres_backup.verified:
    - backup: {{ salt['pillar.get']('backup_file', none) | json }}
    - cluster: {{ salt['pillar.get']('cluster', none) | json }}
