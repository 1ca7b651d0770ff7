"""The handlers of requests: the calls of applications, and the admin paths.

Imported by server. It imports the rooms serving, feedback, http and bodies, and the readiness beside it.
"""
