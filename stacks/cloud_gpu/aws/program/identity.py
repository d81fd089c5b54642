"""What is kept for the machine (its secrets, its log), and what it may do with its own role."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import cloudwatch, iam, secretsmanager

from .setting import Setting

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"Service": "ec2.amazonaws.com"},
            }
        ],
    }
)
"""Only EC2 may take on the machine's role."""
SESSIONS = [
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
]
"""What Session Manager needs and no more, for AWS's own policy reads all of Parameter Store besides. They take no
narrower resource (AWS Systems Manager, "Create a custom IAM role for Session Manager").
"""
SECRETS = {
    "api_key": "apiKey",
    "hub_token": "hubToken",
    "ca_certificate": "caCertificate",
    "ca_key": "caKey",
}
"""What the deployment's one secret holds, and under which key of the configuration it is given."""


@dataclass(frozen=True)
class Kept:
    """The secret, its value, and the log group."""

    secret: Any
    value: Any
    logs: Any

    def exports(self) -> dict[str, Any]:
        """Where they are found."""
        return {
            "secret_arn": self.secret.arn,
            "secret_name": self.secret.name,
            "log_group": self.logs.name,
        }


def keep(to: Setting) -> Kept:
    """Declare the secret with its value, and the log group."""
    deployment = to.inputs["deployment"]
    secret = secretsmanager.Secret(
        "secret",
        name=f"deployer/{deployment}",
        description=f"API key, hub token and certificate authority of {deployment}",
        recovery_window_in_days=0,  # nothing is left behind, and the name is free at once
        tags=to.tags,
        opts=to.here,
    )
    given = {name: to.config.get_secret(key) or "" for name, key in SECRETS.items()}
    value = secretsmanager.SecretVersion(
        "secret-value",
        secret_id=secret.id,
        secret_string=_hidden(pulumi.Output.json_dumps(given)),
        opts=to.here,
    )
    logs = cloudwatch.LogGroup(
        "logs",
        name=f"/deployer/{deployment}",
        retention_in_days=to.inputs["log_days"],
        tags=to.tags,
        opts=to.here,
    )
    return Kept(secret, value, logs)


def _hidden(value: Any) -> Any:
    """Mark a value as a secret: no state and no preview shows it."""
    return pulumi.Output.secret(value)


@dataclass(frozen=True)
class Profile:
    """The instance profile, and what must be there before a machine starts with it."""

    profile: Any
    needs: list[Any]


def profile(to: Setting, kept: Kept) -> Profile:
    """Declare the role: read its own secret and weights, write its own log, end itself, be managed."""
    path = f"/deployer/{to.inputs['deployment']}/"
    role = iam.Role("role", path=path, assume_role_policy=TRUST, tags=to.tags, opts=to.here)
    allowed = pulumi.Output.all(kept.secret.arn, kept.logs.arn).apply(
        lambda arns: _policy(to, *arns)
    )
    own = iam.RolePolicy("own-things", role=role.name, policy=allowed, opts=to.here)
    made = iam.InstanceProfile("profile", path=path, role=role.name, tags=to.tags, opts=to.here)
    return Profile(made, [own, kept.value, kept.logs])


def _policy(to: Setting, secret: str, logs: str) -> str:
    statements = [
        _allow(["secretsmanager:GetSecretValue"], secret),
        _allow(SESSIONS, "*"),
        _allow(["logs:CreateLogStream", "logs:PutLogEvents"], f"{logs}:*"),
        {
            **_allow(["cloudwatch:PutMetricData"], "*"),
            "Condition": {"StringEquals": {"cloudwatch:namespace": "Deployer"}},
        },
        *_ending(to),
        *_weights(to.inputs["bucket"]),
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _ending(to: Setting) -> list[dict[str, Any]]:
    """What the watchdog needs: only on what carries this deployment's tag."""
    region = to.inputs["region"]
    tag = "aws:ResourceTag/deployer:deployment"
    mine = {"StringEquals": {tag: to.inputs["deployment"]}}
    end = _allow(
        ["ec2:StopInstances", "ec2:TerminateInstances"], f"arn:aws:ec2:{region}:*:instance/*"
    )
    if not to.inputs["fleet"]:
        return [{**end, "Condition": mine}]
    shrink = _allow(
        [
            "autoscaling:TerminateInstanceInAutoScalingGroup",
            "autoscaling:UpdateAutoScalingGroup",
        ],
        f"arn:aws:autoscaling:{region}:*:autoScalingGroup:*",
    )
    look = _allow(["autoscaling:DescribeAutoScalingInstances"], "*")  # takes no narrower resource
    return [{**end, "Condition": mine}, {**shrink, "Condition": mine}, look]


def _weights(bucket: Any) -> list[dict[str, Any]]:
    if not bucket:
        return []
    arn = f"arn:aws:s3:::{bucket['name']}"
    within = {"StringLike": {"s3:prefix": f"{bucket['prefix']}*"}}
    return [
        _allow(["s3:GetObject"], f"{arn}/{bucket['prefix']}*"),
        {**_allow(["s3:ListBucket"], arn), "Condition": within},
    ]


def _allow(actions: list[str], resource: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resource}
