# Throw a replica's data away and copy the leader's:
#   salt-run state.orchestrate postgres.reinit pillar='{"node": "app-server-2.lan"}' [test=True]
The replica has a new copy of the leader's data:
  postgres_reinit.reinitialized:
    - node: {{ salt['pillar.get']('node', none) | json }}
    - confirm: {{ salt['pillar.get']('confirm', none) | json }}
    - cluster: {{ salt['pillar.get']('cluster', none) | json }}
