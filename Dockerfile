# One image for all services; docker-compose.yml says which of them a container runs.
FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /opt/switchgear
COPY requirements-image.lock ./
RUN /opt/switchgear/bin/pip install --no-cache-dir --require-hashes -r requirements-image.lock
COPY LICENSE README.md pyproject.toml ./
COPY sdk ./sdk
COPY collector ./collector
COPY analytics ./analytics
COPY policies ./policies
COPY dashboard ./dashboard
COPY cli ./cli
RUN /opt/switchgear/bin/pip install --no-cache-dir --no-deps --no-build-isolation ./sdk .

FROM python:3.11-slim
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin switchgear \
    && install -d -o switchgear -g switchgear -m 0750 /data
COPY --from=build /opt/switchgear /opt/switchgear
ENV PATH=/opt/switchgear/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    SWITCHGEAR_DATA=/data
USER switchgear
WORKDIR /data
ENTRYPOINT ["switchgear"]
CMD ["--help"]
