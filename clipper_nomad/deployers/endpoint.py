"""An endpoint: an application with a model of the same name behind it.

create_endpoint() of every framework checks the application, deploys the model and then registers the
application, so that a failed deployment leaves no application behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from clipper_nomad import names
from clipper_nomad.connection import ClipperConnection
from clipper_nomad.operations.sameness import require_same_application
from clipper_nomad.types import Application


@contextmanager
def endpoint(
    clipper_conn: ClipperConnection, name: str, input_type: str, default_output: str, slo_micros: int
) -> Iterator[None]:
    """Check an endpoint's application before the deployment within, and register and link it after that.

    Raises ManagementError, which names each difference, if one of this name is another application.
    """
    application = _check(clipper_conn, name, input_type, default_output, slo_micros)
    yield
    _open(clipper_conn, application)


def _check(
    clipper_conn: ClipperConnection, name: str, input_type: str, default_output: str, slo_micros: int
) -> Application:
    """Return the application to register once its model is deployed."""
    application = names.parse_application(name, input_type, default_output, slo_micros, "default")
    registered = clipper_conn.get_app_info(name)
    if registered is not None:
        require_same_application(application, registered)
    return application


def _open(clipper_conn: ClipperConnection, application: Application) -> None:
    """Register the application unless it is registered, and link it to the model of its name."""
    clipper_conn.register_application(
        application.name, application.input_type, application.default_output, application.slo_micros
    )
    clipper_conn.link_model_to_app(application.name, application.name)
