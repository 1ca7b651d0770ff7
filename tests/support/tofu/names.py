"""Providers' resources, and Terraform's names for the names that Pulumi's packages change.

Pulumi makes its packages from the providers' own schemas: it gives lists plural names, replaces a list of at
most one element by the element, and makes sets lists.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Provider:
    """A provider, the Python package that has its schema, and the class in there of each resource.

    A class is named by its folder in the package and its own name. The packages do not record the provider's
    release that they were made from; `version` is not newer than that.
    """

    source: str
    version: str
    package: str
    resources: dict[str, str]

    @property
    def name(self) -> str:
        return self.source.rpartition("/")[2]


#: The resources that terraform/ uses. Add new ones here, and below the names of theirs that Pulumi changes.
PROVIDERS = (
    Provider(
        source="scaleway/scaleway",
        version="2.82.0",
        package="pulumiverse_scaleway",
        resources={
            "scaleway_domain_record": "domain.Record",
            "scaleway_iam_api_key": "iam.ApiKey",
            "scaleway_iam_application": "iam.Application",
            "scaleway_iam_policy": "iam.Policy",
            "scaleway_iam_ssh_key": "iam.SshKey",
            "scaleway_instance_ip": "instance.Ip",
            "scaleway_instance_placement_group": "instance.PlacementGroup",
            "scaleway_instance_private_nic": "instance.PrivateNic",
            "scaleway_instance_security_group": "instance.SecurityGroup",
            "scaleway_instance_server": "instance.Server",
            "scaleway_ipam_ip": "ipam.Ip",
            "scaleway_lb": "loadbalancers.LoadBalancer",
            "scaleway_lb_backend": "loadbalancers.Backend",
            "scaleway_lb_certificate": "loadbalancers.Certificate",
            "scaleway_lb_frontend": "loadbalancers.Frontend",
            "scaleway_lb_ip": "loadbalancers.Ip",
            "scaleway_registry_namespace": "registry.Namespace",
            "scaleway_secret": "secrets.Secret",
            "scaleway_secret_version": "secrets.Version",
            "scaleway_vpc": "network.Vpc",
            "scaleway_vpc_private_network": "network.PrivateNetwork",
        },
    ),
    Provider(
        source="hashicorp/tls",
        version="4.1.0",
        package="pulumi_tls",
        resources={
            "tls_cert_request": "CertRequest",
            "tls_locally_signed_cert": "LocallySignedCert",
            "tls_private_key": "PrivateKey",
            "tls_self_signed_cert": "SelfSignedCert",
        },
    ),
    Provider(
        source="hashicorp/random",
        version="3.7.2",
        package="pulumi_random",
        resources={"random_bytes": "RandomBytes", "random_uuid": "RandomUuid"},
    ),
)

# Pulumi generates missing names, so its packages do not show that Terraform requires one.
_NAME_REQUIRED = frozenset({"scaleway_registry_namespace", "scaleway_secret"})

# Attributes that are lists and have singular names in Terraform.
_SINGULAR_LISTS = frozenset(
    {"http_filter_values", "ip_subnets", "resources", "static_configs", "subject_alternative_names"}
)

# Blocks that have plural names in Terraform too.
_PLURAL_BLOCKS = frozenset({"filesystems", "ipv6_subnets", "matches", "private_ips", "public_ips"})

# Sets, which the packages have as lists.
_SETS = frozenset(
    {
        "scaleway_iam_policy.rule.permission_set_names",
        "scaleway_lb.private_network",
        "scaleway_vpc_private_network.ipv6_subnets",
    }
)


def requires_name(resource: str) -> bool:
    """Return whether Terraform requires the resource's `name`, which is optional in the packages."""
    return resource in _NAME_REQUIRED


def attribute_name(name: str) -> str:
    """Return Terraform's name of an attribute."""
    return name.removesuffix("s") if name in _SINGULAR_LISTS else name


def block_name(name: str, repeated: bool) -> str:
    """Return Terraform's name of a block: as a rule singular, even if there may be several."""
    if not repeated or name in _PLURAL_BLOCKS:
        return name
    return f"{name[:-3]}y" if name.endswith("ies") else name.removesuffix("s")


def is_flattened_list(name: str) -> bool:
    """Return whether an attribute is a list of at most one in Terraform, though not in the package."""
    return name.endswith("_ids")


def is_set(path: str) -> bool:
    """Return whether an attribute or a block, named by its full path, is a set in Terraform."""
    return path in _SETS
