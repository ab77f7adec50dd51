# Make another node the leader; clients of the pools wait for some seconds instead of failing:
#   salt-run state.orchestrate postgres.switchover [test=True] pillar='{"target_node": "app-server-2.lan"}'
# Without target_node: the eligible replica with the smallest lag. force: go on although a pool cannot
# be held, or clients hold transactions for longer than pause_limit (5) seconds.
Another node leads and every other one streams from it:
  postgres_switchover.switched_over:
    - target: {{ salt['pillar.get']('target_node', none) | json }}
    - force: {{ salt['pillar.get']('force', false) | json }}
    - pause_limit: {{ salt['pillar.get']('pause_limit', 5) | json }}
    - cluster: {{ salt['pillar.get']('cluster', none) | json }}
