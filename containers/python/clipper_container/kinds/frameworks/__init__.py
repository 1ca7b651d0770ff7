"""The kinds that load a framework's native form: a module for each, which imports its framework in open()."""
