"""A local stand-in for Coolify's Services API; README.md in this folder says what it does."""
