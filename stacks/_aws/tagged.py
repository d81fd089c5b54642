"""What a serverless deployment leaves behind on AWS: found by tag, path or name.

A model of Bedrock, an endpoint, an inference component and its scaling are called as the deployment is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deployer.providers.api import Say
from deployer.providers.inventory import Found, Left
from stacks._aws import inventory, removal
from stacks._aws.inventory import TAG, Look, tags_of
from stacks._aws.session import Clients, code_of

IMPORTED = "aws:bedrock/model:ImportedModel"
IMPORT = "aws:bedrock/job:ModelImportJob"
BUCKET = "aws:s3/bucket:Bucket"
ENDPOINT = "aws:sagemaker/endpoint:Endpoint"
CONFIGURATION = "aws:sagemaker/endpointConfiguration:EndpointConfiguration"
MODEL = "aws:sagemaker/model:Model"
COMPONENT = "aws:sagemaker/inferenceComponent:InferenceComponent"
SCALED = "aws:appautoscaling/target:Target"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"

BUCKETS, ALARMS = "weights-", "wake-"
"""How the names of the stacks' buckets and alarms begin: Pulumi makes them of the resource's own name."""
COPIES = {
    "ServiceNamespace": "sagemaker",
    "ScalableDimension": "sagemaker:inference-component:DesiredCopyCount",
}
NOT_OURS = ("NoSuchTagSet", "NoSuchBucket", "AccessDenied", "PermanentRedirect")
"""How S3 answers for the tags of a bucket that has none, or is not ours to look at."""


@dataclass(frozen=True)
class Traces:
    """Fulfils `deployer.providers.inventory.Inventory` by some looks and ways of removal."""

    clients: Clients
    deployment: str
    looks: Sequence[Look]
    how: Mapping[str, removal.Remove]
    taken_up: Collection[str] = ()

    def found(self) -> list[Found]:
        """See `Inventory`."""
        return inventory.search(self.clients, self.deployment, self.looks)

    def remove(self, found: Sequence[Found], say: Say) -> tuple[list[Found], list[Left]]:
        """See `Inventory`."""
        return removal.remove(self.clients, found, say, how=self.how)


def imports(clients: Clients, deployment: str | None) -> Iterator[Found]:
    """The import jobs that are going on: AWS cannot stop them, and forgets ended ones by itself."""
    asked = {"statusEquals": "InProgress", "nameContains": (deployment or "")[:40]}
    pages = clients("bedrock").get_paginator("list_model_import_jobs").paginate(**asked)
    for one in (job for page in pages for job in page["modelImportJobSummaries"]):
        mine = one.get("importedModelName") == deployment
        if mine and one["status"] == "InProgress":
            yield _by_name(clients, IMPORT, one["jobArn"], str(deployment), one)


def imported(clients: Clients, deployment: str | None) -> Iterator[Found]:
    """The model that is called as the deployment is and has its tag."""
    client = clients("bedrock")
    pages = client.get_paginator("list_imported_models").paginate(nameContains=deployment or "")
    for one in (model for page in pages for model in page["modelSummaries"]):
        if one["modelName"] == deployment:
            tags = _plain(client.list_tags_for_resource(resourceARN=one["modelArn"])["tags"])
            if tags.get(TAG) == deployment:
                yield _by_name(clients, IMPORTED, one["modelArn"], str(deployment), one, tags)


def buckets(clients: Clients, deployment: str | None) -> Iterator[Found]:
    """The bucket with the weights."""
    client = clients("s3")
    for one in client.list_buckets()["Buckets"]:
        if one["Name"].startswith(BUCKETS):
            tags = _bucket_tags(client, one["Name"])
            if tags.get(TAG) == deployment:
                yield _by_name(clients, BUCKET, one["Name"], str(deployment), one, tags)


def _bucket_tags(client: Any, name: str) -> dict[str, str]:
    from botocore.exceptions import ClientError

    try:
        return tags_of({"Tags": client.get_bucket_tagging(Bucket=name)["TagSet"]})
    except ClientError as error:
        if code_of(error) not in NOT_OURS:
            raise
        return {}


def components(clients: Clients, deployment: str | None) -> Iterator[Found]:
    """The inference component."""
    told = clients("sagemaker").list_inference_components(NameContains=deployment)
    for one in told["InferenceComponents"]:
        if one["InferenceComponentName"] == deployment:
            name = one["InferenceComponentName"]
            yield _by_name(clients, COMPONENT, name, str(deployment), one)


def endpoints(clients: Clients, deployment: str | None) -> Iterator[Found]:
    """The endpoint."""
    yield from _tagged(
        clients, deployment, ENDPOINT, ("list_endpoints", "Endpoints", "Endpoint"), deployment
    )


def configurations(clients: Clients, deployment: str | None) -> Iterator[Found]:
    """The endpoint's configurations: an update may have left one."""
    names = ("list_endpoint_configs", "EndpointConfigs", "EndpointConfig")
    yield from _tagged(clients, deployment, CONFIGURATION, names, "endpoint-")


def models(clients: Clients, deployment: str | None) -> Iterator[Found]:
    """The descriptions of the model."""
    yield from _tagged(clients, deployment, MODEL, ("list_models", "Models", "Model"), "model-")


def _tagged(
    clients: Clients,
    deployment: str | None,
    kind: str,
    names: tuple[str, str, str],
    named: str | None,
) -> Iterator[Found]:
    """What SageMaker lists under a part of its name, and has the tag."""
    operation, key, word = names
    client = clients("sagemaker")
    for page in client.get_paginator(operation).paginate(NameContains=named):
        for one in page[key]:
            tags = tags_of(client.list_tags(ResourceArn=one[f"{word}Arn"]))
            if tags.get(TAG) == deployment:
                yield _by_name(clients, kind, one[f"{word}Name"], str(deployment), one, tags)


def scaled(clients: Clients, deployment: str | None) -> Iterator[Found]:
    """What scales the inference component, its policies with it."""
    told = clients("application-autoscaling").describe_scalable_targets(
        **COPIES, ResourceIds=[f"inference-component/{deployment}"]
    )
    for one in told["ScalableTargets"]:
        yield _by_name(clients, SCALED, one["ResourceId"], str(deployment), one)


def alarms(clients: Clients, deployment: str | None) -> Iterator[Found]:
    """The alarm that wakes it."""
    pages = clients("cloudwatch").get_paginator("describe_alarms")
    for page in pages.paginate(AlarmNamePrefix=ALARMS):
        for one in page["MetricAlarms"]:
            watched = {d["Name"]: d["Value"] for d in one.get("Dimensions", ())}
            if watched.get("InferenceComponentName") == deployment:
                yield _by_name(clients, ALARM, one["AlarmName"], str(deployment), one)


def log_group(deployment: str) -> str:
    """Where an inference component writes its log."""
    return f"/aws/sagemaker/InferenceComponents/{deployment}"


def log_groups(clients: Clients, deployment: str | None) -> Iterator[Found]:
    """The inference component's log."""
    group = log_group(str(deployment))
    told = clients("logs").describe_log_groups(logGroupNamePrefix=group)
    for one in told["logGroups"]:
        if one["logGroupName"] == group:
            yield _by_name(clients, inventory.LOGS, group, str(deployment), one)


def _by_name(
    clients: Clients,
    kind: str,
    identity: str,
    deployment: str,
    details: Mapping[str, Any],
    tags: Mapping[str, str] | None = None,
) -> Found:
    name = identity.rpartition("/")[2]
    return Found(kind, identity, name, deployment, clients.region, details, tags or {})


def _plain(tags: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in tags}
