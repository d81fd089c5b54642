"""What ends a deployment from outside, with nobody's computer on: its expiry and its budget at AWS.

Configuration read besides the inputs:

    deployer:expiresAt     when it expires, in UTC without an offset, such as 2026-11-30T12:00:00
    deployer:budgetEmail   who is told when AWS has billed 80 % and 100 % of the budget
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

NOT_YET = "2099-12-31T00:00:00"
"""What stands in a plan, which cannot know the time; `deployer up` sets the real one."""
CALLS: Mapping[str, tuple[str, str]] = {
    "instance": ("ec2:terminateInstances", "ec2:TerminateInstances"),
    "group": ("autoscaling:deleteAutoScalingGroup", "autoscaling:DeleteAutoScalingGroup"),
}
"""By what is ended: the scheduler's universal target, and the right that it needs."""
LONGEST_NAME = 64
TAG = "deployer:deployment"


def declare(to: Any, kind: str, identity: Any) -> None:
    """Declare what the policy asks for: a schedule (`expires`), a budget (`budget`), or nothing.

    Args:
        to: the setting of the stack: `inputs`, `tags`, `here`, `config`.
        kind: what is ended: `instance` or `group`.
        identity: the instance's id, or the name of the auto-scaling group.
    """
    if to.inputs.get("expires"):
        _schedule(to, kind, identity)
    if to.inputs.get("budget"):
        _budget(to)


def _schedule(to: Any, kind: str, identity: Any) -> None:
    """One call at one time. Both `up` and `idle extend` move it later on, without the stack: `up` says where it stands
    now, and where nothing says so it is left as it is.
    """
    import pulumi
    from pulumi_aws import scheduler

    target, _ = CALLS[kind]
    at = to.config.get("expiresAt")
    also = pulumi.ResourceOptions(ignore_changes=[] if at else ["scheduleExpression"])
    scheduler.Schedule(
        "expiry",
        name=f"{to.inputs['deployment'][: LONGEST_NAME - len('-expiry')]}-expiry",
        description=f"removes {to.inputs['deployment']} when it expires",
        schedule_expression=f"at({at or NOT_YET})",
        schedule_expression_timezone="UTC",
        flexible_time_window={"mode": "OFF"},
        target={
            "arn": f"arn:aws:scheduler:::aws-sdk:{target}",
            "role_arn": _role(to, kind).arn,
            "input": pulumi.Output.from_input(identity).apply(lambda name: told(kind, name)),
            "retry_policy": {"maximum_retry_attempts": 185, "maximum_event_age_in_seconds": 86400},
        },
        opts=pulumi.ResourceOptions.merge(to.here, also),
    )


def told(kind: str, identity: str) -> str:
    """Write what the scheduler tells AWS to do."""
    if kind == "instance":
        return json.dumps({"InstanceIds": [identity]})
    return json.dumps({"AutoScalingGroupName": identity, "ForceDelete": True})


def _role(to: Any, kind: str) -> Any:
    """What the scheduler may do: end what has this deployment's tag, and nothing else; for this account alone."""
    import pulumi
    from pulumi_aws import get_caller_identity_output, iam

    deployment = to.inputs["deployment"]
    account = get_caller_identity_output(opts=pulumi.InvokeOptions(provider=to.here.provider))
    role = iam.Role(
        "expiry",
        path=f"/deployer/{deployment}/",
        assume_role_policy=account.account_id.apply(_trust),
        tags=to.tags,
        opts=to.here,
    )
    iam.RolePolicy(
        "expiry",
        role=role.name,
        policy=json.dumps(_allowed(CALLS[kind][1], deployment)),
        opts=to.here,
    )
    return role


def _trust(account: str) -> str:
    """Let the scheduler act for schedules of this account (AWS: "cross-service confused deputy")."""
    return json.dumps(
        _statement(
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"Service": "scheduler.amazonaws.com"},
                "Condition": {"StringEquals": {"aws:SourceAccount": account}},
            }
        )
    )


def _allowed(action: str, deployment: str) -> dict[str, Any]:
    own = {"StringEquals": {f"aws:ResourceTag/{TAG}": deployment}}
    return _statement({"Effect": "Allow", "Action": action, "Resource": "*", "Condition": own})


def _statement(one: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [one]}


def _budget(to: Any) -> None:
    """A budget on the deployment's tag. AWS counts it once the tag is activated for cost allocation, a day late."""
    from pulumi_aws import budgets

    deployment, email = to.inputs["deployment"], to.config.get("budgetEmail")
    budgets.Budget(
        "budget",
        name=f"deployer-{deployment}",
        budget_type="COST",
        limit_amount=str(to.inputs["budget"]),
        limit_unit="USD",
        time_unit="MONTHLY",
        cost_filters=[{"name": "TagKeyValue", "values": [f"user:{TAG}${deployment}"]}],
        notifications=[_notice(share, email) for share in (80, 100)] if email else [],
        tags=to.tags,
        opts=to.here,
    )


def _notice(share: int, email: str) -> Any:
    return {
        "comparison_operator": "GREATER_THAN",
        "threshold": share,
        "threshold_type": "PERCENTAGE",
        "notification_type": "ACTUAL",
        "subscriber_email_addresses": [email],
    }
