"""Container managers: where a cluster runs."""
