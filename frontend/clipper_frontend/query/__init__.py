"""The query frontend: answers prediction queries over REST from models that connect over ZeroMQ."""
