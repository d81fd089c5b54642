# Sourced by every script here: settings, and how a failure is reported. The console shows what these scripts print.
set -Eeuo pipefail
umask 077
trap failed ERR
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
# shellcheck source=/dev/null
. /etc/deployer/settings
run=/run/deployer
store=/var/lib/deployer/store

# failed: names the line of the script that failed, also when the failure was in a function of this file
failed() {
  local line=${BASH_LINENO[-2]}
  echo "deployer: boot failed at $(basename "$0"):$line: $(sed -n "${line}s/^ *//p" "$0")"
}

# try N COMMAND...: up to N times, five seconds apart; a role or a network may take a minute to come up
try() {
  local left=$1
  shift
  while [ "$left" -gt 1 ]; do
    if "$@"; then return 0; fi
    left=$((left - 1))
    sleep 5
  done
  "$@"
}

# part FILE KEY: one value of it
part() {
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]].strip())' "$1" "$2"
}

# what this cloud has its own way of
# shellcheck source=/dev/null
. /opt/deployer/cloud.sh
