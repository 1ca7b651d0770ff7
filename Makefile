# Each target sets up what it needs: a virtual environment in .venv and, as root on Debian, system packages.
.PHONY: demo demo-nomad cluster cluster-down test check bench

demo demo-nomad cluster cluster-down test check bench:
	@.ci/$@
