"""The settings of a cluster's three agents, as they follow from its plan and its place. Pure."""

from __future__ import annotations

from typing import Any

from tests.support.nomad.plan import DATACENTER, REGION, Site

Settings = dict[str, Any]


def consul_settings(site: Site) -> Settings:
    """Return the configuration of Consul's agent."""
    plan, ports = site.plan, site.plan.ports
    settings: Settings = {
        "datacenter": DATACENTER,
        "node_name": plan.node_name,
        "data_dir": str(site.directory / "consul"),
        "server": True,
        "bootstrap_expect": 1,
        "bind_addr": site.address,
        "client_addr": f"127.0.0.1 {site.address}",
        "ui_config": {"enabled": True},
        "disable_update_check": True,
        # Quick elections: there is only one candidate.
        "performance": {"raft_multiplier": 1},
        "leave_on_terminate": False,
        "ports": {
            "http": ports.consul_http,
            "dns": ports.consul_dns,
            "server": ports.consul_server,
            "serf_lan": ports.consul_serf,
            "serf_wan": -1,
            "grpc": -1,
        },
    }
    if plan.acl:
        settings["acl"] = {
            "enabled": True,
            "default_policy": "deny",
            "enable_token_persistence": True,
            "tokens": {"initial_management": site.secrets.consul_management},
        }
    return settings


def nomad_settings(site: Site) -> Settings:
    """Return the configuration of Nomad's agent, server and client in one."""
    plan, ports = site.plan, site.plan.ports
    settings: Settings = {
        "name": plan.node_name,
        "datacenter": DATACENTER,
        "region": REGION,
        "data_dir": str(site.directory / "nomad"),
        "bind_addr": site.address,
        "addresses": {"http": f"127.0.0.1 {site.address}"},
        "advertise": dict.fromkeys(("http", "rpc", "serf"), site.address),
        "ports": {"http": ports.nomad_http, "rpc": ports.nomad_rpc, "serf": ports.nomad_serf},
        "disable_update_check": True,
        "leave_on_interrupt": False,
        "leave_on_terminate": False,
        "consul": {"address": f"127.0.0.1:{ports.consul_http}"},
        "server": {
            "enabled": True,
            "bootstrap_expect": 1,
            "default_scheduler_config": {"memory_oversubscription_enabled": True},
        },
        "client": _nomad_client(site),
        "plugin": _drivers(),
    }
    if plan.devices:
        # A device plugin without devices delays Nomad by 50 s.
        settings["plugin_dir"] = str(site.tools.device_plugin.parent)
        settings["plugin"].append(_device_plugin(site))
    if plan.acl:
        settings["acl"] = {"enabled": True}
        settings["consul"]["token"] = site.secrets.consul_nomad
    if plan.tls:
        settings["tls"] = {
            "http": True,
            "rpc": True,
            "ca_file": str(site.ca_path),
            "cert_file": str(site.tls_dir / f"{REGION}-server-nomad.pem"),
            "key_file": str(site.tls_dir / f"{REGION}-server-nomad-key.pem"),
            "verify_server_hostname": True,
            "verify_https_client": plan.verify_https_client,
        }
    return settings


def _nomad_client(site: Site) -> Settings:
    first, last = site.plan.ports.tasks
    options = {
        # These would ask a cloud's metadata server, which is missing here.
        "fingerprint.denylist": "env_aws,env_gce,env_azure,env_digitalocean",
        "driver.denylist": ",".join(site.plan.denied_drivers),
    }
    return {
        "enabled": True,
        # Ports are mapped where containers, the host, Consul and Fabio all reach them.
        "network_interface": site.interface,
        "min_dynamic_port": first,
        "max_dynamic_port": last,
        # The same on any machine: tests count on what fits and what does not.
        "cpu_total_compute": 16000,
        # Keep the logs of ended tasks, however full the disk is.
        "gc_disk_usage_threshold": 99,
        "gc_inode_usage_threshold": 99,
        "gc_max_allocs": 500,
        "options": options,
    }


def _drivers() -> list[Settings]:
    docker = {
        "volumes": {"enabled": True},
        # Otherwise the last job of an image deletes it, though it is in no registry, and two clusters
        # on one engine remove each other's containers.
        "gc": {"image": False, "dangling_containers": {"enabled": False}},
        "extra_labels": ["node_name", "job_name", "task_name"],
    }
    return [{"docker": {"config": docker}}, {"raw_exec": {"config": {"enabled": True}}}]


def _device_plugin(site: Site) -> Settings:
    config = {"dir": str(site.directory / "devices"), "list_period": "1s"}
    return {site.tools.device_plugin.name: {"config": config}}


def fabio_command(site: Site) -> list[str]:
    """Return the command line of Fabio."""
    ports = site.plan.ports
    kinds = [(ports.fabio_http, "http"), *((port, "tcp") for port in ports.fabio_tcp)]
    listeners = [
        f"{host}:{port};proto={kind}" for port, kind in kinds for host in ("127.0.0.1", site.address)
    ]
    command = [
        str(site.tools.fabio),
        "-insecure",
        *("-proxy.addr", ",".join(listeners)),
        *("-ui.addr", f"{site.address}:{ports.fabio_ui}"),
        *("-registry.consul.addr", f"127.0.0.1:{ports.consul_http}"),
        # Its own registration has a check that stays critical if its UI listens on one address only.
        "-registry.consul.register.enabled=false",
        *("-registry.consul.checksRequired", "all"),
        *("-log.level", "WARN"),
    ]
    if site.plan.acl:
        command += ["-registry.consul.token", site.secrets.consul_fabio]
    return command


def fabio_service(site: Site) -> Settings:
    """Return the registration that makes `fabio.service.consul` resolve."""
    return {
        "ID": "fabio",
        "Name": "fabio",
        "Address": site.address,
        "Port": site.plan.ports.fabio_http,
        "Check": {"HTTP": f"{site.fabio_ui_url}/health", "Interval": "1s", "Timeout": "2s"},
    }
