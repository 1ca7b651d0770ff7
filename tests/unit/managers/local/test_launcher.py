"""The environment of local replicas: what they keep of the starter's, and what they are given."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from clipper_nomad.managers.local import launcher

TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))


@given(st.dictionaries(TEXTS, TEXTS))
def test_any_text_is_packed_into_characters_that_need_no_quotes(environment: dict[str, str]) -> None:
    packed = launcher.pack(environment)
    assert launcher.unpack(packed) == environment
    assert not set(packed) & set(" '\"%;#\n,\\")


def test_replicas_keep_what_programs_need_on_this_machine_and_nothing_else() -> None:
    wanted = {
        *("PATH", "HOME", "TZ", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "USER"),
        *("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"),
        *("http_proxy", "HTTPS_PROXY", "no_proxy", "CLIPPER_LOG_LEVEL", "CLIPPER_LOCAL_CLUSTER"),
    }
    others = {
        *(
            "AWS_SECRET_ACCESS_KEY",
            "HF_TOKEN",
            "PYTHONPATH",
            "PYTHONSTARTUP",
            "OMP_NUM_THREADS",
            "LD_PRELOAD",
        ),
        *("CLIPPER_REDIS_PASSWORD", "CLIPPER_MODEL_NAME", "VIRTUAL_ENV", "SUPERVISOR_ENABLED"),
        launcher.VARIABLE,
    }
    assert launcher.kept(dict.fromkeys(wanted | others, "x")).keys() == wanted


def test_the_program_replaces_the_launcher_and_has_what_it_is_given() -> None:
    show = "import json, os, sys; print(json.dumps([os.getpid(), sys.argv[1:], dict(os.environ)]))"
    given_to_it = {"GREETING": 'a "b"\nc', "TZ": "given"}
    starter = {"PATH": os.environ["PATH"], "TZ": "starter", "SECRET": "x"}
    with subprocess.Popen(
        [*launcher.COMMAND, sys.executable, "-c", show, "an argument"],
        env={**starter, launcher.VARIABLE: launcher.pack(given_to_it)},
        stdout=subprocess.PIPE,
    ) as process:
        output, _ = process.communicate()
        pid, arguments, environment = json.loads(output)
    assert (pid, arguments) == (process.pid, ["an argument"])
    environment.pop("LC_CTYPE", None)  # Python's own, in a bare locale
    assert environment == {"PATH": os.environ["PATH"], **given_to_it}
