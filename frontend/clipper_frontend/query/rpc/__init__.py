"""Sessions with model containers: the socket, and the meaning of its frames.

Imported by server alone. It imports prediction; it knows neither applications nor REST.
"""
