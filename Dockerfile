# Three stages: the console's third-party scripts, the program in a virtual environment, and an
# image that holds that environment and nothing that builds.
FROM node:24.20.0-bookworm-slim@sha256:ba849c60be29959425b8734d57b8b4b7d56f98edd9504c9af091d5281095a71e AS scripts
WORKDIR /source
COPY package.json package-lock.json .npmrc ./
RUN npm ci --silent --omit=dev

FROM python:3.13.14-slim-bookworm@sha256:67a1e1f215ccda113cfc024e8639049257e88f273898f595b61476d128d387e8 AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /source
COPY requirements/run.txt requirements/
# Wheels only, each by its hash: no compiler is needed and nothing else is installed.
RUN python -m venv /opt/controlplane && \
    /opt/controlplane/bin/pip install --require-hashes --only-binary :all: --requirement requirements/run.txt
COPY pyproject.toml README.md ./
COPY alert_rules alert_rules
COPY dashboards dashboards
COPY controlplane controlplane
COPY --from=scripts /source/node_modules/htmx.org/dist/htmx.min.js \
    /source/node_modules/uplot/dist/uPlot.iife.min.js \
    /source/node_modules/uplot/dist/uPlot.min.css \
    controlplane/ui/static/vendor/
RUN /opt/controlplane/bin/pip wheel --no-deps --no-build-isolation --wheel-dir wheels . && \
    /opt/controlplane/bin/pip install --no-deps --no-index wheels/*.whl

FROM python:3.13.14-slim-bookworm@sha256:67a1e1f215ccda113cfc024e8639049257e88f273898f595b61476d128d387e8
LABEL org.opencontainers.image.title="controlplane" \
      org.opencontainers.image.description="Probes endpoints, collects metrics, evaluates Prometheus rules and pages."
RUN groupadd --system --gid 10001 controlplane && \
    useradd --system --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin controlplane && \
    install --directory --owner=10001 --group=10001 --mode=0700 /data
COPY --from=build /opt/controlplane /opt/controlplane
ENV PATH=/opt/controlplane/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CONTROLPLANE_DATA_DIR=/data
WORKDIR /data
# By number, so that a cluster can see that it is not root.
USER 10001:10001
EXPOSE 8080
# The event loop turns. Whether it can work is what /ready tells; a restart would not mend that.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/health', timeout=4)"]
ENTRYPOINT ["controlplane"]
CMD ["serve"]
