"""HTTP clients of Nomad and Consul: addresses, tokens, TLS, sessions.

Any room may import it. It imports no other room.
"""
