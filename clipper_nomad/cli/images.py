"""Commands about the images that clusters run on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from clipper_nomad.cli.output import AsJson, error_console, print_json, print_table, say
from clipper_nomad.images import (
    COMPONENTS,
    ImageSettings,
    Progress,
    build_component_images,
    component_image,
    connect_engine,
    find_image,
    is_noise,
)

app = typer.Typer(help="The images that clusters and models run on.", no_args_is_help=True)

# Progress that stays on the terminal; the next line overwrites all other progress.
_MILESTONES = ("Building", "Pushing", "Pulling")

Registry = Annotated[
    str | None,
    typer.Option(envvar="CLIPPER_REGISTRY", help="The registry of all images: host[:port][/path]."),
]
PythonVersion = Annotated[
    str | None,
    typer.Option(
        envvar="CLIPPER_PYTHON_VERSION", help="The Python of images and models; by default this one's."
    ),
]


@app.command()
def build(
    base_image: Annotated[
        str | None,
        typer.Option(
            envvar="CLIPPER_BASE_IMAGE", help="The base of all images; by default python:*-slim-bookworm."
        ),
    ] = None,
    registry: Registry = None,
    push: Annotated[bool, typer.Option("--push", help="Push them to the registry.")] = False,
    python_version: PythonVersion = None,
    component: Annotated[
        list[str] | None, typer.Option(help=f"Only one of {', '.join(COMPONENTS)}; may be repeated.")
    ] = None,
    network: Annotated[
        str | None, typer.Option(envvar="CLIPPER_BUILD_NETWORK", help="The engine's network for builds.")
    ] = None,
    index_url: Annotated[
        str | None,
        typer.Option(
            envvar="CLIPPER_INDEX_URL",
            help="The package index. Its credentials: CLIPPER_INDEX_USERNAME and CLIPPER_INDEX_PASSWORD.",
        ),
    ] = None,
    ca_certificates: Annotated[
        list[Path] | None, typer.Option(help="A PEM file that pip trusts as well; may be repeated.")
    ] = None,
) -> None:
    """Build the images of the frontends, Redis and the Python model runtime.

    More settings come from the environment: CLIPPER_BUILD_ARGS, CLIPPER_EXTRA_INDEX_URLS,
    CLIPPER_CA_CERTIFICATES, CLIPPER_REGISTRY_USERNAME and CLIPPER_REGISTRY_PASSWORD; without the last two,
    the credentials come from Docker's own config.
    """
    settings = _settings(
        base_image=base_image,
        registry=registry,
        python_version=python_version,
        build_network=network,
        index_url=index_url,
        ca_certificates=tuple(ca_certificates or ()),
    )
    with closing(connect_engine()) as client, _shown_progress() as progress:
        built = build_component_images(
            client, settings, push=push, progress=progress, components=component or COMPONENTS
        )
    for reference in built.values():
        say(f"{'Pushed' if push else 'Built'} {reference}")


@app.command("list")
def list_all(
    registry: Registry = None, python_version: PythonVersion = None, as_json: AsJson = False
) -> None:
    """List this project's images, and which of them are on this engine."""
    settings = _settings(registry=registry, python_version=python_version)
    with closing(connect_engine()) as client:
        rows = [
            {
                "image": component_image(name, settings),
                "id": find_image(client, component_image(name, settings)),
            }
            for name in COMPONENTS
        ]
    if as_json:
        print_json(rows)
    else:
        print_table(
            "Images", ("image", "on this engine"), [[row["image"], row["id"] is not None] for row in rows]
        )


def _settings(**given: Any) -> ImageSettings:
    """Return the environment's settings, with those that were given in their place."""
    return replace(
        ImageSettings.from_environment(), **{name: value for name, value in given.items() if value}
    )


@contextmanager
def _shown_progress() -> Iterator[Progress]:
    """Show progress: on a terminal in a line that changes, elsewhere as all lines."""
    with error_console.status(Text("Asking the engine …")) as status:

        def show(line: str) -> None:
            if line.startswith(_MILESTONES) or (not error_console.is_terminal and not is_noise(line)):
                error_console.print(Text(line), soft_wrap=True)
            status.update(Text(line, overflow="ellipsis", no_wrap=True))

        yield show
