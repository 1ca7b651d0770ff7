#!/bin/sh
# Puts one object of Consul's or Nomad's ACLs, or deletes it: `acl.sh put`, `acl.sh delete`. Doing it twice is fine.
#
# Its inputs are environment variables, see main.tf. No secret is in a command line, which everybody on the machine
# can read: curl gets headers and bodies from a folder that only this user can read, and reads no ~/.curlrc.
set -eu
umask 077

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

case $ACL_KIND in
consul-*)
    service=Consul token_header=X-Consul-Token
    token_input=consul_management_token address_input=consul_address name_input=consul_tls_server_name
    ;;
*)
    service=Nomad token_header=X-Nomad-Token
    token_input=nomad_bootstrap_token address_input=nomad_address name_input=nomad_tls_server_name
    ;;
esac
what="Could not $1 $ACL_KIND $ACL_ID: $service at $ACL_ADDRESS"
command -v curl >/dev/null || fail "$what is asked with curl, which is missing here: install it."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
printf '%s\n' "$ACL_CA_PEM" >"$work/ca.pem"
deadline_s=$(($(date +%s) + ACL_WAIT_S))
# A new token reaches all servers only after a moment.
forgiving_until_s=$(($(date +%s) + 5))

# Prints curl's target if the certificate is for another name: as `--resolve`, but the host may be a name.
connect_to() {
    host=${ACL_ADDRESS#*://} host=${host%/}
    printf 'connect-to = "%s:%s:%s"\n' "$ACL_SERVER_NAME" "${host##*:}" "$host"
}

# send METHOD PATH [BODY]: sets `status` and leaves the answer in $work/answer; fails as curl does.
send() {
    url=${ACL_ADDRESS%/}$2
    printf '%s' "${3-}" >"$work/body"
    {
        printf 'header = "%s: %s"\n' "$token_header" "$ACL_TOKEN"
        [ -z "${3-}" ] || printf 'data-binary = "@%s"\n' "$work/body"
        if [ "$ACL_SERVER_NAME" ] && [ "${ACL_ADDRESS#https}" != "$ACL_ADDRESS" ]; then
            connect_to
            url=https://$ACL_SERVER_NAME:${host##*:}$2
        fi
        printf 'url = "%s"\n' "$url"
    } >"$work/config"
    : >"$work/answer"
    status=$(curl -q --config "$work/config" --request "$1" --cacert "$work/ca.pem" --noproxy '*' --max-time 30 \
        --silent --show-error --output "$work/answer" --write-out '%{http_code}' 2>"$work/error")
}

# ask METHOD PATH [BODY]: as `send`, once there is an answer; ends the script if there is none.
ask() {
    while :; do
        code=0
        send "$@" || code=$?
        case $code in
        0) is_passing || return 0 ;;
        35 | 51 | 60 | 77)
            fail "$what has no certificate that is trusted ($(cat "$work/error")). The authority is the input" \
                "ca_pem; the name that is expected is the address's host, or the input $name_input."
            ;;
        *)
            [ "$(date +%s)" -lt "$deadline_s" ] ||
                fail "$what does not answer, for $ACL_WAIT_S s ($(cat "$work/error")). Is the cluster up, and is" \
                    "this machine let in? The address is the input $address_input. If the cluster is gone for good," \
                    "delete this root's state."
            ;;
        esac
        sleep 1
    done
}

# Returns whether the answer is likely to change soon.
is_passing() {
    case $status in
    403) grep -q 'not found' "$work/answer" && [ "$(date +%s)" -lt "$forgiving_until_s" ] ;;
    500 | 502 | 503 | 504)
        grep -qi -e leader -e 'ACL system' "$work/answer" && [ "$(date +%s)" -lt "$deadline_s" ]
        ;;
    *) false ;;
    esac
}

# need METHOD PATH [BODY]: as `ask`, and ends the script unless the status is 200.
need() {
    ask "$@"
    case $status in
    200) ;;
    403) fail "$what refuses the management token ($(cat "$work/answer")). It is the input $token_input." ;;
    *) fail "$what answers $1 $2 with status $status: $(cut -c 1-500 "$work/answer")" ;;
    esac
}

