"""Run the command line as `python -m clipper_nomad.cli`."""

from clipper_nomad.cli.main import main

main()
