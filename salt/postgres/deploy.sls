# Bring a cluster up, or bring it back to what the pillar declares:
#   salt-run state.orchestrate postgres.deploy [test=True] [pillar='{"cluster": "name"}']
# The first failed step ends the run; run again after mending its cause, finished steps are no-ops.
# With pillar='{"restore_from_backup": true, "backup_file": "postgres_backup_..."}' the new leader is
# filled from a backup before anybody can connect: docs/restore.md.
{% set backup = salt['pillar.get']('backup_file', none) %}
{% set restore = backup or salt['pillar.get']('restore_from_backup', false) %}
{% set prepare = [('The backup is whole and there is a place for it', 'restore_prepared')] %}
{% set fill = [('The leader holds what the backup holds', 'restored')] %}
{% set steps = [
  ('The pillar, the servers and Coolify are fit', 'checked'),
] + (prepare if restore else []) + [
  ('The impact of every change is known', 'planned'),
  ('Passwords and certificates exist on the Salt master', 'secrets_present'),
  ('Every server has its files, images and hostname', 'servers_configured'),
  ('etcd has quorum and its learner', 'etcd_running'),
  ('PostgreSQL has a leader', 'leader_running'),
] + (fill if restore else []) + [
  ('Settings, roles and databases are as declared', 'database_configured'),
  ('Every other node streams', 'replicas_running'),
  ('Every server has a router', 'routers_running'),
  ('Every server has an exporter', 'exporters_running'),
  ('Nothing runs as it was before a change', 'rolled'),
  ('Services tagged postgresql know the hostname', 'applications_told'),
  ('Every server writes and every replica shows it', 'proved'),
] %}
{% for sentence, step in steps %}
{{ sentence }}:
  postgres.{{ step }}:
    - cluster: {{ salt['pillar.get']('cluster', none) | json }}
{%- if step in ('restore_prepared', 'restored') %}
    - backup: {{ backup | json }}
{%- endif %}
{%- if step == 'restore_prepared' %}
    - confirm: {{ salt['pillar.get']('confirm', none) | json }}
{%- endif %}
    - failhard: True
{% endfor %}
