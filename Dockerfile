# The wheel is built where there is a C compiler; it holds the compiled reader of rows.
FROM python:3.11 AS build

WORKDIR /src
COPY pyproject.toml README.md ./
COPY featurestore featurestore
COPY flows flows
COPY api api
RUN pip wheel --disable-pip-version-check --no-deps --wheel-dir /wheels .

FROM python:3.11-slim

WORKDIR /app
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

COPY requirements.lock ./
COPY --from=build /wheels /wheels

# The versions of the lock, of what is needed here; pip takes no hashes for a local project.
RUN sed -E '/^ +(--hash|#)/d; s/ \\$//' requirements.lock > versions.txt \
    && pip install --constraint versions.txt "$(echo /wheels/*.whl)[demo]"

COPY examples examples

# What a flow remembers, and an embedded server's data; a volume put there has the same owner.
RUN useradd --system app && install --directory --owner=app .featurestore
USER app

ENTRYPOINT ["featurestore"]
CMD ["--help"]
