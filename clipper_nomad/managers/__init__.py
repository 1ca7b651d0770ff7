"""Container managers: the places where a cluster runs. Each of the three folders is one."""
