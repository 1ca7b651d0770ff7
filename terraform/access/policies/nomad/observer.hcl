# For people who look at Nomad's UI.
namespace "*" {
  policy = "read"
}

node {
  policy = "read"
}

node_pool "*" {
  policy = "read"
}

agent {
  policy = "read"
}
