"""The rendering of a job's parameters to HCL, through the templates of the folder jobspecs/.

Everything that a template prints goes through `hcl` unless it is a macro's result: no value gets into a
jobspec unquoted.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path

import jinja2
from markupsafe import Markup

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.jobspecs import meta
from clipper_nomad.jobspecs.devices import parse_requirement
from clipper_nomad.jobspecs.driver import Component, Program
from clipper_nomad.jobspecs.hcl import Interpolated, Value, has_interpolation, hcl, is_identifier
from clipper_nomad.jobspecs.layout import lay_out
from clipper_nomad.jobspecs.names import job_id, service_name
from clipper_nomad.jobspecs.parameters import AnyJob, Job, ModelJob, RedisJob

_PACKAGE = Path(__file__).parents[1]
# In an installed wheel, then in a checkout.
_FOLDERS = (_PACKAGE / "_jobspecs", _PACKAGE.parent / "jobspecs")


def render(job: AnyJob) -> str:
    """Return a job as HCL. Raises ContainerManagerError if its driver or a device cannot do what is asked."""
    template = _environment().get_template(f"{job.component}.nomad.hcl.j2")
    program = job.task.driver.program(Component(job.component, job.task.source, _arguments(job)))
    text = template.render(
        id=job_id(job),
        job=job,
        program=program,
        resources=job.task.resources,
        timings=job.timings,
        meta=_meta(job),
        service_meta=_service_meta(job),
        own_environment=functools.partial(_own_environment, job, program),
        service_name=functools.partial(service_name, job.cluster_name),
    )
    return lay_out(text)


def render_all(jobs: Iterable[AnyJob]) -> dict[str, str]:
    """Return the files of a cluster's jobs, by name, as they would be submitted."""
    return {f"{job_id(job)}.nomad.hcl": render(job) for job in jobs}


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDERS),
        variable_start_string="[[",
        variable_end_string="]]",
        block_start_string="[%",
        block_end_string="%]",
        comment_start_string="[#",
        comment_end_string="#]",
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        # The results of macros are marked as HCL and not quoted again.
        autoescape=True,
        finalize=_as_hcl,
    )
    environment.globals |= {"nomad": _interpolated, "requirement": parse_requirement}
    environment.filters |= {
        "attribute_name": _attribute_name,
        "nomad_text": Interpolated,
        "seconds": _seconds,
    }
    return environment


def _as_hcl(value: Value | Markup) -> Markup:
    return value if isinstance(value, Markup) else Markup(hcl(value))


def _interpolated(name: str) -> Interpolated:
    return Interpolated(f"${{{name}}}")


def _attribute_name(name: str) -> Markup:
    if not is_identifier(name):
        raise ContainerManagerError(
            f"Cannot write the variable or setting {name!r} in a jobspec: its name may have letters, digits, "
            "`_` and `-`, and begins with a letter or `_`."
        )
    return Markup(name)


def _seconds(number: int) -> str:
    return f"{number}s"


def _arguments(job: AnyJob) -> tuple[str, ...]:
    if not isinstance(job, RedisJob):
        return ()
    folder = "/data" if job.volume else Interpolated("${NOMAD_ALLOC_DIR}/data")
    if job.password is None:
        return ("--dir", folder)
    return ("--dir", folder, "--requirepass", _plain("Redis' password", job.password))


def _meta(job: Job) -> dict[str, str]:
    found = {
        meta.CLUSTER: job.cluster_name,
        meta.COMPONENT: job.component,
        meta.VERSION: job.version,
    }
    if isinstance(job, ModelJob):
        found |= {meta.MODEL_NAME: job.model.name, meta.MODEL_VERSION: job.model.version}
    return {**found, **job.meta}


def _service_meta(job: Job) -> dict[str, str]:
    found = {"cluster": job.cluster_name, "component": job.component, "version": job.version}
    if isinstance(job, ModelJob):
        found |= {meta.SERVICE_MODEL: job.model.name, meta.SERVICE_MODEL_VERSION: job.model.version}
    return found


def _own_environment(job: Job, program: Program, own: Mapping[str, str]) -> dict[str, str]:
    added = {name: _plain(name, value) for name, value in job.task.environment.items()}
    return {**own, **program.environment, **added}


def _plain(what: str, text: str) -> str:
    """Return `text`. Raises ContainerManagerError if Nomad would replace a part of it."""
    if has_interpolation(text) and not isinstance(text, Interpolated):
        raise ContainerManagerError(
            f"Cannot pass on {what} as it is: Nomad replaces its ${{...}} when the task starts, and nothing "
            "prevents that. Choose another value, or pass clipper_nomad.jobspecs.Interpolated(...) if "
            "Nomad should replace it."
        )
    return text
