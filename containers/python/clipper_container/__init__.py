"""The model runtime: what runs inside a model container. It imports nothing else of this project."""
