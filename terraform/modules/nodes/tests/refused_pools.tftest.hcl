# Descriptions of pools that are refused: each breaks one rule.

run "no_driver" {
  command = plan

  variables {
    pools = { cpu = { drivers = [] }, gpu = {} }
  }

  expect_failures = [var.pools]
}

run "a_driver_that_is_not_offered" {
  command = plan

  variables {
    pools = { cpu = { drivers = ["docker", "java"] }, gpu = {} }
  }

  expect_failures = [var.pools]
}

run "a_way_to_a_gpu_driver_that_is_not_there" {
  command = plan

  variables {
    pools = { cpu = { gpu = { driver = "nouveau" } }, gpu = {} }
  }

  expect_failures = [var.pools]
}

run "gpus_without_docker" {
  command = plan

  variables {
    pools = { cpu = { drivers = ["exec"], gpu = {} }, gpu = {} }
  }

  expect_failures = [var.pools]
}

run "a_volume_that_is_a_path" {
  command = plan

  variables {
    pools = { cpu = { host_volumes = ["../etc"] }, gpu = {} }
  }

  expect_failures = [var.pools]
}

run "the_node_pool_of_all_nodes" {
  command = plan

  variables {
    pools = { cpu = { node_pool = "all" }, gpu = {} }
  }

  expect_failures = [var.pools]
}

run "a_node_pool_with_a_space" {
  command = plan

  variables {
    pools = { cpu = { node_pool = "my pool" }, gpu = {} }
  }

  expect_failures = [var.pools]
}

run "metadata_that_is_taken" {
  command = plan

  variables {
    pools = { cpu = { meta = { zone = "a" } }, gpu = {} }
  }

  expect_failures = [var.pools]
}
