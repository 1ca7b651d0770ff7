"""The command `python -m clipper_frontend.openapi`: write openapi.json from the types of both frontends."""

from pathlib import Path

from clipper_frontend.openapi.document import render

PATH = Path(__file__).with_name("openapi.json")

if __name__ == "__main__":
    PATH.write_bytes(render())