# field NAME: prints a field of the token in the answer.
field() {
    tr -d '[:space:]' <"$work/answer" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"
}

# keep_secret: writes the secret of the token in the answer to the file that main.tf reads.
keep_secret() {
    [ "$ACL_SECRET_FILE" ] || return 0
    mkdir -p "$(dirname "$ACL_SECRET_FILE")"
    field SecretID >"$ACL_SECRET_FILE"
}

# Prints the id of Consul's policy, or nothing.
consul_policy_id() {
    need GET /v1/acl/policies
    tr -d '[:space:]' <"$work/answer" | tr '}' '\n' | grep "\"Name\":\"$ACL_ID\"" | sed 's/.*"ID":"\([^"]*\)".*/\1/'
}

has_consul_token() {
    need GET /v1/acl/tokens
    grep -q "$ACL_ID" "$work/answer"
}

# Deletes all Nomad tokens of this name but one.
delete_nomad_tokens_but() {
    need GET "/v1/acl/tokens?filter=Name%20%3D%3D%20%22$ACL_ID%22"
    for accessor in $(tr ',' '\n' <"$work/answer" | sed -n 's/.*"AccessorID":"\([^"]*\)".*/\1/p'); do
        [ "$accessor" = "$1" ] || need DELETE "/v1/acl/token/$accessor"
    done
}

put_consul_policy() {
    policy=$(consul_policy_id)
    need PUT "/v1/acl/policy/$policy" "$ACL_BODY"
}

put_consul_token() {
    if has_consul_token; then
        need GET "/v1/acl/token/$ACL_ID"
        # A token's secret cannot change: for another secret the token is replaced.
        case $ACL_BODY in
        *"\"$(field SecretID)\""*)
            need PUT "/v1/acl/token/$ACL_ID" "$ACL_BODY"
            return
            ;;
        esac
        need DELETE "/v1/acl/token/$ACL_ID"
    fi
    need PUT /v1/acl/token "$ACL_BODY"
    keep_secret
}

put_nomad_token() {
    need POST /v1/acl/token "$ACL_BODY"
    keep_secret
    delete_nomad_tokens_but "$(field AccessorID)"
}

put_nomad_bootstrap() {
    until_s=$forgiving_until_s forgiving_until_s=0
    ask GET /v1/acl/token/self
    [ "$status" != 200 ] || return 0
    forgiving_until_s=$until_s
    ask POST /v1/acl/bootstrap "$ACL_BODY"
    case $(cat "$work/answer") in
    *'already done'*)
        fail "$what has its first token, and it is not this one. Give that as the input $token_input, or reset" \
            "Nomad's ACLs as its documentation says."
        ;;
    esac
    need GET /v1/acl/token/self
}

case $1-$ACL_KIND in
put-consul-anonymous) need PUT "/v1/acl/token/$ACL_ID" "$ACL_BODY" ;;
put-consul-policy) put_consul_policy ;;
put-consul-token) put_consul_token ;;
put-nomad-bootstrap) put_nomad_bootstrap ;;
put-nomad-policy) need POST "/v1/acl/policy/$ACL_ID" "$ACL_BODY" ;;
put-nomad-token) put_nomad_token ;;
delete-consul-anonymous) need PUT "/v1/acl/token/$ACL_ID" '{"Description": "Anonymous Token", "Policies": []}' ;;
delete-consul-policy)
    policy=$(consul_policy_id)
    [ -z "$policy" ] || need DELETE "/v1/acl/policy/$policy"
    ;;
delete-consul-token) ! has_consul_token || need DELETE "/v1/acl/token/$ACL_ID" ;;
# The first token is kept: without it nobody would have rights.
delete-nomad-bootstrap) ;;
delete-nomad-policy)
    need GET /v1/acl/policies
    ! grep -q "\"Name\":\"$ACL_ID\"" "$work/answer" || need DELETE "/v1/acl/policy/$ACL_ID"
    ;;
delete-nomad-token) delete_nomad_tokens_but "" ;;
*) fail "acl.sh: there is no $1 of $ACL_KIND" ;;
esac
