# One version of a model on the Python runtime: first its packages, then its folder, which changes most often.
ARG BASE_IMAGE

FROM ${BASE_IMAGE} AS build
# These may hold credentials; this stage and its history are not part of the image.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
USER root
COPY installer /installer
RUN ["python3", "/installer/install.py", "/opt/model", "--behind", "/opt/clipper"]

FROM ${BASE_IMAGE}
COPY --from=build /opt/model /opt/model
ENV PATH=/opt/model/bin:$PATH CLIPPER_MODEL_PATH=/model
COPY model /model
