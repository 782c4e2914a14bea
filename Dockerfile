# syntax=docker/dockerfile:1

# The Node that the tests run on (package.json). A release pins what this name means, too, and so the image of every layer:
# --build-arg NODE_DIGEST=@sha256:…
ARG NODE_VERSION=26.10.0
ARG NODE_DIGEST=

FROM node:${NODE_VERSION}-slim${NODE_DIGEST} AS build
WORKDIR /app
COPY package.json package-lock.json ./
# No install scripts: the only one fetches the Node that this image already is.
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.ts scripts/
COPY scripts/console scripts/console
COPY src src
RUN npm run build \
 && npm prune --omit=dev --ignore-scripts --no-audit --no-fund


FROM node:${NODE_VERSION}-slim${NODE_DIGEST}
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="meridian" \
      org.opencontainers.image.description="A global traffic router: the nearest region that may serve, sticky sessions and read-your-writes" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# What an edge never runs: package managers, and anything that makes who starts it somebody else.
RUN rm -rf /usr/local/lib/node_modules /opt/yarn* \
      /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /usr/local/bin/yarn /usr/local/bin/yarnpkg \
 && find / -xdev -type f -perm /6000 -exec chmod a-s {} +

ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE ./

# Nothing is written to disk, so the root file system can be read-only, and all of this belongs to root; the number is for
# orchestrators that check that it is not 0.
USER 65532:65532
EXPOSE 8080 8443 9090
STOPSIGNAL SIGTERM

# Ready: the first round of probes is done and the listener is open. Needs no token; MERIDIAN_ADMIN says where to
# ask when admin.port is not 9090.
HEALTHCHECK --interval=5s --timeout=3s --start-period=15s --retries=3 \
  CMD ["node", "/app/dist/main.js", "status", "--ready"]

# Node itself is process 1: it installs handlers for TERM and HUP, and starts no children to reap. It grants the edge
# reading and the network, and nothing else: no writing, no processes, no add-ons, no inspector.
ENTRYPOINT ["node", "--permission", "--allow-fs-read=*", "--allow-net", "/app/dist/main.js"]
CMD ["serve", "-c", "/etc/meridian/meridian.yaml"]
