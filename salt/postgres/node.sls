# What one server of a cluster has before and beside its containers.
# Nothing here starts or stops a container: Coolify does that, asked by the orchestration.
{% set nodes = salt['pillar.get']('postgresql_nodes', []) %}
{% if grains['id'] in nodes | map(attribute='host') | list %}
{% set cluster = salt['pillar.get']('cluster', none) %}
The directories of the cluster exist:
  postgres_node.directories_present:
    - cluster: {{ cluster | json }}

The configuration files, certificates and wrappers are as declared:
  postgres_node.files_present:
    - cluster: {{ cluster | json }}
    - require:
      - postgres_node: The directories of the cluster exist

The images of the cluster's stacks are in Docker:
  postgres_node.images_present:
    - cluster: {{ cluster | json }}

Processes here resolve the service hostname to the router of this server:
  postgres_node.hostname_present:
    - cluster: {{ cluster | json }}

No client of the pool is held by an interrupted run:
  postgres_pool.resumed:
    - cluster: {{ cluster | json }}
    - require:
      - postgres_node: The configuration files, certificates and wrappers are as declared
{% else %}
This server is no node of the cluster:
  test.nop
{% endif %}
