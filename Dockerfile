# The forecasting service. Build: docker build -t demand-forecast .
# TORCH_INDEX names the index that torch comes from. The default holds CPU builds, which keep the image small;
# pass an empty value for the package index's own build: docker build --build-arg TORCH_INDEX= -t demand-forecast .
FROM python:3.11-slim AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN python -m venv /opt/forecast
COPY pyproject.toml constraints.txt ./
RUN if [ -n "$TORCH_INDEX" ]; then \
      /opt/forecast/bin/pip install --index-url "$TORCH_INDEX" torch==2.13.0; \
    fi
COPY README.md LICENSE NOTICE ./
COPY src src
COPY flows flows
COPY serving serving
COPY migrations migrations
RUN pip wheel --no-deps --wheel-dir dist . \
    && /opt/forecast/bin/pip install -c constraints.txt torch==2.13.0 "$(ls dist/*.whl)[sample,postgres]"

FROM python:3.11-slim
RUN useradd --create-home --uid 10001 forecast && install -d -o forecast /home/forecast/mlruns
COPY --from=build /opt/forecast /opt/forecast
# mlruns/ holds the registry: mount it, or point MLFLOW_TRACKING_URI at a tracking server.
ENV PATH=/opt/forecast/bin:$PATH MLFLOW_DISABLE_TELEMETRY=true PREFECT_SERVER_ANALYTICS_ENABLED=false \
    OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE PYTHONUNBUFFERED=1
USER forecast
WORKDIR /home/forecast
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=3s --start-period=30s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/livez', timeout=2)"]
CMD ["forecast", "serve", "--host", "0.0.0.0", "--port", "8000"]
