"""What the watchdog does on AWS, with the machine's own role. Fulfils `deployer.agents.watchdog.Cloud`.

It is copied to the machine beside the watchdog, so it needs Python 3.10 and the AWS CLI of the image, and nothing else.
"""

# ruff: noqa: S310 - it asks its own machine, over http, at addresses that are not a user's

from __future__ import annotations

import os
import subprocess
import sys
from http.client import HTTPException
from urllib.request import Request, urlopen

LONGEST_CALL_S = 90
PUT = ("cloudwatch", "put-metric-data", "--namespace", "Deployer")


def address() -> str:
    """Return the machine's address: a reboot keeps it, a machine that was stopped and woken has another."""
    return metadata("public-ipv4") or metadata("local-ipv4")


def publish(idle_s: float) -> None:
    """Tell CloudWatch for how long the machine was idle."""
    me = metadata("instance-id")
    if me:
        figure = f"MetricName=IdleSeconds,Unit=Seconds,Value={idle_s:.0f}"
        where = f"Dimensions=[{{Name=InstanceId,Value={me}}}]"
        aws(*PUT, "--metric-data", f"{figure},{where}")


def end(action: str, *, fleet: bool) -> bool:
    """Stop or end this machine, or leave the fleet; False when that is refused."""
    me = metadata("instance-id")
    if not me:
        return False
    if fleet:
        return _leave_fleet(me)
    call = "stop-instances" if action == "stop" else "terminate-instances"
    return aws("ec2", call, "--instance-ids", me) is not None


def _leave_fleet(me: str) -> bool:
    """Leave for good: the fleet may shrink to nothing, and gets no machine in place of this one."""
    group = aws(
        *("autoscaling", "describe-auto-scaling-instances", "--instance-ids", me),
        *("--query", "AutoScalingInstances[0].AutoScalingGroupName", "--output", "text"),
    )
    if group is None:
        return False
    name = group.strip()
    aws(
        "autoscaling",
        "update-auto-scaling-group",
        f"--auto-scaling-group-name={name}",
        "--min-size=0",
    )
    ended = aws(
        *("autoscaling", "terminate-instance-in-auto-scaling-group", "--instance-id", me),
        "--should-decrement-desired-capacity",
    )
    return ended is not None


def metadata(path: str) -> str:
    """Ask the machine's metadata service (IMDSv2); empty when it does not know."""
    base = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254")
    base = f"{base.rstrip('/')}/latest"
    life = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    try:
        with urlopen(Request(f"{base}/api/token", method="PUT", headers=life), timeout=5) as answer:
            token = answer.read().decode()
        asked = Request(f"{base}/meta-data/{path}", headers={"X-aws-ec2-metadata-token": token})
        with urlopen(asked, timeout=5) as answer:
            return str(answer.read().decode())
    except (OSError, ValueError, HTTPException):
        return ""


def aws(*arguments: str) -> str | None:
    """Call AWS by its command-line tool, which knows the role; None when it is refused."""
    try:
        done = subprocess.run(
            ["aws", *arguments],  # noqa: S607 - where the image has it
            capture_output=True,
            text=True,
            timeout=LONGEST_CALL_S,
            check=False,
            env={**os.environ, "AWS_PAGER": ""},
        )
    except (OSError, subprocess.SubprocessError) as error:
        _say(f"aws {arguments[1]}: {error}")
        return None
    if done.returncode:
        _say(f"aws {arguments[1]}: {done.stderr.strip()[:300]}")
        return None
    return done.stdout


def _say(text: str) -> None:
    sys.stdout.write(f"deployer: watchdog: {text}\n")
    sys.stdout.flush()
