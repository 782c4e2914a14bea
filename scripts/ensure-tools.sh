#!/bin/sh
# Sees to what the tests need beside npm packages: a redis-server to run against. Quiet when it is there.
# Plain sh, because it runs before anything else is known to work.
set -eu

if command -v redis-server >/dev/null 2>&1; then
  exit 0
fi

as_root=""
if [ "$(id -u)" -ne 0 ]; then
  as_root="sudo -n"
fi

if ! command -v apt-get >/dev/null 2>&1 || ! $as_root true 2>/dev/null; then
  cat >&2 <<'TEXT'
The tests start redis-server processes of their own, and there is none on this machine.
Install Redis 6.2 or later, so that `redis-server` is on the PATH, and run the tests again:
  Debian, Ubuntu   sudo apt-get install redis-server
  Fedora           sudo dnf install redis
  macOS            brew install redis
TEXT
  exit 1
fi

echo "Installing redis-server for the tests (apt-get) ..." >&2
# RUNLEVEL=1 keeps the package from starting a Redis of its own: the tests start theirs on free ports.
install_redis() {
  $as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install -y -qq -o DPkg::Lock::Timeout=120 --no-install-recommends redis-server >/dev/null
}
install_redis 2>/dev/null || {
  $as_root apt-get update -qq -o DPkg::Lock::Timeout=120 >&2
  install_redis >&2
}
command -v redis-server >/dev/null
