# A highstate converges what one server can do alone: directories, files, images, hostname.
# Clusters come up and change through `salt-run state.orchestrate postgres.deploy`.
base:
  '*':
    - postgres.node
