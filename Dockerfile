# syntax=docker/dockerfile:1

# The Node that the tests run on (package.json).
ARG NODE_VERSION=26.10.0

FROM node:${NODE_VERSION}-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# No install scripts: the only one fetches the Node that this image already is.
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.ts scripts/
COPY src src
RUN npm run build \
 && npm prune --omit=dev --ignore-scripts --no-audit --no-fund


FROM node:${NODE_VERSION}-slim
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="meridian" \
      org.opencontainers.image.description="A global traffic router: the nearest region that may serve, sticky sessions and read-your-writes" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE ./

# Nothing is written to disk, so the root file system can be read-only; the number is for orchestrators
# that check that it is not 0.
USER 65532:65532
EXPOSE 8080 9090
STOPSIGNAL SIGTERM

# Ready: the first round of probes is done and the listener is open. Needs no token; MERIDIAN_ADMIN says where to
# ask when admin.port is not 9090.
HEALTHCHECK --interval=5s --timeout=3s --start-period=15s --retries=3 \
  CMD ["node", "/app/dist/main.js", "status", "--ready"]

# Node itself is process 1: it installs handlers for TERM and HUP, and starts no children to reap.
ENTRYPOINT ["node", "/app/dist/main.js"]
CMD ["serve", "-c", "/etc/meridian/meridian.yaml"]
