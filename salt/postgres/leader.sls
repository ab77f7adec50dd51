# Applied on the leader only: what is stored in the cluster rather than on a server.
{% set cluster = salt['pillar.get']('cluster', none) %}
# Roles come first: the look at what a setting did logs in to every member as the monitor.
The roles of the cluster are as declared:
  postgres_db.roles_present:
    - cluster: {{ cluster | json }}

The dynamic configuration of Patroni is as declared:
  patroni.config_present:
    - cluster: {{ cluster | json }}

The databases of the cluster are as declared:
  postgres_db.databases_present:
    - cluster: {{ cluster | json }}
    - require:
      - postgres_db: The roles of the cluster are as declared
