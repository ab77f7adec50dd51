# Most servers are gone for good, some data is left (docs/recovery.md):
#   salt-run state.orchestrate postgres.recover_survivors \
#     pillar='{"lost": ["app-server-1.lan"], "confirm": "<cluster>"}' [test=True]
# Without confirm it prints how far each copy goes and what would be lost, and does nothing.
The most advanced copy that is left leads:
  postgres_recover.survivors_serve:
    - lost: {{ salt['pillar.get']('lost', []) | json }}
    - confirm: {{ salt['pillar.get']('confirm', none) | json }}
    - cluster: {{ salt['pillar.get']('cluster', none) | json }}
