# etcd has lost its data on most voters, PostgreSQL's data is there (docs/recovery.md):
#   salt-run state.orchestrate postgres.recover_etcd pillar='{"confirm": "<cluster>"}' [test=True]
# Refused while etcd has quorum. Old etcd data is kept beside the new.
etcd runs and the leader of before leads:
  postgres_recover.etcd_begun_anew:
    - confirm: {{ salt['pillar.get']('confirm', none) | json }}
    - cluster: {{ salt['pillar.get']('cluster', none) | json }}
