# The names users know, with their defaults. Override them in the site pillar
# (postgresql/site.sls); never put a password here, they are generated on the Salt master.
postgresql_hostname: db.postgres.host.uk.com
postgresql_cluster_name: coolify_postgres
postgresql_version: 16
postgresql_port: 5432
postgresql_replica_port: 5433
postgresql_pool_port: 6432
postgresql_member_port: 5434
patroni_restapi_port: 8008
postgresql_exporter_port: 8010
etcd_client_port: 2379
etcd_peer_port: 2380
etcd_voters: auto
patroni_ttl: 30
patroni_loop_wait: 10
patroni_retry_timeout: 10
patroni_maximum_lag_on_failover: 1048576
postgresql_synchronous_mode: 'off'
postgresql_rolling: auto
postgresql_parameters: {}
postgresql_application_networks:
  - 10.0.0.0/8
postgresql_app_database: application
postgresql_app_user: app_user
postgresql_admin_networks: []
postgresql_backup_retention_days: 7
postgresql_backup_schedule: 'off'
postgresql_nodes:
  - name: postgres-node-1
    host: app-server-1.lan
    ip: 172.28.0.20
    role: primary
  - name: postgres-node-2
    host: app-server-2.lan
    ip: 172.28.0.21
    role: replica
  - name: postgres-node-3
    host: controller.lan
    ip: 172.28.0.10
    role: replica
  - name: postgres-node-4
    host: builder.lan
    ip: 172.28.0.30
    role: replica
postgresql_client_services: []
postgresql_images: {}
coolify_url: http://controller.lan:8000
coolify_project: postgresql
coolify_environment: production
coolify_controller: controller.lan
coolify_verify_tls: true
