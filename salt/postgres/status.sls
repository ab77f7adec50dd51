# `salt-run postgres.status` prints the table; this orchestration fails when it is not healthy:
#   salt-run state.orchestrate postgres.status
The cluster is healthy:
  salt.runner:
    - name: postgres.status
    - cluster: {{ salt['pillar.get']('cluster', none) | json }}
