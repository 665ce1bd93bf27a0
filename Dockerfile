# Tocsin for production: `docker compose up` uses it for the listener, the notifier and the receiver.
FROM python:3.12-slim

WORKDIR /srv/tocsin
COPY setup.cfg pyproject.toml README.md LICENSE ./
COPY event_definitions.yaml pipelines.yaml tocsin.yaml ./
COPY pipeline ./pipeline
RUN pip install --no-cache-dir '.[postgresql,redis]' \
 && useradd --create-home --uid 10001 tocsin
USER tocsin
ENV PYTHONUNBUFFERED=1
ENTRYPOINT ["tocsin"]
CMD ["run"]
