"""Amazon SageMaker in front of the AWS emulator: what that does not play (endpoints without a model of their own, the
inference components on them by Cloud Control and by SageMaker itself, their scaling, their answers) is played here,
everything else is handed on.

Each request that is played is checked against botocore's own model of the service, and so is each answer.
"""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonpatch
from botocore import xform_name
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from tests.doubles.aws import error, frame, stream
from tests.doubles.older_provider import MODEL_NAME
from tests.kits.loopback import served

SERVICES = {
    "CloudApiService": "cloudcontrol",
    "SageMaker": "sagemaker",
    "AnyScaleFrontendService": "application-autoscaling",
}
"""By what stands before the operation in X-Amz-Target."""
MODELS = {
    target: ServiceModel(Loader().load_service_model(name, "service-2"), name)
    for target, name in SERVICES.items()
}
KIND = "AWS::SageMaker::InferenceComponent"
ACCOUNT = "arn:aws:sagemaker:us-east-1:123456789012"
WHEN = 1767225600.0
COLD = "Inference Component has no capacity to process this request."
SCHEMA = {
    "typeName": KIND,
    "description": "An inference component",
    "additionalProperties": False,
    "primaryIdentifier": ["/properties/InferenceComponentArn"],
    "readOnlyProperties": ["/properties/InferenceComponentArn"],
    "properties": {
        "InferenceComponentArn": {"type": "string"},
        "InferenceComponentName": {"type": "string"},
        "EndpointName": {"type": "string"},
        "VariantName": {"type": "string"},
        "Specification": {"type": "object"},
        "RuntimeConfig": {"type": "object"},
        "Tags": {"type": "array", "items": {"type": "object"}},
    },
}
"""Of the type in CloudFormation's registry, as much as the provider reads."""


