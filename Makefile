# Each target sets up what it needs: a virtual environment in .venv and, as root on Debian, system packages.
.PHONY: demo test check bench

demo test check bench:
	@.ci/$@
