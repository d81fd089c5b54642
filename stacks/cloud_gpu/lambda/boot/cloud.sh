# What a machine of Lambda does in Lambda's own way. Sourced by common.sh; each function is named in docs/ADD_A_PROVIDER.md.
# It has no metadata service and no role: its secret came with its user data, and it can ask nothing of the account.

# What it says of its boot and its use, on port 8443 (watchdog_lambda.py): started by what runs first at every start.
case $0 in
  */prepare)
    systemctl is-active --quiet deployer-told 2>/dev/null ||
      systemd-run --quiet --unit=deployer-told --property=Restart=always --property=RestartSec=2 \
        --property=NoNewPrivileges=yes --property=ProtectSystem=full --property=ProtectHome=yes \
        /usr/bin/python3 /opt/deployer/lib/deployer_cloud.py
    ;;
esac

# addresses: where this machine is called, one a line. Its name is its public address (203-0-113-7); another may be wrong
addresses() {
  local name
  name=$(hostname)
  if [[ $name =~ ^([0-9]{1,3})-([0-9]{1,3})-([0-9]{1,3})-([0-9]{1,3})$ ]]; then
    echo "${name//-/.}"
  else
    curl -4 -fsS -m 10 https://checkip.amazonaws.com 2>/dev/null || true
  fi
  hostname -I 2>/dev/null | tr ' ' '\n' | grep -E '^[0-9.]+$' || true
}

# read_secret FILE: the deployment's secret, as JSON
read_secret() { install -m 0600 /etc/deployer/secret.json "$1"; }

# fast_disk: the root disk is the machine's own NVMe already
fast_disk() { :; }

# fetch_file URI FILE, fetch_folder URI FOLDER: it has no account of a bucket's
fetch_file() { false; }
fetch_folder() { false; }

# log_options NAME: sets logging to the options of `docker run`; the unit's own journal has what a container writes
log_options() {
  logging=(--log-driver none)
  iptables -C DOCKER-USER -d 169.254.0.0/16 -j DROP 2>/dev/null ||
    iptables -I DOCKER-USER -d 169.254.0.0/16 -j DROP 2>/dev/null || true # no container asks for the user data
}
