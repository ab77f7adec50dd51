# Defaults first, then what the operator wrote in the site pillar; the later one wins.
base:
  '*':
    - ignore_missing: True
    - postgresql.defaults
    - postgresql.site
