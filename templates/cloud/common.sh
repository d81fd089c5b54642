# Sourced by every script here: settings, and how a failure is told. The console shows what these scripts print.
set -Eeuo pipefail
umask 077
trap failed ERR
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root AWS_PAGER=
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

# imds PATH: what the machine knows of itself; nothing where it has none
imds() {
  local at=${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254} token
  token=$(curl -fsS -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "${at%/}/latest/api/token")
  curl -fsS -m 5 -H "X-aws-ec2-metadata-token: $token" "${at%/}/latest/meta-data/$1" 2>/dev/null || true
}

# read_secret FILE: the deployment's secret, as JSON
read_secret() {
  aws secretsmanager get-secret-value --secret-id "$secret" --query SecretString --output text >"$1"
}

# part FILE KEY: one value of it
part() {
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]].strip())' "$1" "$2"
}
