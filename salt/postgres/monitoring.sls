# Prometheus and the Alertmanager of a cluster, as a Coolify stack on the controller:
#   salt-run state.orchestrate postgres.monitoring [test=True] [pillar='{"address": "172.28.0.10"}']
# address: the controller's address that Prometheus' pages are served on; they have no password, so
# without it they are on its loopback.
Prometheus watches the cluster:
  postgres_monitoring.running:
    - address: {{ salt['pillar.get']('address', '127.0.0.1') | json }}
    - cluster: {{ salt['pillar.get']('cluster', none) | json }}
