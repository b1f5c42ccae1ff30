# All images of CrowdVision; `docker compose build` builds them.
#
#   manifests ─┬─▶ service-deps ─▶ service    auth, twin, notification, socket and llm: the command selects one
#              ├─▶ gateway-deps ─▶ gateway    the edge gateway, with serial ports
#              └─▶ web ──────────▶ caddy      Caddyfile, the built page, the API documents
#
# One image serves all five services: they share every package and differ by a hundred kilobytes of source, so a host
# pulls and stores it once, and all of them are upgraded together. Node runs TypeScript directly; only the page is
# built. The images build on any architecture. Packages come from the lock file, without install scripts.

# Only the files that npm needs: the next steps stay cached until one of these changes.
FROM node:24-bookworm-slim AS manifests
WORKDIR /app
COPY . .
RUN find . -type f ! -name package.json ! -name package-lock.json ! -name .npmrc -delete \
	&& find . -type d -empty -delete

FROM node:24-bookworm-slim AS service-deps
WORKDIR /app
COPY --from=manifests /app ./
RUN npm ci --omit=dev --ignore-scripts \
	-w services/auth -w services/twin -w services/notification -w services/socket -w services/llm

FROM node:24-bookworm-slim AS gateway-deps
WORKDIR /app
COPY --from=manifests /app ./
RUN npm ci --omit=dev --ignore-scripts -w edge-gateway

FROM node:24-bookworm-slim AS web
WORKDIR /app
COPY --from=manifests /app ./
RUN npm ci --ignore-scripts -w frontend
COPY packages/contracts packages/contracts
COPY frontend frontend
COPY THIRD-PARTY-NOTICES ./
RUN npm run build -w frontend

# User 1000 owns the data folders and none of the code. /tmp is meant to be a tmpfs.
FROM node:24-bookworm-slim AS runtime
WORKDIR /app
ENV NODE_ENV=production NODE_COMPILE_CACHE=/tmp/compile HOST=0.0.0.0 PORT=8080 DATA_DIR=/data
RUN install -d -o node -g node -m 0700 /data /secrets /auth-secrets && install -d -o node -g node -m 0750 /redis-secrets
USER 1000:1000
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
	CMD ["node", "-e", \
		"fetch('http://127.0.0.1:8080/readyz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]

FROM runtime AS service
COPY --from=service-deps /app ./
COPY LICENSE THIRD-PARTY-NOTICES ./
COPY packages packages
COPY services services
COPY deploy deploy

FROM runtime AS gateway
ENV MQTT_PORT=1883
EXPOSE 1883
COPY --from=gateway-deps /app ./
COPY LICENSE THIRD-PARTY-NOTICES ./
COPY packages packages
COPY edge-gateway edge-gateway
CMD ["node", "--max-semi-space-size=4", "edge-gateway/src/main.ts"]

FROM caddy:2 AS caddy
# Not the base image's /data: if that is declared a volume, changes made to it here are lost.
ENV XDG_DATA_HOME=/var/lib XDG_CONFIG_HOME=/tmp DASHBOARD=/srv/dashboard API_DOCS=/srv/docs
RUN mkdir -p /var/lib/caddy && chown 1000:1000 /var/lib/caddy && chmod 0700 /var/lib/caddy
COPY Caddyfile /etc/caddy/Caddyfile
# Includes /srv/dashboard/third-party-notices.txt.
COPY --from=web /app/frontend/dist /srv/dashboard
COPY docs/api /srv/docs
USER 1000:1000
# The image may have no HTTP client, so this looks for the listening port (state 0A) in the kernel's table.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
	CMD ["sh", "-c", "grep -qhE \": 0+:$(printf %04X \"${HTTPS_PORT:-443}\") 0+:0000 0A \" /proc/net/tcp /proc/net/tcp6"]
CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