class SageMaker:
    """One account. `failure` is why the next component fails; `cold`, how many calls find no copy; `faults`, by operation."""

    def __init__(self) -> None:
        self.components: dict[str, dict[str, Any]] = {}
        self.configurations: dict[str, dict[str, Any]] = {}
        self.endpoints: dict[str, dict[str, Any]] = {}
        self.tags: dict[str, list[Any]] = {}
        self.targets: dict[str, dict[str, Any]] = {}
        self.policies: dict[str, dict[str, Any]] = {}
        self.failure: str | None = None
        self.copies = 1
        self.cold = 0
        self.faults: dict[str, list[tuple[str, str]]] = {}
        self.calls: list[str] = []
        self.given: dict[str, list[Any]] = {}
        self.asked: list[Any] = []
        self.events: dict[str, dict[str, Any]] = {}
        self.url = ""

    def component(self, name: str) -> dict[str, Any] | None:
        """The component of a name."""
        found = (c for c in self.components.values() if c["InferenceComponentName"] == name)
        return next(found, None)

    def answer(self, target: str, body: Any) -> Any:
        """Answer one call that is played here; None: it is to be handed on."""
        service, _, name = target.rpartition(".")
        self.calls.append(name)
        self.given.setdefault(name, []).append(body)
        if self.faults.get(name):
            code, said = self.faults[name].pop(0)
            return json_error(code, said)
        if service not in MODELS or not self._plays(name, body):
            return None
        model = MODELS[service].operation_model(name)
        refuse_unless_valid(body, model.input_shape, name)
        made = getattr(self, xform_name(name))(body)
        if callable(made):
            return made
        if model.output_shape is not None:
            refuse_unless_valid(made, model.output_shape, f"the answer to {name}")
        return json_answer(made)

    def _plays(self, name: str, body: Any) -> bool:
        if "ResourceArn" in body:
            return ":model/" not in body["ResourceArn"]
        return hasattr(self, xform_name(name))

    # Cloud Control

    def create_resource(self, asked: Any) -> Any:
        assert asked["TypeName"] == KIND
        wanted = json.loads(asked["DesiredState"])
        name = wanted["InferenceComponentName"]
        arn = f"{ACCOUNT}:inference-component/{name}"
        told = {k: v for k, v in wanted.items() if k != "InferenceComponentArn"}
        model = MODELS["SageMaker"].operation_model("CreateInferenceComponent")
        refuse_unless_valid(told, model.input_shape, "the component")
        self.components[arn] = {**wanted, "InferenceComponentArn": arn}
        if self.failure:
            return self._event(arn, "CREATE", "FAILED", self.failure)
        return self._event(arn, "CREATE", "IN_PROGRESS")

    def get_resource(self, asked: Any) -> Any:
        found = self.components.get(asked["Identifier"])
        if found is None:
            return json_error("ResourceNotFoundException", "there is no such component")
        text = {"Identifier": asked["Identifier"], "Properties": json.dumps(found)}
        return {"TypeName": KIND, "ResourceDescription": text}

    def update_resource(self, asked: Any) -> Any:
        before = self.components[asked["Identifier"]]
        self.components[asked["Identifier"]] = jsonpatch.apply_patch(before, asked["PatchDocument"])
        return self._event(asked["Identifier"], "UPDATE", "IN_PROGRESS")

    def delete_resource(self, asked: Any) -> Any:
        self.components.pop(asked["Identifier"], None)
        return self._event(asked["Identifier"], "DELETE", "IN_PROGRESS")

    def get_resource_request_status(self, asked: Any) -> Any:
        event = self.events[asked["RequestToken"]]
        if event["OperationStatus"] == "IN_PROGRESS":
            event = {**event, "OperationStatus": "SUCCESS"}
        return {"ProgressEvent": event}

    def _event(self, arn: str, operation: str, status: str, why: str = "") -> Any:
        token = f"token-{len(self.events)}"
        event = {
            "TypeName": KIND,
            "Identifier": arn,
            "RequestToken": token,
            "Operation": operation,
            "OperationStatus": status,
            "EventTime": WHEN,
        }
        if why:
            event |= {"StatusMessage": why, "ErrorCode": "NotStabilized"}
        self.events[token] = event
        return {"ProgressEvent": event}

    # SageMaker itself

    def describe_inference_component(self, asked: Any) -> Any:
        found = self.component(asked["InferenceComponentName"])
        if found is None:
            return json_error("ValidationException", "Could not find inference component")
        told = self._summary(found) | {
            "RuntimeConfig": {"DesiredCopyCount": self.copies, "CurrentCopyCount": self.copies}
        }
        return told | ({"FailureReason": self.failure} if self.failure else {})

    def list_inference_components(self, asked: Any) -> Any:
        wanted = asked.get("NameContains", "")
        found = [c for c in self.components.values() if wanted in str(c["InferenceComponentName"])]
        return {"InferenceComponents": [self._summary(one) for one in found]}

    def delete_inference_component(self, asked: Any) -> Any:
        self.components.pop(f"{ACCOUNT}:inference-component/{asked['InferenceComponentName']}")
        return json_answer({})

    def list_tags(self, asked: Any) -> Any:
        arn = asked["ResourceArn"]
        of_component = self.components.get(arn, {}).get("Tags", [])
        return {"Tags": self.tags.get(arn, of_component)}

    def add_tags(self, asked: Any) -> Any:
        new = {one["Key"]: one for one in [*self.tags[asked["ResourceArn"]], *asked["Tags"]]}
        self.tags[asked["ResourceArn"]] = list(new.values())
        return {"Tags": self.tags[asked["ResourceArn"]]}

    def create_endpoint_config(self, asked: Any) -> Any:
        for one in asked["ProductionVariants"]:
            assert {k: one.pop(k) for k in MODEL_NAME} == MODEL_NAME
        arn = f"{ACCOUNT}:endpoint-config/{asked['EndpointConfigName']}"
        self.tags[arn] = asked.get("Tags", [])
        self.configurations[asked["EndpointConfigName"]] = {**asked, "EndpointConfigArn": arn}
        return {"EndpointConfigArn": arn}

    def describe_endpoint_config(self, asked: Any) -> Any:
        found = self.configurations.get(asked["EndpointConfigName"])
        if found is None:
            return json_error("ValidationException", "Could not find endpoint configuration")
        variants = [{**one, **MODEL_NAME} for one in found["ProductionVariants"]]
        told = {k: v for k, v in found.items() if k != "Tags"}
        return {**told, "ProductionVariants": variants, "CreationTime": WHEN}

    def delete_endpoint_config(self, asked: Any) -> Any:
        if self.configurations.pop(asked["EndpointConfigName"], None) is None:
            return json_error("ValidationException", "Could not find endpoint configuration")
        return json_answer({})

    def list_endpoint_configs(self, asked: Any) -> Any:
        keys = ("EndpointConfigName", "EndpointConfigArn")
        found = [
            {k: one[k] for k in keys} | {"CreationTime": WHEN}
            for name, one in self.configurations.items()
            if asked.get("NameContains", "") in name
        ]
        return {"EndpointConfigs": found}

    def create_endpoint(self, asked: Any) -> Any:
        assert asked["EndpointConfigName"] in self.configurations
        arn = f"{ACCOUNT}:endpoint/{asked['EndpointName']}"
        self.tags[arn] = asked.get("Tags", [])
        told = {"EndpointStatus": "InService", "CreationTime": WHEN, "LastModifiedTime": WHEN}
        keys = ("EndpointName", "EndpointConfigName")
        self.endpoints[asked["EndpointName"]] = {
            **{k: asked[k] for k in keys},
            **told,
            "EndpointArn": arn,
        }
        return {"EndpointArn": arn}

    def update_endpoint(self, asked: Any) -> Any:
        one = self.endpoints[asked["EndpointName"]]
        one["EndpointConfigName"] = asked["EndpointConfigName"]
        return {"EndpointArn": one["EndpointArn"]}

    def describe_endpoint(self, asked: Any) -> Any:
        found = self.endpoints.get(asked["EndpointName"])
        return found or json_error("ValidationException", "Could not find endpoint")

    def list_endpoints(self, asked: Any) -> Any:
        wanted = asked.get("NameContains", "")
        told = [
            {k: v for k, v in one.items() if k != "EndpointConfigName"}
            for name, one in self.endpoints.items()
            if wanted in name
        ]
        return {"Endpoints": told}

    def delete_endpoint(self, asked: Any) -> Any:
        name = asked["EndpointName"]
        if any(one["EndpointName"] == name for one in self.components.values()):
            return json_error("ValidationException", "the endpoint has inference components")
        if self.endpoints.pop(name, None) is None:
            return json_error("ValidationException", "Could not find endpoint")
        return json_answer({})

    def _summary(self, one: Mapping[str, Any]) -> dict[str, Any]:
        endpoint = one["EndpointName"]
        return {
            "InferenceComponentArn": one["InferenceComponentArn"],
            "InferenceComponentName": one["InferenceComponentName"],
            "EndpointName": endpoint,
            "EndpointArn": f"{ACCOUNT}:endpoint/{endpoint}",
            "VariantName": one["VariantName"],
            "InferenceComponentStatus": "Failed" if self.failure else "InService",
            "CreationTime": WHEN,
            "LastModifiedTime": WHEN,
        }

    # Application Auto Scaling

    def register_scalable_target(self, asked: Any) -> Any:
        name = asked["ResourceId"].removeprefix("inference-component/")
        assert self.component(name), "the component comes before what scales it"
        arn = f"arn:aws:application-autoscaling:us-east-1:123456789012:scalable-target/{name}"
        told = {
            "CreationTime": WHEN,
            "RoleARN": f"{ACCOUNT}:role/scaling",
            "ScalableTargetARN": arn,
        }
        self.targets[asked["ResourceId"]] = {
            **self.targets.get(asked["ResourceId"], {}),
            **asked,
            **told,
        }
        return {"ScalableTargetARN": arn}

    def describe_scalable_targets(self, asked: Any) -> Any:
        wanted = asked.get("ResourceIds") or list(self.targets)
        found = [self.targets[one] for one in wanted if one in self.targets]
        return {"ScalableTargets": [{k: v for k, v in t.items() if k != "Tags"} for t in found]}

    def deregister_scalable_target(self, asked: Any) -> Any:
        self.policies = {
            n: p for n, p in self.policies.items() if p["ResourceId"] != asked["ResourceId"]
        }
        if self.targets.pop(asked["ResourceId"], None) is None:
            return json_error("ObjectNotFoundException", "no such target")
        return {}

    def put_scaling_policy(self, asked: Any) -> Any:
        arn = f"arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:{asked['PolicyName']}"
        told = {"PolicyARN": arn, "CreationTime": WHEN, "Alarms": []}
        self.policies[asked["PolicyName"]] = {**asked, **told}
        return {"PolicyARN": arn, "Alarms": []}

    def describe_scaling_policies(self, asked: Any) -> Any:
        wanted = asked.get("PolicyNames") or list(self.policies)
        return {"ScalingPolicies": [self.policies[n] for n in wanted if n in self.policies]}

    def delete_scaling_policy(self, asked: Any) -> Any:
        if self.policies.pop(asked["PolicyName"], None) is None:
            return json_error("ObjectNotFoundException", "no such policy")
        return {}

    def list_tags_for_resource(self, asked: Any) -> Any:
        found = (t for t in self.targets.values() if t["ScalableTargetARN"] == asked["ResourceARN"])
        return {"Tags": next(found, {}).get("Tags", {})}

    # What the model answers

    def invoked(self, body: Any) -> Any:
        if self.cold:
            self.cold -= 1
            return error("ValidationError", 400, COLD)
        self.asked.append(body)
        chunks: list[tuple[dict[str, str], str | None]] = [
            ({"content": "Hello."}, None),
            ({}, "stop"),
        ]
        text = b"".join(_chunk(*one) for one in chunks) + b"data: [DONE]\n\n"
        return stream([frame("PayloadPart", text, "application/octet-stream")])


