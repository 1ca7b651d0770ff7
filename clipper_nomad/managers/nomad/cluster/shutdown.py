"""The end of a cluster on Nomad: the order in which its jobs end, and the fate of its state.

Frontends end first, so that no query meets models that are leaving; Redis ends last. Without draining, all
end at once.
"""

from __future__ import annotations

from clipper_nomad.jobspecs import meta
from clipper_nomad.managers.nomad.api.jobs import JobSummary
from clipper_nomad.managers.nomad.cluster import records
from clipper_nomad.managers.nomad.cluster.cluster_jobs import ClusterJobs, is_asleep
from clipper_nomad.managers.nomad.cluster.redis_state import RedisState

_ORDER = ((meta.QUERY_FRONTEND, meta.MANAGEMENT_FRONTEND), (meta.MODEL,), (meta.REDIS,))
_KEPT = (meta.MODEL, meta.REDIS)


class Shutdown:
    """Ends one cluster's jobs. A stop may take `timeout_s`."""

    def __init__(self, cluster_jobs: ClusterJobs, state: RedisState, timeout_s: float) -> None:
        self._cluster_jobs = cluster_jobs
        self._state = state
        self._timeout_s = timeout_s

    def run(self, *, graceful: bool, keep_state: bool) -> None:
        """End all jobs; with `keep_state`, those of models and of Redis are put to sleep instead."""
        found = self._cluster_jobs.find_all()
        volume = self._state.find()
        is_ours = volume == records.DYNAMIC_VOLUME
        if not keep_state and volume and not is_ours and any(_is_awake_redis(job) for job in found):
            self._state.empty(volume)
        for components in _ORDER if graceful or keep_state else (meta.COMPONENTS,):
            jobs = [job for job in found if job.meta[meta.COMPONENT] in components]
            if keep_state and components[0] in _KEPT:
                awake = [job for job in jobs if not job.is_stopped and not is_asleep(job)]
                self._cluster_jobs.put_to_sleep(awake, self._timeout_s)
            else:
                ids = [job.id for job in jobs]
                self._cluster_jobs.jobs.stop(ids, timeout_s=self._timeout_s, graceful=graceful)
        if not keep_state and is_ours:
            self._state.remove_volume()


def _is_awake_redis(job: JobSummary) -> bool:
    return job.meta[meta.COMPONENT] == meta.REDIS and not job.is_stopped and not is_asleep(job)
