"""The texts that operators meet most often, in the logs and in errors.

Runbooks and alerts search for them: whoever rewords one changes this table, the troubleshooting page and the
changelog with it.
"""

from __future__ import annotations

import pytest

from tests.support.paths import REPOSITORY
from tests.support.written_texts import written_texts

_FRONTEND = "frontend/clipper_frontend"
_MANAGERS = "clipper_nomad/managers"
#: Each text, as the code has it, by the file that writes it.
_TEXTS = [
    (f"{_FRONTEND}/query/presence.py", "could not update the registry: %s"),
    (f"{_FRONTEND}/query/rpc/sessions.py", "refused a container of %s:%s: %s"),
    (f"{_FRONTEND}/query/rpc/sessions.py", "replica %s hangs: it gets no query until it answers"),
    (f"{_FRONTEND}/query/rpc/sessions.py", "its connection was lost"),
    (f"{_FRONTEND}/query/server.py", "%d connections were cut: their queries took too long"),
    (f"{_FRONTEND}/query/feedback/learners.py", "policies keep their last known state: %s"),
    (f"{_FRONTEND}/registry/following/follower.py", "%s; serving from the last known state, retrying"),
    (
        f"{_FRONTEND}/registry/following/barrier.py",
        "%s was written, but its propagation could not be confirmed: %s",
    ),
    (
        f"{_FRONTEND}/registry/following/barrier.py",
        "%s was written, but these query frontends have not applied it yet: %s",
    ),
    (f"{_FRONTEND}/management/main.py", "could not listen: %s; set --host and --port"),
    (f"{_MANAGERS}/undo.py", "Rollback incomplete: %s"),
    (f"{_MANAGERS}/messages.py", "The last lines of its log:"),
    (f"{_MANAGERS}/nomad/cluster/fabio_routes.py", "Could not check for conflicting Fabio routes: %s"),
    (f"{_MANAGERS}/nomad/cluster/placement_watch.py", "Could not read the health checks of %s"),
    (f"{_MANAGERS}/nomad/cluster/replicas.py", "Give the cluster more nodes, or request fewer resources"),
]


@pytest.mark.parametrize(("file", "text"), _TEXTS, ids=[text for _, text in _TEXTS])
def test_a_text_that_operators_search_for_stays(file: str, text: str) -> None:
    assert text in "\n".join(written_texts(REPOSITORY / file))
