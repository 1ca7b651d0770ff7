# One version of a model, on a runtime that is not this project's Python one: its folder alone is added.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
ENV CLIPPER_MODEL_PATH=/model
COPY model /model
