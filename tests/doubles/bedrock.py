"""A double of Amazon Bedrock on loopback: its import jobs, its imported models with their tags, and their answers.

Every request is read, and every answer checked, against botocore's own model of the service, so that neither can drift
from what boto3 sends and reads.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from botocore import xform_name
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from tests.doubles.aws import document, error, frame, stream
from tests.kits.loopback import served

MODEL = ServiceModel(Loader().load_service_model("bedrock", "service-2"), "bedrock")
REGION = "us-east-1"
OWNER = f"arn:aws:bedrock:{REGION}:123456789012"
WHEN = "2026-01-01T00:00:00Z"


class Bedrock:
    """One account. `jobs_end` is how the next imports end; `faults` are the codes of the next failures by operation."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.models: dict[str, dict[str, Any]] = {}
        self.tags: dict[str, list[Any]] = {}
        self.faults: dict[str, list[tuple[str, str]]] = {}
        self.calls: list[str] = []
        self.failure: str | None = None
        self.units = 2
        self.cold = 0
        self.asked: list[Any] = []
        self.url = ""

    def answer(self, method: str, path: str, asked: dict[str, Any], body: Any) -> Any:
        """Answer one request: what sends it."""
        if found := re.fullmatch(r"/model/(.+)/invoke-with-response-stream", path):
            return self._invoked(found[1], body)
        for name, shape in MODEL._service_description["operations"].items():
            spot = re.fullmatch(re.sub(r"{\w+\+?}", "(.+)", shape["http"]["requestUri"]), path)
            if spot and shape["http"]["method"] == method and hasattr(self, xform_name(name)):
                return self._operated(name, [*spot.groups()], asked, body)
        return error("UnknownOperationException", 404, path)

    def _operated(self, name: str, place: list[str], asked: Any, body: Any) -> Any:
        self.calls.append(name)
        if self.faults.get(name):
            code, said = self.faults[name].pop(0)
            return error(code, 429 if "Throttl" in code else 400, said)
        given = getattr(self, xform_name(name))(*place, {**asked, **(body or {})})
        if given is None:
            return error("ResourceNotFoundException", 404, "there is no such thing")
        shape = MODEL.operation_model(name).output_shape
        if shape is not None:
            assert set(given) <= set(shape.members), (
                f"{name} has no {set(given) - set(shape.members)}"
            )
        return document(given)

    def create_model_import_job(self, asked: Any) -> Any:
        report = ParamValidator().validate(
            asked, MODEL.operation_model("CreateModelImportJob").input_shape
        )
        assert not report.has_errors(), report.generate_report()
        number = f"{len(self.jobs):012d}"
        job, model = f"{OWNER}:model-import-job/{number}", f"{OWNER}:imported-model/{number}"
        told = {
            "jobArn": job,
            "jobName": asked["jobName"],
            "importedModelName": asked["importedModelName"],
            "roleArn": asked["roleArn"],
            "modelDataSource": asked["modelDataSource"],
            "creationTime": WHEN,
            "status": "Completed",
            "importedModelArn": model,
        }
        self.jobs[job] = told
        if self.failure:
            told |= {"status": "Failed", "failureMessage": self.failure}
            del told["importedModelArn"]
        else:
            self.models[model] = {"modelArn": model, "modelName": asked["importedModelName"]}
            self.tags[model] = asked["importedModelTags"]
        return {"jobArn": job}

    def get_model_import_job(self, name: str, _asked: Any) -> Any:
        return self.jobs.get(name)

    def list_model_import_jobs(self, asked: Any) -> Any:
        wanted = asked.get("statusEquals", [""])[0]
        keys = (
            "jobArn",
            "jobName",
            "status",
            "creationTime",
            "importedModelName",
            "importedModelArn",
        )
        found = [j for j in self.jobs.values() if wanted in ("", j["status"])]
        return {"modelImportJobSummaries": [{k: j[k] for k in keys if k in j} for j in found]}

    def get_imported_model(self, name: str, _asked: Any) -> Any:
        model = self.models.get(name)
        units = {"customModelUnitsPerModelCopy": self.units, "customModelUnitsVersion": "v1.0"}
        return model and {**model, "modelArchitecture": "llama", "customModelUnits": units}

    def list_imported_models(self, _asked: Any) -> Any:
        return {"modelSummaries": [{**m, "creationTime": WHEN} for m in self.models.values()]}

    def delete_imported_model(self, name: str, _asked: Any) -> Any:
        return {} if self.models.pop(name, None) else None

    def list_tags_for_resource(self, asked: Any) -> Any:
        return {"tags": self.tags.get(asked["resourceARN"], [])}

    def _invoked(self, model: str, body: Any) -> Any:
        if model not in self.models:
            return error("ResourceNotFoundException", 404, "there is no such model")
        if self.cold:
            self.cold -= 1
            return error("ModelNotReadyException", 429, "Model is not ready for inference")
        self.asked.append(body)
        chunks: list[tuple[dict[str, str], str | None]] = [
            ({"content": "Hello."}, None),
            ({}, "stop"),
        ]
        return stream([_chunk(delta, end) for delta, end in chunks])


def _chunk(delta: Any, end: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": end}
    said = {"id": "c", "object": "chat.completion.chunk", "created": 1, "choices": [choice]}
    text = base64.b64encode(json.dumps(said).encode()).decode()
    return frame("chunk", json.dumps({"bytes": text}).encode(), "application/json")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    double: Bedrock
    lock = threading.Lock()

    def _any(self) -> None:
        text = self.rfile.read(int(self.headers.get("content-length") or 0))
        place = urlsplit(self.path)
        body = json.loads(text) if text else None
        with self.lock:
            send = self.double.answer(
                self.command, unquote(place.path), parse_qs(place.query), body
            )
        send(self)

    do_GET = do_POST = do_DELETE = _any  # noqa: N815 - the parent's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
        """Say nothing."""


@contextmanager
def serving() -> Iterator[Bedrock]:
    """Run the double."""
    made = Bedrock()
    with served(_Handler, double=made) as url:
        made.url = url
        yield made
