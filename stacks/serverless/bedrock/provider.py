"""A model of your own in Amazon Bedrock (Custom Model Import): no machine, no endpoint, asleep after 5 minutes.

Calls go through InvokeModel with the OpenAI body; `deployer proxy` gives it an OpenAI route.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployer.core.order import Order
from deployer.providers.api import Inputs, Program, Provider, Refusal, Sleep
from deployer.providers.managers import Manager, Say
from deployer.providers.tags import Prefixed, of_deployment
from deployer.running import endpoints
from stacks._aws import aws_cloud, explain, regions, session
from stacks._aws.native_api import native_api
from stacks._aws.pricing import PRICING

if TYPE_CHECKING:
    from deployer.running.endpoints.service import Service

from stacks.serverless import _weights
from stacks.serverless.bedrock import fit
from stacks.serverless.bedrock.engine import ENGINE

NAME = "bedrock"
TAGS = Prefixed()

REGIONS = regions.only(("eu-central-1", "us-east-1", "us-east-2", "us-west-2"))
"""Where Custom Model Import is offered, as `catalog/rules.json` has it with its source."""

IDLE_MINUTES = 5.0
"""It sleeps after 5 minutes without a call, and is billed in windows of 5 minutes; neither can be changed."""
WINDOW_MINUTES = 5.0
"""What is billed at least each time that it wakes."""
COLD_START_MINUTES = (0.2, 1.5)
"""AWS: tens of seconds to about a minute (AWS Machine Learning Blog, as read 2026-10-05); a large model, longer."""
MINUTES_PER_HOUR = 60
UNITS = " custom model units"


def idle_minutes(after_s: float) -> float:  # noqa: ARG001 - the provider decides
    """How long it stays awake after a call."""
    return IDLE_MINUTES


def refuses(want: Any, prices: Any) -> Iterator[Refusal]:
    """Why the wanted model cannot be imported in the wanted region."""
    if want.adapter:
        yield Refusal(
            "Bedrock imports merged weights: merge the adapter into the model first",
            "model.adapter",
        )
    if want.model is not None:
        yield from fit.refusals(want.model, want.region, prices.rules(NAME))
    if want.source.startswith(("./", "../", "/")) and want.source.endswith(".gguf"):
        yield Refusal("Bedrock imports a folder with safetensors, not a GGUF file", "model.source")


def offers(want: Any, prices: Any) -> Iterator[Any]:
    """One copy of the model: the units that it is likely to take, at the price of a unit."""
    if want.region is None or want.model is None:
        return
    low, high = fit.units(want.model.weights_bytes, prices.rules(NAME))
    rate = prices.rate("bedrock-cmi-active", want.region)
    counted = f"{low}" if low == high else f"{low} to {high}"
    yield want.offer(
        provider=NAME,
        region=want.region,
        instance_type=f"{counted}{UNITS}",
        usd_per_hour=None if rate.usd is None else _hourly(rate.usd, low, high),
        billing="per-5-minutes",
        source=f"{rate.source}; units: {'as published for a model of this size' if low == high else 'an estimate'}",
        as_of=rate.as_of,
    )


def _hourly(minute: Any, low: int, high: int) -> Any:
    return (minute * MINUTES_PER_HOUR * (low + high) / 2).normalize()


def inputs(order: Order) -> Mapping[str, Any]:
    """Turn what was chosen into the inputs of `program`: plain, without a secret."""
    return {
        "deployment": order["deployment"],
        "region": order["offer"]["region"],
        "weights": _weights.origin(order),
        "units": _units(order),
        "scale_to_zero_minutes": IDLE_MINUTES,
        "tags": TAGS.write(of_deployment(order)),
    }


def _units(order: Order) -> list[int]:
    """How many units one copy takes: what AWS said after the import, or before it what is likely."""
    known = (order.get("deployed") or {}).get("model_units")
    return [int(known)] * 2 if known else _counted(order["offer"]["instance_type"])


def _counted(offered: str) -> list[int]:
    """The units of an offer, lowest and highest: `2 to 8 custom model units`."""
    counts = offered.removesuffix(UNITS).split(" to ")
    return [int(counts[0]), int(counts[-1])]


def warnings(inputs: Mapping[str, Any], offer: Any) -> Iterator[str]:  # noqa: ARG001 - one signature for all
    """What should be known before it is applied."""
    low, high = inputs["units"]
    if low != high:
        yield f"AWS states how many custom model units it takes only after the import: {low} to {high} are likely"
    yield "one copy is planned and priced: Bedrock adds copies by itself when one cannot keep up"
    if "repository" in inputs["weights"]:
        yield "the weights go through this machine: from the hub to its cache, then to the bucket in your account"
    yield "it has no OpenAI route: 'deployer proxy' adds one"


def _run(inputs: Inputs) -> None:
    from stacks.serverless.bedrock.program import program

    program(inputs)


def _service(region: str | None) -> Service:
    from stacks.serverless.bedrock.service import Bedrock

    return Bedrock(session.in_region(region))


def _manager(home: Path, say: Say) -> Manager:
    from deployer.running.endpoints.manager import EndpointManager

    return EndpointManager(PROVIDER, home, say, service=_service)


def backend(record: Any) -> Any:
    """Connect to what a deployment's stack exports."""
    from stacks.serverless.bedrock.backend import backend as connect

    return connect(record)


PROVIDER = Provider(
    target="serverless",
    name=NAME,
    engines=(ENGINE.name,),
    engine=ENGINE,
    privacy="prompts and answers stay in your AWS account's Bedrock, in the region that you name; weights lie in your bucket",
    offers=offers,
    inputs=inputs,
    program=Program(
        run=_run,
        packages=("pulumi", "pulumi-aws"),
        voices=("weights", "bedrock"),
        unpriced=("deployment", "tags"),
    ),
    refuses=refuses,
    warnings=warnings,
    sleep=Sleep(idle_minutes, COLD_START_MINUTES, WINDOW_MINUTES),
    native_api=native_api(NAME, backend, limit_s=300.0),
    pricing=PRICING,
    driver=endpoints.make_driver,
    explain=explain,
    reads=("s3",),
    tags=TAGS,
    regions=REGIONS,
    manager=_manager,
    cloud=aws_cloud,
)
