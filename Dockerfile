# pannier as an image of two stages. Both bases are arguments, so that an organisation builds on its own:
#   docker build --build-arg BUILD_IMAGE=… --build-arg RUNTIME_IMAGE=… -t pannier .
# BUILD_IMAGE has Node >= 22.22, npm and a shell. RUNTIME_IMAGE has `node` on its PATH; a shell is not needed.
ARG BUILD_IMAGE=node:26-slim
ARG RUNTIME_IMAGE=node:26-slim

FROM ${BUILD_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
# Install scripts are not run: they fetch a Node of their own and compile addons for the tests.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run -s build && npm prune --omit=dev --ignore-scripts --no-audit --no-fund && mkdir -p /state

FROM ${RUNTIME_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="pannier" \
      org.opencontainers.image.description="Follows log files and delivers every line once to Elasticsearch, in a fixed amount of memory" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV NODE_ENV=production
COPY --from=build /app/package.json /app/package.json
COPY --from=build /app/node_modules /app/node_modules
COPY --from=build /app/dist /app/dist
# The one place that pannier writes to; the root file system may be read-only.
COPY --from=build --chown=65532:65532 /state /var/lib/pannier
VOLUME /var/lib/pannier
WORKDIR /var/lib/pannier
USER 65532:65532
# V8 reads these from the command line only: without the upper limit a busy pannier takes some 100 MiB more, and without the
# lower one its memory goes up and down by 5.
ENTRYPOINT ["node", "--min-semi-space-size=4", "--max-semi-space-size=4", "/app/dist/cli/main.js"]
CMD ["run"]
