# What the controller has for Prometheus, the Alertmanager and Grafana, and what Coolify runs of
# them. Applied by postgres.monitoring, which waits for the result and says whether Grafana is there.
{% set cluster = salt['pillar.get']('cluster', none) %}
{% set address = salt['pillar.get']('address', '127.0.0.1') %}
{% set grafana = salt['pillar.get']('grafana', false) %}
{% set stack = salt['postgres_monitoring.stack'](address, grafana=grafana, cluster=cluster) %}
{% if grafana %}
include:
  - postgres.monitoring_grafana
{% endif %}

Prometheus has its directories, configuration and image:
  postgres_monitoring_server.configured:
    - address: {{ address | json }}
    - grafana: {{ grafana | json }}
    - cluster: {{ cluster | json }}

Prometheus has the alert rules of this version and no other:
  file.recurse:
    - name: {{ stack.directory }}/rules
    - source: salt://postgres/monitoring/alerts
    - clean: True
    - file_mode: '0644'
    - require:
      - postgres_monitoring_server: Prometheus has its directories, configuration and image

The Alertmanager has a configuration, which is the operator's from then on:
  file.managed:
    - name: {{ stack.directory }}/alertmanager.yml
    - source: salt://postgres/monitoring/alertmanager.yml
    - replace: False
    - mode: '0644'
    - require:
      - postgres_monitoring_server: Prometheus has its directories, configuration and image

A running Prometheus reads what has changed:
  module.run:
    - postgres_monitoring.reload:
      - cluster: {{ cluster | json }}
    - onchanges:
      - postgres_monitoring_server: Prometheus has its directories, configuration and image
      - file: Prometheus has the alert rules of this version and no other

Coolify holds the monitoring stack:
  coolify.service_present:
    - name: {{ stack.name }}
    - server: {{ stack.server | json }}
    - compose: {{ stack.compose | json }}
    - apply_changes: True
    - cluster: {{ cluster | json }}
    - require:
      - file: The Alertmanager has a configuration, which is the operator's from then on

The monitoring stack runs:
  coolify.service_running:
    - name: {{ stack.name }}
    - cluster: {{ cluster | json }}
    - require:
      - coolify: Coolify holds the monitoring stack
