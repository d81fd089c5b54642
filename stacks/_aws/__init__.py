"""What the providers on AWS share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deployer.providers.cloud import Cloud


def account() -> Cloud:
    """The one cloud that all of them name: an account of AWS, as the user's credentials show it."""
    from stacks._aws.cloud import AwsCloud

    return AwsCloud()
