# The rights of Consul's DNS, with which tasks resolve the names of services, and nodes those of other nodes.
node_prefix "" {
  policy = "read"
}

service_prefix "" {
  policy = "read"
}
