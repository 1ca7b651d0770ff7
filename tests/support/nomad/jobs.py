"""A job of a shell script on a real Nomad, for tests of the manager's requests to Nomad."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from clipper_nomad.managers.nomad.api.allocations import Allocation
from clipper_nomad.managers.nomad.api.deployments import NomadDeployment, NomadDeployments
from clipper_nomad.managers.nomad.api.jobs import Jobs
from clipper_nomad.managers.nomad.api.logs import Logs
from clipper_nomad.managers.nomad.api.placements import Failure
from clipper_nomad.managers.nomad.clients.access import NomadAccess
from clipper_nomad.managers.nomad.clients.nomad import NomadAPI
from tests.support.processes import eventually

TIMEOUT_S = 20.0
# A restarted client may fetch its allocations from the servers only after half a minute.
_STOP_TIMEOUT_S = 90.0
_SERVE = 'echo "to stdout"; echo "to stderr" >&2; exec sleep 600'


@dataclass(frozen=True)
class Place:
    """A Nomad, and the id of a job of this test's own."""

    api: NomadAPI
    job_id: str

    @property
    def jobs(self) -> Jobs:
        """Return the jobs there."""
        return Jobs(self.api)

    @property
    def logs(self) -> Logs:
        """Return the logs there."""
        return Logs(self.api)

    def job(
        self,
        script: str = _SERVE,
        *,
        count: int = 1,
        memory_mib: int = 16,
        task: str = "",
        min_healthy_time: str = "500ms",
    ) -> str:
        """Return a job that runs a shell script; no deployment of it ends before `min_healthy_time`."""
        quoted = script.replace("\\", "\\\\").replace('"', '\\"')
        return f"""
            job "{self.job_id}" {{
              meta = {{ "test.id" = "{self.job_id}" }}
              update {{
                health_check      = "task_states"
                min_healthy_time  = "{min_healthy_time}"
                healthy_deadline  = "20s"
                progress_deadline = "30s"
              }}
              group "model" {{
                count = {count}
                restart {{
                  attempts = 10
                  interval = "10m"
                  delay    = "1s"
                  mode     = "delay"
                }}
                task "model" {{
                  driver       = "raw_exec"
                  kill_timeout = "3s"
                  kill_signal  = "SIGTERM"
                  config {{
                    command = "/bin/sh"
                    args    = ["-c", "{quoted}"]
                  }}
                  resources {{
                    cpu    = 10
                    memory = {memory_mib}
                    {task}
                  }}
                }}
              }}
            }}
        """

    def start(self, hcl: str) -> NomadDeployment:
        """Apply a job and return its deployment, which has succeeded."""
        assert self.jobs.apply(hcl) is not None
        return self.await_deployment()

    @property
    def deployments(self) -> NomadDeployments:
        """Return the deployments there."""
        return NomadDeployments(self.api)

    def scale(self, count: int, message: str) -> dict[str, Failure]:
        """Scale the job, and return the failed placements by group, once its deployment exists."""
        return self.jobs.wait_evaluated(self.jobs.scale(self.job_id, count, message), TIMEOUT_S)

    def await_deployment(self) -> NomadDeployment:
        """Return the latest deployment once it has ended."""
        eventually(lambda: self.jobs.deployment(self.job_id) is not None, "there is a deployment")
        deployment = self.deployment
        while deployment.is_active:
            deployment = self.deployments.wait_for_change(deployment, TIMEOUT_S)
        return deployment

    @property
    def deployment(self) -> NomadDeployment:
        """Return the latest deployment."""
        found = self.jobs.deployment(self.job_id)
        assert found is not None
        return found

    @property
    def running(self) -> list[Allocation]:
        """Return the allocations that run and are wanted."""
        return [each for each in self.jobs.allocations(self.job_id) if each.is_wanted and each.is_running]

    def await_failing(self) -> Allocation:
        """Return the job's one allocation once it keeps failing."""

        def found() -> list[Allocation]:
            listed = self.jobs.allocations(self.job_id)
            return [each for each in listed if each.keeps_failing(self.jobs.now())]

        eventually(lambda: bool(found()), "the allocation keeps failing")
        return found()[0]


@contextlib.contextmanager
def own_place(access: NomadAccess) -> Iterator[Place]:
    """Give an id for a job, which is removed afterwards."""
    made = Place(NomadAPI(access), f"test.api.{uuid.uuid4().hex[:8]}")
    try:
        yield made
    finally:
        made.jobs.stop([made.job_id], timeout_s=_STOP_TIMEOUT_S, graceful=False)
