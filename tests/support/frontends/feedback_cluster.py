"""A cluster whose applications learn: two models, one of which is always right, and feedback to send."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.support.frontends.cluster import Cluster, predict, request
from tests.support.models import constant
from tests.support.processes import QueryFrontend

ACCEPTED, DUPLICATE, LATE = ({"feedback": word} for word in ("accepted", "duplicate", "late"))
#: The outputs of the right model and of the wrong one.
RIGHT, WRONG = 1, 0
ENSEMBLE = {"name": "majority_vote", "loss": "zero_one", "half_life_s": None}
_STATE_DB = 1


def serve_two(cluster: Cluster) -> None:
    """Start the models `right` and `wrong`."""
    for name, output in (("right", RIGHT), ("wrong", WRONG)):
        cluster.start_container(constant(str(output)), name)
        cluster.add_model(name)


def add_app(
    cluster: Cluster,
    name: str,
    policy: Any,
    models: Sequence[str] = ("right", "wrong"),
    *,
    slo_s: float = 2.0,
    on_default: str = "default",
) -> None:
    """Register an application with a policy, link it, and return once every frontend answers."""
    cluster.admin(
        "add_app",
        name=name,
        input_type="doubles",
        default_output="-1",
        latency_slo_micros=round(slo_s * 1e6),
        on_default=on_default,
        policy=policy,
    )
    cluster.admin("add_model_links", app_name=name, model_names=list(models))
    for frontend in cluster.frontends:
        cluster.wait_until_served(frontend, name)


def query(frontend: QueryFrontend, app: str, number: float = 1.0, **more: Any) -> int:
    """Ask a query and return its id."""
    return int(predict(frontend.rest, app, input=[number], **more)["query_id"])


def update(frontend: QueryFrontend, app: str, **body: Any) -> tuple[int, Any]:
    """Send feedback and return the status and the answer, parsed if it is JSON."""
    status, answer = request(frontend.rest, "POST", f"/{app}/update", json.dumps(body).encode())
    try:
        return status, json.loads(answer)
    except ValueError:
        return status, answer.decode()


def counters(cluster: Cluster, app: str, user: str = "") -> Counter[str]:
    """Return the sums of an application's counters, or of one user's, over all buckets."""
    sums: Counter[str] = Counter()
    with cluster.redis.client(_STATE_DB) as client:
        for key in client.scan_iter(f"selection:{app}:*:{user}:*"):
            if client.type(key) == "hash" and key.split(":")[3] == user:
                for name, count in client.hgetall(key).items():
                    sums[name] += int(count)
    return sums
