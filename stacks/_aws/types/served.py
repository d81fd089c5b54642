"""What is served without a machine of one's own, found over a whole region by one call of the tagging API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from deployer.providers.inventory import Found
from stacks._aws.session import Clients
from stacks._aws.types.finding import TAG, tags_of
from stacks._aws.types.record import BEDROCK, SAGEMAKER

IMPORTED = "aws:bedrock/model:ImportedModel"
ENDPOINT = "aws:sagemaker/endpoint:Endpoint"
SERVED: Mapping[str, str] = {SAGEMAKER: ENDPOINT, BEDROCK: IMPORTED}
"""By the service that an ARN names."""
TAGGED_AS = ["sagemaker:endpoint", "bedrock:imported-model"]
"""The same in the tagging API's words."""


def served(clients: Clients, deployment: str | None) -> Iterator[Found]:  # noqa: ARG001 - a search's signature
    """Endpoints of SageMaker and models of Bedrock, of every deployment."""
    pages = clients("resourcegroupstaggingapi").get_paginator("get_resources")
    for page in pages.paginate(TagFilters=[{"Key": TAG}], ResourceTypeFilters=TAGGED_AS):
        for one in page["ResourceTagMappingList"]:
            arn, tags = str(one["ResourceARN"]), tags_of(one)
            kind, name = SERVED[arn.split(":")[2]], arn.rpartition("/")[2]
            yield Found(kind, arn, name, tags[TAG], clients.region, one, tags)
