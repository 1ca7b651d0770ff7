"""The kind `r`: a function or a fitted model of R's, computed by an R process beside the Python one.

`model` is the kind, `child` the R process, `frames` what goes over its two pipes, serve.R the R side of that.
"""
