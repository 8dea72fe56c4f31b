FROM python:3.11-slim

WORKDIR /app
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

COPY pyproject.toml README.md requirements.lock ./
COPY featurestore featurestore
COPY flows flows
COPY api api

# The versions of the lock, of what is needed here; pip takes no hashes for a local project.
RUN sed -E '/^ +(--hash|#)/d; s/ \\$//' requirements.lock > versions.txt \
    && pip install --constraint versions.txt '.[demo]'

COPY examples examples

RUN useradd --system app
USER app

ENTRYPOINT ["featurestore"]
CMD ["--help"]
