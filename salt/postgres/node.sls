# What one server of a cluster has before and beside its containers.
# Nothing here starts or stops a container: Coolify does that, asked by the orchestration.
# A highstate covers every cluster of this server, the orchestration names the one it works on.
{% set named = salt['pillar.get']('cluster', none) %}
# A minion that has nothing to do with PostgreSQL may lack the packages that the module needs.
{% set mine = salt['postgres_node.clusters']() if 'postgres_node.clusters' in salt else [] %}
{% for cluster in ([named] if named else mine) %}
The directories of {{ cluster }} exist:
  postgres_node.directories_present:
    - cluster: {{ cluster | json }}

The configuration files, certificates and wrappers of {{ cluster }} are as declared:
  postgres_node.files_present:
    - cluster: {{ cluster | json }}
    - require:
      - postgres_node: The directories of {{ cluster }} exist

The images of the stacks of {{ cluster }} are in Docker:
  postgres_node.images_present:
    - cluster: {{ cluster | json }}

Processes here resolve the hostname of {{ cluster }} to the router of this server:
  postgres_node.hostname_present:
    - cluster: {{ cluster | json }}
{% set times = salt['pillar.get']('backup_times', {}) %}
{% if grains['id'] in times %}
The exporter knows when {{ cluster }} was last backed up:
  postgres_node.backups_told:
    - times: {{ times[grains['id']] | json }}
    - cluster: {{ cluster | json }}
    - require:
      - postgres_node: The directories of {{ cluster }} exist
{% endif %}

No client of the pool of {{ cluster }} is held by an interrupted run:
  postgres_pool.resumed:
    - cluster: {{ cluster | json }}
    - require:
      - postgres_node: The configuration files, certificates and wrappers of {{ cluster }} are as declared
{% else %}
This server is no node of a cluster (or has not loaded the module postgres_node):
  test.nop
{% endfor %}
