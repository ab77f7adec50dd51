# Bring a cluster up from a backup; the same as postgres.deploy with a backup_file:
#   salt-run state.orchestrate postgres.restore pillar='{"backup_file": "postgres_backup_..."}'
# A cluster that holds data is left alone unless "confirm" is its name.
{% if salt['pillar.get']('backup_file', none) %}
include:
  - postgres.deploy
{% else %}
The backup is named:
  postgres.restore_prepared:
    - cluster: {{ salt['pillar.get']('cluster', none) | json }}
{% endif %}
