"""What the providers on AWS share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deployer.core.errors import DeployerError
    from deployer.providers.cloud import Cloud


def aws_cloud() -> Cloud:
    """The one cloud that all of them name: an account of AWS, as the user's credentials show it."""
    from stacks._aws.cloud import AwsCloud

    return AwsCloud()


def explain(said: str, deployment: str) -> DeployerError | None:
    """Turn what AWS or Pulumi's AWS plugin said into an error with a hint; None where it is not known."""
    from stacks._aws import errors

    return errors.explain(said, deployment)
