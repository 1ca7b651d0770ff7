#!/bin/sh
# Fetches what is missing on this node and starts its services. It may run again at any time; a reboot does not need it.
set -eu
# shellcheck source=/dev/null
. /etc/clipper-nomad/node.env

# How long to retry a secret store or the network, and the pause between two attempts.
patience_s=${PATIENCE_S:-600}
pause_s=${PAUSE_S:-5}

say() {
    echo "clipper-nomad-start: $*" >&2
}

die() {
    say "$*"
    exit 1
}

need() {
    command -v "$1" > /dev/null || die "$1 is missing: $2"
}

check_packages() {
    for unit in $UNITS; do
        [ "$unit" = fabio ] || need "$unit" "its package was not installed, /var/log/cloud-init-output.log says why"
    done
}

# systemd-resolved asks Consul from now on. Debian has it as a package of its own.
start_resolver() {
    systemctl cat systemd-resolved.service > /dev/null 2>&1 ||
        DEBIAN_FRONTEND=noninteractive apt-get --option DPkg::Lock::Timeout=300 install --yes systemd-resolved
    systemctl restart systemd-resolved.service
}

load_gpu_driver() {
    need nvidia-container-runtime "NVIDIA's container toolkit was not installed, and is not part of the image"
    modprobe nvidia && return
    # Another driver has the GPUs. cloud-init reboots at its end if it installed NVIDIA's.
    say "NVIDIA's driver cannot be loaded before the next boot"
    touch /run/clipper-nomad-reboot
}

# Docker may have started before its configuration was written. Containers live on.
start_docker() {
    need dockerd "its package was not installed, and it is not part of the image"
    systemctl enable docker.service
    systemctl restart docker.service
}

install_fabio() {
    program=/usr/local/bin/fabio
    echo "$FABIO_SHA256  $program" | sha256sum --check --status 2> /dev/null && return
    download=$(mktemp "$program.XXXXXX")
    trap 'rm -f "$download"' EXIT
    curl --fail --silent --show-error --location --retry 10 --retry-all-errors --output "$download" "$FABIO_URL" ||
        die "could not fetch Fabio from $FABIO_URL"
    echo "$FABIO_SHA256  $download" | sha256sum --check --status ||
        die "the file at $FABIO_URL does not have the SHA-256 $FABIO_SHA256: it is not run"
    chmod 0755 "$download"
    mv "$download" "$program"
}

fetch_secrets() {
    if [ ! -x /etc/clipper-nomad/fetch-secrets ]; then
        say "no command fetches the secrets: put the files in place, and start $UNITS"
        return
    fi
    end=$(($(date +%s) + patience_s))
    # In memory, not on disk.
    secrets=$(mktemp /run/clipper-nomad.XXXXXX)
    trap 'rm -f "$secrets"' EXIT
    until timeout 60 /etc/clipper-nomad/fetch-secrets > "$secrets" && /usr/local/lib/clipper-nomad/put-files.py < "$secrets"; do
        [ "$(date +%s)" -lt "$end" ] ||
            die "no secrets for $patience_s s: put right what is said above, and run clipper-nomad-start again"
        say "no secrets yet: trying again in $pause_s s"
        sleep "$pause_s"
    done
    rm -f "$secrets"
    say "the secrets are in place"
}

check_packages
systemd-tmpfiles --create /etc/tmpfiles.d/clipper-nomad.conf
start_resolver
if [ "$GPU" = yes ]; then load_gpu_driver; fi
if [ "$DOCKER" = yes ]; then start_docker; fi
if [ -n "$FABIO_URL" ]; then install_fabio; fi
fetch_secrets
systemctl daemon-reload
# shellcheck disable=SC2086
systemctl enable $UNITS
# The units define their order. Consul is up once it has joined others, perhaps long after this.
# shellcheck disable=SC2086
systemctl restart --no-block $UNITS
say "starting: $UNITS"
