# Grafana's dashboards on the controller, which it looks at once a minute.
# Included by postgres.monitoring_server where Grafana is part of the stack.
{% set cluster = salt['pillar.get']('cluster', none) %}
{% set stack = salt['postgres_monitoring.stack'](cluster=cluster) %}
Grafana has the dashboards of this version and no other:
  file.recurse:
    - name: {{ stack.dashboards }}
    - source: salt://postgres/monitoring/dashboards
    - clean: True
    - file_mode: '0644'
    - require:
      - postgres_monitoring_server: Prometheus has its directories, configuration and image
