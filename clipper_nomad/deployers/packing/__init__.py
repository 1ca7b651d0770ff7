"""The things that travel with a function: its pickle, its modules, their data files, its packages."""
