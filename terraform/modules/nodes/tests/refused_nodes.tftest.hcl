# Descriptions of nodes that are refused: each breaks one rule.

run "a_name_that_is_no_host_name" {
  command = plan

  variables {
    nodes = {
      server-1 = { address = "10.0.0.11", role = "server" }
      Client_1 = { address = "10.0.0.21", role = "edge" }
    }
  }

  expect_failures = [var.nodes]
}

run "a_role_that_is_not_there" {
  command = plan

  variables {
    nodes = {
      server-1 = { address = "10.0.0.11", role = "server" }
      client-1 = { address = "10.0.0.21", role = "worker" }
    }
  }

  expect_failures = [var.nodes]
}

run "two_servers" {
  command = plan

  variables {
    nodes = {
      server-1 = { address = "10.0.0.11", role = "server" }
      server-2 = { address = "10.0.0.12", role = "server" }
    }
  }

  expect_failures = [var.nodes]
}

run "no_server" {
  command = plan

  variables {
    nodes = {
      edge-1 = { address = "10.0.0.41", role = "edge" }
    }
  }

  expect_failures = [var.nodes]
}

run "an_ipv6_address" {
  command = plan

  variables {
    nodes = {
      server-1 = { address = "fd00::11", role = "server" }
    }
  }

  expect_failures = [var.nodes]
}

run "an_address_with_a_prefix_length" {
  command = plan

  variables {
    nodes = {
      server-1 = { address = "10.0.0.11/24", role = "server" }
    }
  }

  expect_failures = [var.nodes]
}

run "an_address_twice" {
  command = plan

  variables {
    nodes = {
      server-1 = { address = "10.0.0.11", role = "server" }
      edge-1   = { address = "10.0.0.11", role = "edge" }
    }
  }

  expect_failures = [var.nodes]
}

run "a_client_without_a_pool" {
  command = plan

  variables {
    nodes = {
      server-1 = { address = "10.0.0.11", role = "server" }
      client-1 = { address = "10.0.0.21", role = "client" }
    }
  }

  expect_failures = [var.nodes]
}

run "a_server_in_a_pool" {
  command = plan

  variables {
    nodes = {
      server-1 = { address = "10.0.0.11", role = "server", pool = "cpu" }
    }
  }

  expect_failures = [var.nodes]
}

run "a_root_that_is_not_absolute" {
  command = plan

  variables {
    nodes = {
      server-1 = { address = "10.0.0.11", role = "server", root = "srv" }
    }
  }

  expect_failures = [var.nodes]
}

run "a_root_that_units_cannot_name" {
  command = plan

  variables {
    nodes = {
      server-1 = { address = "10.0.0.11", role = "server", root = "/srv/node 1" }
    }
  }

  expect_failures = [var.nodes]
}
