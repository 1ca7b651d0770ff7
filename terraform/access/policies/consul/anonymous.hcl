# Consul's DNS answers by this: tasks resolve services' names with it, and nodes those of other nodes.
node_prefix "" {
  policy = "read"
}

service_prefix "" {
  policy = "read"
}
