# Two images of one product.
#   docker build -t demand-forecast .                      the service alone: no torch, no MLflow, no Prefect (the default)
#   docker build --target work -t demand-forecast:work .   everything: command line, training, flows, MLflow's pages
# TORCH_INDEX names the index that torch comes from. The default holds CPU builds, which keep `work` small; pass an empty
# value for the package index's own build: docker build --target work --build-arg TORCH_INDEX= .
# PYTHON_IMAGE is any Debian image with Python 3.11 on its path, venv included.
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
# pip of 25.1 or later reads [dependency-groups]; it stays in this stage, the images have none.
RUN python3 -m venv /opt/tools \
    && /opt/tools/bin/pip install pip==26.3 \
    && /opt/tools/bin/pip install setuptools==84.2.1 \
    && python3 -m venv --without-pip /opt/forecast
COPY pyproject.toml constraints.txt ./

# What the service imports. Before the sources are copied, so that a changed line of code installs nothing again.
FROM build AS build-serve
RUN /opt/tools/bin/pip --python /opt/forecast install -c constraints.txt --group serve \
    && find /opt/forecast/lib -type d \( -path '*/pandas/tests' -o -path '*/scipy/*/tests' -o -path '*/pyarrow/tests' \
      -o -path '*/pyarrow/include' \) -prune -exec rm -rf {} +
COPY README.md LICENSE NOTICE ./
COPY src src
COPY flows flows
COPY serving serving
COPY migrations migrations
RUN /opt/tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && /opt/tools/bin/pip --python /opt/forecast install --no-deps dist/*.whl

FROM build AS build-work
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN if [ -n "$TORCH_INDEX" ]; then \
      /opt/tools/bin/pip --python /opt/forecast install --index-url "$TORCH_INDEX" torch==2.13.0; \
    fi
COPY README.md LICENSE NOTICE ./
COPY src src
COPY flows flows
COPY serving serving
COPY migrations migrations
RUN /opt/tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && /opt/tools/bin/pip --python /opt/forecast install -c constraints.txt torch==2.13.0 \
      "$(ls dist/*.whl)[sample,postgres,entsoe,otel]"

# Who runs, where, and what is written: all below mlruns, the rest may be read only (--read-only --tmpfs /tmp).
FROM ${PYTHON_IMAGE} AS base
RUN useradd --create-home --uid 10001 forecast && install -d -o forecast -g forecast /home/forecast/mlruns
ENV PATH=/opt/forecast/bin:$PATH OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 FORECAST_HOME=/home/forecast
LABEL org.opencontainers.image.title="demand-forecast" \
      org.opencontainers.image.description="Forecasts of electricity demand over HTTP" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /home/forecast
STOPSIGNAL SIGTERM

FROM base AS work
COPY --from=build-work /opt/forecast /opt/forecast
ENV MLFLOW_DISABLE_TELEMETRY=true PREFECT_SERVER_ANALYTICS_ENABLED=false GIT_PYTHON_REFRESH=quiet \
    MPLCONFIGDIR=/tmp/matplotlib PREFECT_HOME=/home/forecast/mlruns/prefect PREFECT_UI_STATIC_DIRECTORY=/tmp/prefect-ui
USER 10001:10001
CMD ["forecast", "--help"]

FROM base AS serve
COPY --from=build-serve /opt/forecast /opt/forecast
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=3s --start-period=30s \
  CMD ["python3", "-S", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/livez', timeout=2)"]
# Reached from outside it wants keys: FORECAST_KEYS_FILE or keys.json in mlruns, or FORECAST_ALLOW_OPEN=true
# (docs/deployment.md).
CMD ["forecast", "serve", "--host", "0.0.0.0", "--port", "8000"]
