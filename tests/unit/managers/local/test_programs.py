"""The programs of a local cluster's record: command lines, environments, supervisord configuration."""

from __future__ import annotations

import configparser
import secrets
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from supervisor.datatypes import dict_of_key_value_pairs

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers.local import launcher, programs
from clipper_nomad.managers.local.programs import Program
from clipper_nomad.managers.local.state import (
    ClusterRecord,
    FrontendRecord,
    ModelRecord,
    ReplicaRecord,
    StateDirectory,
)
from clipper_nomad.types import ClusterSpec, ModelVersion

STATE = StateDirectory(Path("/state"), "iris")
MODEL = ModelRecord(ModelVersion("m", "1"), "doubles", "/bundles/abc", (ReplicaRecord(0, 25001),))
RECORD = ClusterRecord(
    version="0.1.0",
    host="127.0.0.1",
    query_port=1337,
    management_port=1338,
    rpc_port=7000,
    redis_ip=None,
    redis_port=6379,
    drain_delay_s=0.0,
    spec=ClusterSpec(num_query_frontends=2, prediction_cache_bytes=1000),
    frontends=(FrontendRecord(0, 7000, 25100), FrontendRecord(1, 7001, 25101)),
    models=(MODEL,),
)


def flag(program: Program, name: str) -> str:
    """Return the value after a flag on a command line."""
    return program.argv[program.argv.index(name) + 1]


def test_query_frontends_share_the_query_port_and_nothing_else() -> None:
    found = programs.frontend_programs(STATE, RECORD)
    first, second = found["query-frontend-0"], found["query-frontend-1"]
    for frontend in (first, second):
        assert flag(frontend, "--port") == "1337"
        assert "--reuse-port" in frontend.argv
        assert flag(frontend, "--prediction-cache-bytes") == "1000"
    assert (flag(first, "--rpc-port"), flag(second, "--rpc-port")) == ("7000", "7001")
    assert flag(second, "--advertise-rpc") == "127.0.0.1:7001"
    assert (flag(first, "--admin-port"), flag(second, "--admin-port")) == ("25100", "25101")


def test_a_stand_in_takes_the_listening_sockets_of_all_and_each_takes_its_own_back() -> None:
    stand_in = programs.stand_in_program(STATE, RECORD, FrontendRecord(2, 25200, 25201))
    found = programs.frontend_programs(STATE, RECORD)
    offered = [flag(found[f"query-frontend-{index}"], "--handover-socket") for index in (0, 1)]
    assert stand_in.argv[-3:] == ("--take-listeners", ",".join(offered), "--stand-in")
    for frontend in (found["query-frontend-0"], found["query-frontend-1"]):
        assert flag(frontend, "--take-listeners") == flag(stand_in, "--handover-socket")
        assert "--stand-in" not in frontend.argv
    assert flag(stand_in, "--rpc-port") == "25200"


def test_timeouts_are_passed_only_if_they_are_set() -> None:
    without = programs.frontend_programs(STATE, RECORD)["query-frontend-0"]
    assert not {"--header-timeout-s", "--body-timeout-s"} & set(without.argv)
    record = replace(RECORD, spec=ClusterSpec(2, header_timeout_s=3.0, body_timeout_s=7.5))
    with_both = programs.frontend_programs(STATE, record)["query-frontend-0"]
    assert (flag(with_both, "--header-timeout-s"), flag(with_both, "--body-timeout-s")) == ("3.0", "7.5")


def test_a_replica_gets_every_frontends_address_and_its_model() -> None:
    program = programs.replica_program(STATE, RECORD, MODEL, MODEL.replicas[0], "/env/bin/python")
    assert program.name == "model.m.1.0"
    assert program.argv[0] == "/env/bin/python"
    assert program.environment["CLIPPER_RPC_ADDRESS"] == "127.0.0.1:7000,127.0.0.1:7001"
    assert program.environment["CLIPPER_MODEL_PATH"] == "/bundles/abc/model"
    assert program.environment["CLIPPER_CLUSTER_NAME"] == "iris"
    assert program.environment["CLIPPER_ADMIN_PORT"] == "25001"
    assert program.environment["CLIPPER_EXIT_WHEN_HUNG"] == "1"


