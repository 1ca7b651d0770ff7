# One version of a model on a runtime other than this project's Python one: only its folder is added.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
ENV CLIPPER_MODEL_PATH=/model
COPY model /model
