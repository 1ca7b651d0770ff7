"""Sessions with model containers: the socket, and the meaning of its frames.

Peers without a session are strangers: `lobby` bounds their connections and bytes, `strangers` their messages.

Imported by server and metrics alone. It imports prediction; it knows neither applications nor REST.
"""
