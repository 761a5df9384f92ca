# The same as Dockerfile, with ONNX Runtime's build for CUDA 12: --provider cuda. In the repository's root:
#
#     docker build -f docker/gpu.Dockerfile -t sqlscore-gpu .
#     docker run --gpus all -e SQLSCORE_DB sqlscore-gpu score churn --source customers … --provider cuda
ARG CUDA=nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04

FROM ${CUDA}
ARG EXTRAS=postgres,mysql,server
ENV DEBIAN_FRONTEND=noninteractive PATH=/opt/sqlscore/bin:$PATH PYTHONUNBUFFERED=1
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --home-dir /var/lib/sqlscore sqlscore
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
# both builds bring the module onnxruntime: the one for the CPU goes before the other comes
RUN mkdir sqlscore sql && touch sqlscore/__init__.py \
    && python3 -m venv /opt/sqlscore \
    && /opt/sqlscore/bin/pip install --no-cache-dir --no-compile ".[${EXTRAS}]" \
    && /opt/sqlscore/bin/pip uninstall --yes onnxruntime \
    && /opt/sqlscore/bin/pip install --no-cache-dir --no-compile onnxruntime-gpu
COPY sqlscore sqlscore
COPY sql sql
RUN /opt/sqlscore/bin/pip install --no-cache-dir --no-compile --no-deps --force-reinstall .
USER 10001
WORKDIR /var/lib/sqlscore
HEALTHCHECK --interval=60s --timeout=30s --start-period=30s CMD ["sqlscore", "doctor"]
ENTRYPOINT ["sqlscore"]
CMD ["--help"]
