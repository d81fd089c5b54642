"""An inference component on a SageMaker endpoint of your own that scales to zero instances.

From zero, the first call fails (NoCapacityInvocationFailures) and wakes it; target tracking on concurrent
requests per copy adds and removes copies, down to none.
Source: docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-zero-instances.html
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployer.core.order import Order
from deployer.engines import engine
from deployer.providers.api import Inputs, Program, Provider, Refusal, Sleep
from deployer.providers.managers import Manager, Say
from deployer.providers.tags import Prefixed, of_deployment
from deployer.running import endpoints
from stacks._aws import aws_cloud, explain, session
from stacks._aws.native_api import native_api
from stacks._aws.pricing import PRICING
from stacks._aws.regions import REGIONS

if TYPE_CHECKING:
    from deployer.running.endpoints.service import Service

from stacks.serverless import _weights

NAME = "sagemaker"
TAGS = Prefixed()

COLD_START_MINUTES = (4.0, 15.0)
"""AWS: "several minutes"; the upper figure is an estimate: instance, 10 GB of image, weights, engine."""
LEAST_IDLE_MINUTES = 15.0
"""Target tracking looks at 15 minutes of low use before it removes a copy (its alarm's 15 datapoints)."""
LOG_DAYS = 14
HOST_SHARE = 0.5
"""The part of the host's memory that a copy asks for: the rest is the system's and the file cache's."""


def idle_minutes(after_s: float) -> float:
    """How long it stays awake after the last request."""
    return max(LEAST_IDLE_MINUTES, after_s / 60)


def refuses(want: Any, prices: Any) -> Iterator[Refusal]:
    """Why it cannot be served there."""
    if want.region and not list(prices.offers(NAME, want.region)):
        yield Refusal(f"SageMaker has no known price in {want.region}", "targets.serverless.region")
    if want.model is not None and want.model.gated and want.source.startswith("hf:"):
        yield Refusal(
            "the model is gated, and the container reads the model hub without a token: put it in a bucket (s3://...)",
            "model.source",
        )
    if want.adapter:
        yield Refusal(
            "adapters are not served there in this version: merge it into the model",
            "model.adapter",
        )


def offers(want: Any, prices: Any) -> Iterator[Any]:
    """The NVIDIA instances of the wanted region."""
    for offer in prices.offers(NAME, want.region):
        gpu = prices.gpu(offer.gpu or "")
        if gpu is not None and gpu.vendor == "nvidia":
            yield offer


def inputs(order: Order) -> Mapping[str, Any]:
    """Turn what was chosen into the inputs of `program`: plain, without a secret."""
    offer, replicas = order["offer"], order.get("replicas") or {"min": 1, "max": 1}
    return {
        "deployment": order["deployment"],
        "region": offer["region"],
        "instance_type": offer["instance_type"],
        "gpus": order["gpus"],
        "memory_mb": math.floor((offer.get("memory_gib") or 16) * 1024 * HOST_SHARE),
        "weights": _weights.origin(order),
        "environment": _environment(order),
        "concurrency": order["concurrency"],
        "min_copies": replicas["min"] if replicas["min"] > 1 else 0,
        "max_copies": replicas["max"],
        "scale_to_zero_minutes": idle_minutes(order["policy"]["idle"]["after"]),
        "log_days": LOG_DAYS,
        "tags": TAGS.write(of_deployment(order)),
    }


def _environment(order: Order) -> dict[str, str]:
    """What the image is told: each SM_VLLM_X is vLLM's own argument --x."""
    told = {
        **engine("vllm").silent,  # the only one that it runs
        "SM_VLLM_SERVED_MODEL_NAME": order["spec_name"],
        "SM_VLLM_MAX_MODEL_LEN": str(order["context"]),
        "SM_VLLM_TENSOR_PARALLEL_SIZE": str(order["gpus"]),
    }
    if quantize := order.get("quantize"):
        told["SM_VLLM_QUANTIZATION"] = quantize
    repo, _, revision = order["model"]["source"].removeprefix("hf:").partition("@")
    if not order["model"]["source"].startswith("hf:"):
        return told
    return {**told, "SM_VLLM_MODEL": repo, **({"SM_VLLM_REVISION": revision} if revision else {})}


def warnings(inputs: Mapping[str, Any], offer: Any) -> Iterator[str]:
    """What should be known before it is applied."""
    price = "" if offer.usd_per_hour is None else f" at {offer.usd_per_hour} USD/h"
    if not inputs["min_copies"]:
        yield (
            f"the first 'up' starts an {inputs['instance_type']}{price}, and bills it until it has been idle for"
            f" {inputs['scale_to_zero_minutes']:.0f} minutes for the first time"
        )
    yield "the quota '<instance type> for endpoint usage' of SageMaker must allow the instance: it is 0 in new accounts"
    if "repository" in inputs["weights"]:
        yield "the container reads the model hub without a token: a gated model must be in a bucket (s3://...)"
    held = "" if inputs["min_copies"] else ", and holds a call until the endpoint is awake"
    yield f"it has no OpenAI route: 'deployer proxy' adds one{held}"


def _run(inputs: Inputs) -> None:
    from stacks.serverless.sagemaker.program import program

    program(inputs)


def _service(region: str | None) -> Service:
    from stacks.serverless.sagemaker.service import SageMaker

    return SageMaker(session.in_region(region))


def _manager(home: Path, say: Say) -> Manager:
    from deployer.running.endpoints.manager import EndpointManager

    return EndpointManager(PROVIDER, home, say, service=_service)


def backend(record: Any) -> Any:
    """Connect to what a deployment's stack exports."""
    from stacks.serverless.sagemaker.backend import backend as connect

    return connect(record)


PROVIDER = Provider(
    target="serverless",
    name=NAME,
    engines=("vllm",),
    privacy="prompts and answers stay on instances in your own AWS account, in the region that you name",
    offers=offers,
    inputs=inputs,
    program=Program(
        run=_run,
        packages=("pulumi", "pulumi-aws"),
        slow=("sagemaker/endpoint:",),
        voices=("weights",),
        unpriced=("deployment", "gpus", "memory_mb", "environment", "concurrency", "tags"),
    ),
    refuses=refuses,
    warnings=warnings,
    sleep=Sleep(idle_minutes, COLD_START_MINUTES, least="min_copies"),
    native_api=native_api(NAME, backend, limit_s=1800.0),
    pricing=PRICING,
    driver=endpoints.make_driver,
    explain=explain,
    reads=("s3",),
    tags=TAGS,
    regions=REGIONS,
    manager=_manager,
    cloud=aws_cloud,
)
