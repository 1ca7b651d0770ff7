"""The management frontend: the admin REST interface over the registry."""