def test_a_replica_has_its_versions_environment_below_its_own() -> None:
    model = replace(MODEL, environment={"GREETING": 'a "b"\n', "PYTHONUNBUFFERED": ""})
    program = programs.replica_program(STATE, RECORD, model, MODEL.replicas[0], "/env/bin/python")
    assert program.environment["GREETING"] == 'a "b"\n'
    assert program.environment["PYTHONUNBUFFERED"] == "1"
    parser = configparser.ConfigParser(strict=False)
    parser.read_string(program.render("model.m.1.0.x"))
    section = parser["program:model.m.1.0"]
    (packed,) = dict_of_key_value_pairs(section["environment"]).values()
    assert launcher.unpack(packed) == program.environment
    assert shlex.split(section["command"]) == [*launcher.COMMAND, *program.argv]


def test_an_environment_that_no_process_takes_is_refused() -> None:
    # Random characters, which cannot be compressed.
    model = replace(MODEL, environment={"A": secrets.token_hex(200_000)})
    program = programs.replica_program(STATE, RECORD, model, MODEL.replicas[0], "/env/bin/python")
    with pytest.raises(ContainerManagerError, match="Cannot give a replica its environment"):
        program.render("model.m.1.0.x")


def test_redis_listens_to_this_machine_wherever_the_frontends_listen() -> None:
    record = replace(RECORD, host="0.0.0.0")
    assert flag(programs.redis_program(STATE, record, "/usr/bin/redis-server"), "--bind") == "127.0.0.1"
    frontend = programs.frontend_programs(STATE, record)["query-frontend-0"]
    assert flag(frontend, "--host") == "0.0.0.0"
    assert flag(frontend, "--advertise-rpc") == "127.0.0.1:7000"


def test_another_version_or_spec_is_another_program_and_another_model_is_not() -> None:
    before = programs.frontend_programs(STATE, RECORD)
    assert programs.frontend_programs(STATE, replace(RECORD, models=())) == before
    newer = programs.frontend_programs(STATE, replace(RECORD, version="0.2.0"))
    assert all(newer[name] != before[name] for name in before)
    spec = replace(RECORD.spec, prediction_cache_bytes=0)
    without_cache = programs.frontend_programs(STATE, replace(RECORD, spec=spec))
    assert without_cache["query-frontend-0"] != before["query-frontend-0"]
    assert without_cache["management-frontend"] == before["management-frontend"]


PRINTABLE = st.characters(codec="utf-8", exclude_characters='"', exclude_categories=["C", "Z"])
SAFE_TEXT = st.text(PRINTABLE, min_size=1).filter(lambda text: text.strip("'") == text)


@given(SAFE_TEXT, SAFE_TEXT)
def test_supervisord_reads_the_rendered_program(argument: str, value: str) -> None:
    program = Program(
        "p", ("/bin/true", argument, f"x{argument} two words"), Path("/"), Path("/log"), {"KEY": value}
    )
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
    parser.read_string(program.render("p.1"))
    section = parser["program:p"]
    assert tuple(shlex.split(section["command"].replace("%%", "%"))) == program.argv
    assert dict_of_key_value_pairs(section["environment"].replace("%%", "%")) == {"KEY": value}
    assert section["process_name"] == "p.1"


@pytest.mark.parametrize("text", ["/tmp/a ;b", "/tmp/a #b", "/tmp/a\nb", '/tmp/a"b', "/tmp/a'"])
def test_a_value_that_supervisord_would_cut_is_refused(text: str) -> None:
    with pytest.raises(ContainerManagerError, match="cannot be passed on"):
        Program("p", ("/bin/true", text), Path("/"), Path("/log")).render("p")
