# Lambda Dyno with all that it starts: Python, Node.js, Newman, Terraform, git, the embedded AWS.
#
#   docker run --rm -it -v "$PWD:/project" -v "$HOME/.aws:/home/dyno/.aws:ro" -e AWS_PROFILE \
#     lambda-dyno tune --function NAME
#
# docs/install.md has volumes, users and what is fetched at the first use.

FROM node:22.23.3-bookworm-slim@sha256:43ac6c60b8f89723f746e8a92ce91abd5017e627ce1ddfe4238355d3a30b772c AS node

FROM python:3.13-slim-bookworm@sha256:01f42367a0a94ad4bc17111776fd66e3500c1d87c15bbd6055b7371d39c124fb AS build
WORKDIR /source
COPY requirements-runtime.lock scripts/bootstrap.lock ./
RUN python -m venv /opt/dyno \
  && /opt/dyno/bin/pip install --no-cache-dir --require-hashes -r requirements-runtime.lock \
  && python -m pip install --no-cache-dir --require-hashes -r bootstrap.lock
COPY . .
RUN python -m hatchling build -t wheel -d /wheel \
  && /opt/dyno/bin/pip install --no-cache-dir --no-deps --no-index /wheel/*.whl

FROM python:3.13-slim-bookworm@sha256:01f42367a0a94ad4bc17111776fd66e3500c1d87c15bbd6055b7371d39c124fb
# git: which commit a run is of. Its release is the base image's, so it is pinned with that.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install --no-install-recommends --yes git \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --uid 1000 --create-home dyno \
  && install --directory --owner=dyno --group=dyno /project
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=node /usr/local/lib/node_modules/npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
COPY --from=build /opt/dyno /opt/dyno
ENV PATH="/opt/dyno/bin:$PATH" \
  XDG_CACHE_HOME=/home/dyno/.cache
USER 1000
# Terraform, Newman and the embedded AWS, checked against the package's own hashes.
RUN dyno doctor --fetch
WORKDIR /project
ENTRYPOINT ["dyno"]
CMD ["--help"]
