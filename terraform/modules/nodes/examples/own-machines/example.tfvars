# Three servers, a machine for models, one with GPUs, one for Redis, and an edge. The material is in a file of its own.
name = "models"

nodes = {
  server-1 = { address = "10.0.0.11", role = "server", zone = "room-a" }
  server-2 = { address = "10.0.0.12", role = "server", zone = "room-b" }
  server-3 = { address = "10.0.0.13", role = "server", zone = "room-c" }

  cpu-1   = { address = "10.0.0.21", role = "client", pool = "cpu", zone = "room-a" }
  state-1 = { address = "10.0.0.22", role = "client", pool = "state", zone = "room-b" }
  gpu-1   = { address = "10.0.0.31", role = "client", pool = "gpu", zone = "room-a" }

  edge-1 = { address = "10.0.0.41", role = "edge", zone = "room-a" }
}

pools = {
  cpu = {}
  gpu = { node_class = "l40s", gpu = {} }
  # HostVolume("redis") for NomadContainerManager. Only one node has it: on another with a volume of that name Redis
  # would start empty. Models run there too.
  state = { host_volumes = ["redis"] }
}
