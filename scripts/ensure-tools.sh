#!/bin/sh
# Sees to what the tests need beside npm packages: a redis-server, Prometheus with its promtool, and a Chromium, to run.
# Quiet when they are there. Plain sh, because it runs before anything else is known to work.
set -eu

missing=""
command -v redis-server >/dev/null 2>&1 || missing="redis-server"
{ command -v prometheus && command -v promtool; } >/dev/null 2>&1 || missing="$missing prometheus"
[ -x "${CHROMIUM:-}" ] || command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 ||
  command -v google-chrome >/dev/null 2>&1 || missing="$missing chromium"
if [ -z "$missing" ]; then
  exit 0
fi

as_root=""
if [ "$(id -u)" -ne 0 ]; then
  as_root="sudo -n"
fi

if ! command -v apt-get >/dev/null 2>&1 || ! $as_root true 2>/dev/null; then
  cat >&2 <<TEXT
The tests start servers of their own, and these are not on this machine: $missing
Install Redis 6.2 or later and Prometheus 2.40 or later, so that redis-server, prometheus and promtool are on the PATH,
and a Chromium (or say where it is: CHROMIUM), and run the tests again:
  Debian, Ubuntu   sudo apt-get install redis-server prometheus chromium
  Fedora           sudo dnf install redis golang-github-prometheus chromium
  macOS            brew install redis prometheus; brew install --cask chromium
TEXT
  exit 1
fi

echo "Installing for the tests (apt-get): $missing ..." >&2

# The packages would start a Redis and a Prometheus, which listens on 9090, an edge's admin port. The tests start their own, on
# free ports: so nothing is started while this installs, by init scripts (RUNLEVEL) or by systemd (the policy).
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap '$as_root rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
  $as_root chmod 755 "$policy"
fi
install_missing() {
  # shellcheck disable=SC2086 # several words
  $as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install -y -qq -o DPkg::Lock::Timeout=120 --no-install-recommends $missing >/dev/null
}
install_missing 2>/dev/null || {
  $as_root apt-get update -qq -o DPkg::Lock::Timeout=120 >&2
  install_missing >&2
}
# What was not started now would be at the next boot.
case $missing in
*prometheus*) command -v systemctl >/dev/null 2>&1 && $as_root systemctl disable -q prometheus 2>/dev/null || true ;;
esac
command -v redis-server >/dev/null && command -v prometheus >/dev/null && command -v promtool >/dev/null
