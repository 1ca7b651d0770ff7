# What is wrong between variables: the output `files` is refused, and says all of it.

run "nothing" {
  command = plan

  assert {
    condition     = length(local.problems) == 0
    error_message = "There are problems: ${join(" ", local.problems)}"
  }
}

run "no_such_pool" {
  command = plan

  variables {
    pools = { gpu = { gpu = {} } }
  }

  expect_failures = [output.files]

  assert {
    condition     = one(local.problems) == "The pool \"cpu\" of the node cpu-1 is not in `pools`, which has: gpu."
    error_message = "The problems are: ${join(" ", local.problems)}"
  }
}

run "a_node_without_material" {
  command = plan

  variables {
    nodes = {
      server-1 = { address = "10.0.0.11", role = "server" }
      edge-2   = { address = "10.0.0.42", role = "edge" }
    }
    fetch_secrets = {}
  }

  expect_failures = [output.files]

  assert {
    condition = toset(local.problems) == toset([
      "`material.certificates` has no certificate for the node edge-2.",
      "`material.consul_agent_tokens` has no token for the node edge-2.",
    ])
    error_message = "The problems are: ${join(" ", local.problems)}"
  }
}

run "secrets_fetched_for_nobody" {
  command = plan

  variables {
    fetch_secrets = { cpu-1 = "true", gpu-1 = "true", cpu-9 = "true" }
  }

  expect_failures = [output.files]

  assert {
    condition = toset(local.problems) == toset([
      for name in ["gpu-1", "cpu-9"] :
      "`fetch_secrets` has a command for ${name}, which is not a node with the root /, so it has no user data."
    ])
    error_message = "The problems are: ${join(" ", local.problems)}"
  }
}

run "nodes_within_dockers_network" {
  command = plan

  variables {
    docker_bridge = "10.0.200.1/16"
  }

  expect_failures = [output.files]

  assert {
    condition     = contains(local.problems, "The address 10.0.0.21 of the node cpu-1 is within `docker_bridge`, 10.0.200.1/16: containers could not reach it.")
    error_message = "The problems are: ${join(" ", local.problems)}"
  }

  assert {
    condition     = length(local.problems) == 6
    error_message = "Each node is in Docker's network, and the problems are: ${join(" ", local.problems)}"
  }
}
