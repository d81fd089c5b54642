"""A model imported into Amazon Bedrock, as a Pulumi dynamic resource: AWS has no class for it.

Its code is kept in the stack's state (`_dynamic`), so it imports nothing but Pulumi and boto3. The model is
named like the deployment; an import that was going on when the last `up` ended is taken up again.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from pulumi.dynamic import CreateResult, DiffResult, ReadResult, ResourceProvider, UpdateResult

OUTPUTS = ("model_arn", "model_units", "architecture")
LOOK_S = 15.0
LIMIT_S = 6 * 3600.0
"""The longest wait for an import; AWS's own example of 20B parameters took 10 to 15 minutes."""
ROLE_S = 60.0
"""How long a role that was just made may be unknown to other services."""
REPLACES = ("deployment", "region", "uri", "digest")
GONE = "ResourceNotFoundException"
MENDS = {
    "ServiceQuotaExceededException": (
        "raise the quota 'Imported models per account' of Amazon Bedrock, or delete an imported model"
    ),
    "AccessDeniedException": "the credentials need bedrock:CreateModelImportJob and iam:PassRole",
}


class FailedImport(Exception):  # noqa: N818 - `ImportError` is Python's
    """The import did not succeed; says what AWS says of it."""


class Provider(ResourceProvider):
    """Creates, reads and deletes one imported model."""

    serialize_as_secret_always = False

    def __init__(
        self, connect: Callable[[str], Any] | None = None, sleep: Any = time.sleep
    ) -> None:
        super().__init__()
        self.connect, self.sleep = connect or _client, sleep

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Other weights are another model; it has the same name, so the old one goes first."""
        replaces = [key for key in REPLACES if _olds.get(key) != _news.get(key)]
        return DiffResult(changes=bool(replaces), replaces=replaces, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Submit the job, or find the one that is going on, and wait for its end."""
        bedrock = self.connect(props["region"])
        job = _going_on(bedrock, props) or self._submit(bedrock, props)
        done = self._awaited(bedrock, job)
        model = _model(bedrock, done["importedModelArn"])
        return CreateResult(done["importedModelArn"], {**props, **model})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Look at the model; without an id it was deleted by hand."""
        from botocore.exceptions import ClientError

        try:
            return ReadResult(id_, {**props, **_model(self.connect(props["region"]), id_)})
        except ClientError as error:
            if _code(error) != GONE:
                raise
            return ReadResult("", {})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Nothing of a model can be changed: what was known of it is kept."""
        return UpdateResult({**_news, **{key: _olds.get(key) for key in OUTPUTS}})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Delete the model, if it is still there."""
        from botocore.exceptions import ClientError

        try:
            self.connect(_props["region"]).delete_imported_model(modelIdentifier=_id)
        except ClientError as error:
            if _code(error) != GONE:
                raise

    def _submit(self, bedrock: Any, props: Mapping[str, Any]) -> str:
        """Start an import. A role that AWS does not know yet is waited for."""
        from botocore.exceptions import ClientError

        waited = 0.0
        while True:
            try:
                return str(bedrock.create_model_import_job(**_job(props))["jobArn"])
            except ClientError as error:
                if "role" not in str(error).lower() or waited >= ROLE_S:
                    raise FailedImport(_words(error)) from None
            self.sleep(LOOK_S)
            waited += LOOK_S

    def _awaited(self, bedrock: Any, job: str) -> Mapping[str, Any]:
        waited = 0.0
        while waited <= LIMIT_S:
            found: Mapping[str, Any] = bedrock.get_model_import_job(jobIdentifier=job)
            if found["status"] == "Completed":
                return found
            if found["status"] == "Failed":
                said = found.get("failureMessage") or "AWS gives no reason"
                raise FailedImport(f"Bedrock refused the model: {said}")
            _say(f"bedrock: importing, {waited / 60:.0f} min")
            self.sleep(LOOK_S)
            waited += LOOK_S
        raise FailedImport(f"the import did not end within {LIMIT_S / 3600:.0f} h: {job}")


def _client(region: str) -> Any:
    import boto3
    from botocore.config import Config

    retries: Any = {"mode": "adaptive", "max_attempts": 10}  # throttling is waited out
    return boto3.client("bedrock", region_name=region, config=Config(retries=retries))


def _job(props: Mapping[str, Any]) -> dict[str, Any]:
    tags = [{"key": key, "value": value} for key, value in sorted(props["tags"].items())]
    return {
        "jobName": f"{props['deployment'][:40]}-{time.time_ns():x}",
        "importedModelName": props["deployment"],
        "roleArn": props["role_arn"],
        "modelDataSource": {"s3DataSource": {"s3Uri": props["uri"]}},
        "jobTags": tags,
        "importedModelTags": tags,
    }


def _going_on(bedrock: Any, props: Mapping[str, Any]) -> str | None:
    """The job of an earlier attempt at the same model that has not ended."""
    listed = bedrock.list_model_import_jobs(
        statusEquals="InProgress", nameContains=props["deployment"][:40]
    )
    for job in listed["modelImportJobSummaries"]:
        same = job.get("importedModelName") == props["deployment"]
        if same and job["status"] == "InProgress":
            _say(f"bedrock: {job['jobName']} is already in progress")
            return str(job["jobArn"])
    return None


def _model(bedrock: Any, arn: str) -> dict[str, Any]:
    found = bedrock.get_imported_model(modelIdentifier=arn)
    counted = found.get("customModelUnits") or {}
    return {
        "model_arn": found["modelArn"],
        "model_units": counted.get("customModelUnitsPerModelCopy"),
        "architecture": found.get("modelArchitecture"),
    }


def _code(error: Any) -> str:
    return str(error.response["Error"]["Code"])


def _words(error: Any) -> str:
    said = error.response["Error"]
    mend = MENDS.get(said["Code"])
    return f"{said['Code']}: {said['Message']}" + (f". Mend: {mend}" if mend else "")


def _say(text: str) -> None:
    """One line of progress: Pulumi shows what a resource's code writes here."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