def _chunk(delta: Any, end: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": end}
    said = {"id": "c", "object": "chat.completion.chunk", "created": 1, "choices": [choice]}
    return b"data: " + json.dumps(said).encode() + b"\n\n"


def refuse_unless_valid(told: Any, shape: Any, what: str) -> None:
    """Fail where botocore would not send this, or AWS does not answer so."""
    unknown = set(told) - set(shape.members)
    assert not unknown, f"{what} has no {unknown}"
    report = ParamValidator().validate(told, shape)
    assert not report.has_errors(), f"{what}: {report.generate_report()}"


def json_answer(content: Any) -> Any:
    """A whole answer."""
    return lambda to: to.told(200, json.dumps(content).encode(), {})


def json_error(code: str, said: str) -> Any:
    """A failure in the form of AWS's JSON protocols."""
    text = json.dumps({"__type": code, "message": said, "Message": said}).encode()
    return lambda to: to.told(400, text, {"x-amzn-errortype": code})


DESCRIBED = """<DescribeTypeResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeTypeResult>
<Arn>arn:aws:cloudformation:us-east-1::type/resource/AWS-SageMaker-InferenceComponent</Arn><Type>RESOURCE</Type>
<TypeName>{kind}</TypeName><Schema>{schema}</Schema></DescribeTypeResult></DescribeTypeResponse>"""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: SageMaker
    behind: str

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        send = self._played(body)
        if send is None:
            self._handed_on(body)
        else:
            send(self)

    def __getattr__(self, name: str) -> Any:
        if name in ("do_GET", "do_PUT", "do_DELETE", "do_HEAD"):
            return self.do_POST
        raise AttributeError(name)

    def _played(self, body: bytes) -> Any:
        if re.fullmatch(r"/endpoints/[^/]+/invocations(-response-stream)?", self.path):
            return self.service.invoked(json.loads(body))
        if target := self.headers.get("X-Amz-Target"):
            return self.service.answer(target, json.loads(body or b"{}"))
        asked = parse_qs(body.decode(errors="replace")) if b"DescribeType" in body else {}
        if asked.get("TypeName") == [KIND]:
            text = DESCRIBED.format(kind=KIND, schema=json.dumps(SCHEMA).replace("&", "&amp;"))
            return lambda to: to.told(200, text.encode(), {"content-type": "text/xml"})
        return None

    def told(self, status: int, text: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"content-type": "application/x-amz-json-1.1", **headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _handed_on(self, body: bytes) -> None:
        line = http.client.HTTPConnection(urlsplit(self.behind).netloc, timeout=300)
        headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
        line.request(self.command, self.path, body or None, headers)
        got = line.getresponse()
        text = got.read()
        self.send_response(got.status)
        for name, value in got.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        size = got.getheader("content-length") if self.command == "HEAD" else None
        self.send_header("content-length", size or str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)
        line.close()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(behind: str) -> Iterator[SageMaker]:
    """Run it on loopback in front of the emulator."""
    service = SageMaker()
    with served(_Handler, service=service, behind=behind) as url:
        service.url = url
        yield service
