# Three servers, two machines for models, one with GPUs, and the way in. The material is in a file of its own.
name = "models"

nodes = {
  server-1 = { address = "10.0.0.11", role = "server", zone = "room-a" }
  server-2 = { address = "10.0.0.12", role = "server", zone = "room-b" }
  server-3 = { address = "10.0.0.13", role = "server", zone = "room-c" }

  cpu-1 = { address = "10.0.0.21", role = "client", pool = "cpu", zone = "room-a" }
  cpu-2 = { address = "10.0.0.22", role = "client", pool = "cpu", zone = "room-b" }
  gpu-1 = { address = "10.0.0.31", role = "client", pool = "gpu", zone = "room-a" }

  edge-1 = { address = "10.0.0.41", role = "edge", zone = "room-a" }
}

pools = {
  # HostVolume("redis") in NomadContainerManager's terms. It is on each of them: Redis starts where its job puts it.
  cpu = { host_volumes = ["redis"] }
  gpu = { node_class = "l40s", gpu = {} }
}
