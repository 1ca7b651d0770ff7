"""HTTP/1.1 on client connections: bytes in, exchanges out.

Imported by rest, feedback and server. It imports no other room but bodies, for the shape of an error.
"""
