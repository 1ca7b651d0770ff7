# Other values that are refused: each breaks one rule.

run "a_name_that_is_no_label" {
  command = plan

  variables {
    name = "My cluster"
  }

  expect_failures = [var.name]
}

run "a_region_that_is_no_label" {
  command = plan

  variables {
    region = "europe.west"
  }

  expect_failures = [var.region]
}

run "a_datacenter_that_is_no_label" {
  command = plan

  variables {
    datacenter = "DC1"
  }

  expect_failures = [var.datacenter]
}

run "a_version_without_the_packages_number" {
  command = plan

  variables {
    versions = { nomad = "1.11.3" }
  }

  expect_failures = [var.versions]
}

run "a_version_that_is_a_pattern" {
  command = plan

  variables {
    versions = { consul = "1.22.*" }
  }

  expect_failures = [var.versions]
}

run "fabio_by_http" {
  command = plan

  variables {
    fabio = { url = "http://example.org/fabio" }
  }

  expect_failures = [var.fabio]
}

run "fabio_without_a_checksum" {
  command = plan

  variables {
    fabio = { url = "https://example.org/fabio", sha256 = "" }
  }

  expect_failures = [var.fabio]
}

run "a_port_for_root" {
  command = plan

  variables {
    fabio = { http_port = 80 }
  }

  expect_failures = [var.fabio]
}

run "a_port_that_is_none" {
  command = plan

  variables {
    fabio = { tcp_ports = [70000] }
  }

  expect_failures = [var.fabio]
}

run "a_port_twice" {
  command = plan

  variables {
    fabio = { tcp_ports = [9999] }
  }

  expect_failures = [var.fabio]
}

run "a_bridge_without_a_prefix_length" {
  command = plan

  variables {
    docker_bridge = "172.17.0.1"
  }

  expect_failures = [var.docker_bridge]
}

run "a_bridge_of_16_addresses" {
  command = plan

  variables {
    docker_bridge = "172.17.0.1/28"
  }

  expect_failures = [var.docker_bridge]
}

run "a_bridge_that_is_no_address" {
  command = plan

  variables {
    docker_bridge = "docker0/16"
  }

  expect_failures = [var.docker_bridge]
}
