# Bring a cluster up, or bring it back to what the pillar declares:
#   salt-run state.orchestrate postgres.deploy [test=True] [pillar='{"cluster": "name"}']
# The first failed step ends the run; run again after mending its cause, finished steps are no-ops.
{% set steps = [
  ('The pillar, the servers and Coolify are fit', 'checked'),
  ('Passwords and certificates exist on the Salt master', 'secrets_present'),
  ('Every server has its files, images and hostname', 'servers_configured'),
  ('etcd has quorum and its learner', 'etcd_running'),
  ('PostgreSQL has a leader', 'leader_running'),
  ('Every other node streams', 'replicas_running'),
  ('Settings, roles and databases are as declared', 'database_configured'),
  ('Every server has a router', 'routers_running'),
  ('Every server has an exporter', 'exporters_running'),
  ('Services tagged postgresql know the hostname', 'applications_told'),
  ('Every server writes and every replica shows it', 'proved'),
] %}
{% for sentence, step in steps %}
{{ sentence }}:
  postgres.{{ step }}:
    - cluster: {{ salt['pillar.get']('cluster', none) | json }}
    - failhard: True
{% endfor %}
