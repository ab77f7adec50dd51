"""The tables. Coolify's own columns that never change here are added by the views."""

from __future__ import annotations

SCHEMA = """
CREATE TABLE IF NOT EXISTS instance (key TEXT PRIMARY KEY, value TEXT NOT NULL);

CREATE TABLE IF NOT EXISTS tokens (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, secret_sha256 TEXT NOT NULL, user TEXT NOT NULL,
  team_id INTEGER NOT NULL, role TEXT NOT NULL, abilities TEXT NOT NULL, expires_at TEXT);

CREATE TABLE IF NOT EXISTS servers (
  id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE,
  description TEXT, ip TEXT NOT NULL,
  port INTEGER NOT NULL, user TEXT NOT NULL, team_id INTEGER NOT NULL DEFAULT 0,
  is_reachable INTEGER NOT NULL, is_usable INTEGER NOT NULL,
  forced_reachable INTEGER, forced_usable INTEGER,
  unreachable_count INTEGER NOT NULL DEFAULT 0, validation_logs TEXT,
  docker_version TEXT, compose_version TEXT, versions_checked_at REAL,
  cleanup TEXT NOT NULL, sentinel TEXT NOT NULL,
  created_at REAL NOT NULL, updated_at REAL NOT NULL);

CREATE TABLE IF NOT EXISTS destinations (
  id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE, server_id INTEGER NOT NULL,
  name TEXT NOT NULL, network TEXT NOT NULL, created_at REAL NOT NULL, updated_at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS destinations_server ON destinations (server_id);

CREATE TABLE IF NOT EXISTS projects (
  id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
  description TEXT, team_id INTEGER NOT NULL, created_at REAL NOT NULL, updated_at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS projects_team ON projects (team_id);

CREATE TABLE IF NOT EXISTS environments (
  id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE, project_id INTEGER NOT NULL,
  name TEXT NOT NULL, description TEXT, created_at REAL NOT NULL, updated_at REAL NOT NULL,
  UNIQUE (project_id, name));

CREATE TABLE IF NOT EXISTS services (
  id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
  description TEXT, environment_id INTEGER NOT NULL, server_id INTEGER NOT NULL,
  destination_id INTEGER NOT NULL, docker_compose_raw TEXT NOT NULL, docker_compose TEXT,
  connect_to_docker_network INTEGER NOT NULL DEFAULT 0,
  is_container_label_escape_enabled INTEGER NOT NULL DEFAULT 1, config_hash TEXT,
  deleting TEXT, deleted_at REAL, simulated INTEGER NOT NULL DEFAULT 0,
  created_at REAL NOT NULL, updated_at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS services_environment ON services (environment_id);
CREATE INDEX IF NOT EXISTS services_server ON services (server_id, simulated);
CREATE INDEX IF NOT EXISTS services_deleted ON services (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE IF NOT EXISTS sub_resources (
  id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE, service_id INTEGER NOT NULL,
  kind TEXT NOT NULL, name TEXT NOT NULL, image TEXT, ports TEXT, exposes TEXT, fqdn TEXT,
  status TEXT NOT NULL DEFAULT 'exited', exclude_from_status INTEGER NOT NULL DEFAULT 0,
  human_name TEXT, description TEXT, noindex_domains INTEGER,
  is_log_drain_enabled INTEGER NOT NULL DEFAULT 0, is_gzip_enabled INTEGER NOT NULL DEFAULT 1,
  is_stripprefix_enabled INTEGER NOT NULL DEFAULT 1,
  is_force_https_enabled INTEGER NOT NULL DEFAULT 1,
  is_public INTEGER NOT NULL DEFAULT 0, public_port INTEGER,
  public_port_timeout INTEGER DEFAULT 3600,
  last_online_at REAL NOT NULL, created_at REAL NOT NULL, updated_at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS sub_resources_service ON sub_resources (service_id);
CREATE INDEX IF NOT EXISTS sub_resources_fqdn ON sub_resources (fqdn) WHERE fqdn IS NOT NULL;

CREATE TABLE IF NOT EXISTS variables (
  id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE, service_id INTEGER NOT NULL,
  key TEXT NOT NULL, value TEXT, comment TEXT, is_literal INTEGER NOT NULL DEFAULT 0,
  is_multiline INTEGER NOT NULL DEFAULT 0, is_shown_once INTEGER NOT NULL DEFAULT 0,
  is_required INTEGER NOT NULL DEFAULT 0, created_at REAL NOT NULL, updated_at REAL NOT NULL,
  UNIQUE (service_id, key));

CREATE TABLE IF NOT EXISTS storages (
  id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE, service_id INTEGER NOT NULL,
  sub_resource_id INTEGER NOT NULL, type TEXT NOT NULL, name TEXT, fs_path TEXT, host_path TEXT,
  mount_path TEXT NOT NULL, content TEXT, is_directory INTEGER NOT NULL DEFAULT 1,
  from_compose INTEGER NOT NULL DEFAULT 1, created_at REAL NOT NULL, updated_at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS storages_service ON storages (service_id);

CREATE TABLE IF NOT EXISTS tags (
  id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
  team_id INTEGER NOT NULL, created_at REAL NOT NULL, updated_at REAL NOT NULL,
  UNIQUE (team_id, name));
CREATE TABLE IF NOT EXISTS service_tags (
  service_id INTEGER NOT NULL, tag_id INTEGER NOT NULL, PRIMARY KEY (service_id, tag_id));
CREATE INDEX IF NOT EXISTS service_tags_tag ON service_tags (tag_id);

CREATE TABLE IF NOT EXISTS tasks (
  id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE, service_id INTEGER NOT NULL,
  name TEXT NOT NULL, command TEXT NOT NULL, frequency TEXT NOT NULL, container TEXT,
  timeout INTEGER NOT NULL DEFAULT 300, enabled INTEGER NOT NULL DEFAULT 1,
  created_at REAL NOT NULL, updated_at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS tasks_service ON tasks (service_id);
CREATE TABLE IF NOT EXISTS executions (
  id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL UNIQUE, task_id INTEGER NOT NULL,
  status TEXT NOT NULL, message TEXT, duration TEXT, error_details TEXT, started_at REAL NOT NULL,
  finished_at REAL, created_at REAL NOT NULL, updated_at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS executions_task ON executions (task_id);
"""
