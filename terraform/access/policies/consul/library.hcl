service_prefix "clipper-" {
  policy = "read"
}

# Where Fabio is given by its name, fabio.service.consul.
service "fabio" {
  policy = "read"
}

node_prefix "" {
  policy = "read"
}
