"""How what a serverless deployment leaves behind on AWS is removed, by type."""

from __future__ import annotations

from collections.abc import Mapping

from deployer.providers.inventory import Found
from stacks._aws import inventory, removal, tagged
from stacks._aws.removal import NotYetError, Remove, one_call
from stacks._aws.session import Clients


def _import(clients: Clients, one: Found) -> None:
    """An import cannot be stopped: its end is waited for, and what it made removed."""
    client = clients("bedrock")
    job = client.get_model_import_job(jobIdentifier=one.id)
    if job["status"] == "InProgress":
        raise NotYetError("AWS cannot stop an import: it is ending by itself, in minutes")
    if made := job.get("importedModelArn"):
        client.delete_imported_model(modelIdentifier=made)


def _bucket(clients: Clients, one: Found) -> None:
    client = clients("s3")
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=one.id):
        keys = [{"Key": thing["Key"]} for thing in page.get("Contents", ())]
        if keys:
            client.delete_objects(Bucket=one.id, Delete={"Objects": keys, "Quiet": True})
    for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=one.id):
        for begun in page.get("Uploads", ()):
            client.abort_multipart_upload(
                Bucket=one.id, Key=begun["Key"], UploadId=begun["UploadId"]
            )
    client.delete_bucket(Bucket=one.id)


def _component(clients: Clients, one: Found) -> None:
    """It goes before its endpoint, and takes minutes."""
    client = clients("sagemaker")
    told = client.describe_inference_component(InferenceComponentName=one.id)
    if told["InferenceComponentStatus"] != "Deleting":
        client.delete_inference_component(InferenceComponentName=one.id)
    client.describe_inference_component(InferenceComponentName=one.id)  # fails when it is gone
    raise NotYetError("it is ending")


def _endpoint(clients: Clients, one: Found) -> None:
    client = clients("sagemaker")
    told = client.describe_endpoint(EndpointName=one.id)
    if told["EndpointStatus"] != "Deleting":
        client.delete_endpoint(EndpointName=one.id)
    client.describe_endpoint(EndpointName=one.id)  # fails when it is gone
    raise NotYetError("it is ending")


def _scaled(clients: Clients, one: Found) -> None:
    clients("application-autoscaling").deregister_scalable_target(
        **tagged.COPIES, ResourceId=one.id
    )


def _alarm(clients: Clients, one: Found) -> None:
    clients("cloudwatch").delete_alarms(AlarmNames=[one.id])


HOW: Mapping[str, Remove] = {
    tagged.IMPORT: _import,
    tagged.IMPORTED: one_call("bedrock", "delete_imported_model", "modelIdentifier"),
    tagged.BUCKET: _bucket,
    tagged.SCALED: _scaled,
    tagged.ALARM: _alarm,
    tagged.COMPONENT: _component,
    tagged.ENDPOINT: _endpoint,
    tagged.CONFIGURATION: one_call("sagemaker", "delete_endpoint_config", "EndpointConfigName"),
    tagged.MODEL: one_call("sagemaker", "delete_model", "ModelName"),
    inventory.LOGS: removal.HOW[inventory.LOGS],
    inventory.ROLE: removal.HOW[inventory.ROLE],
}
