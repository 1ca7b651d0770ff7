"""The query frontend, the management frontend, and the registry in Redis that they share."""
