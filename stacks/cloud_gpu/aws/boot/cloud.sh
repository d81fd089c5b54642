# What a machine of AWS does in AWS's own way. Sourced by common.sh; each function is named in docs/ADD_A_PROVIDER.md.
export AWS_DEFAULT_REGION=$region AWS_PAGER=

# imds PATH: what the machine knows of itself; nothing where it has none
imds() {
  local at=${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254} token
  token=$(curl -fsS -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "${at%/}/latest/api/token")
  curl -fsS -m 5 -H "X-aws-ec2-metadata-token: $token" "${at%/}/latest/meta-data/$1" 2>/dev/null || true
}

# addresses: where this machine is called, one a line
addresses() {
  local path
  for path in public-ipv4 local-ipv4; do
    imds "$path"
    echo
  done
}

# read_secret FILE: the deployment's secret, as JSON
read_secret() {
  aws secretsmanager get-secret-value --secret-id "deployer/$deployment" --query SecretString --output text >"$1"
}

# fast_disk: sets room to a folder on the instance's own NVMe (lost when it stops), else leaves it
fast_disk() {
  local disk
  if mountpoint -q /opt/dlami/nvme; then
    room=/opt/dlami/nvme/deployer
    return
  fi
  disk=$(compgen -G '/dev/disk/by-id/nvme-Amazon_EC2_NVMe_Instance_Storage_*' | head -n 1 || true)
  if [ -n "$disk" ] && ! mountpoint -q "$room"; then
    mkdir -p "$room"
    [ -n "$(blkid "$disk" || true)" ] || mkfs.ext4 -q "$disk"
    mount -o nosuid,nodev "$disk" "$room"
  fi
}

# fetch_file URI FILE, fetch_folder URI FOLDER: from a bucket, with the machine's own role
fetch_file() { aws s3 cp --only-show-errors "$1" "$2"; }
fetch_folder() { aws s3 sync --only-show-errors "$1" "$2"; }

# log_options NAME: sets logging to the options of `docker run` that keep a container's log
log_options() {
  logging=(
    --log-driver awslogs --log-opt "awslogs-group=/deployer/$deployment" --log-opt "awslogs-region=$region"
    --log-opt "awslogs-stream=$1-$(imds instance-id)"
  )
}
