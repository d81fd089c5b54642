"""EC2's machines as `deployer idle` asks them: their use, their hours, a second look, their end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from deployer.agents.idle import Observation
from deployer.core.errors import RemoteError
from deployer.providers.cloud import Gap, Machine
from stacks._aws import idle_metrics
from stacks._aws.instances import described
from stacks._aws.sweep import ClientsOf, spelled
from stacks._aws.tags import AwsTags
from stacks._aws.types.compute import is_group_of
from stacks._aws.types.finding import TAG, tags_of

DAY_S = 86400
SAMPLE_HOURS = Decimal(5) / 60
"""EC2 writes CPUUtilization every five minutes that a machine runs, and CloudWatch keeps it for fifteen months."""
MOST_VALUES = 200
"""The most values that a filter takes (EC2 API reference)."""


@dataclass(frozen=True)
class Instances:
    """Fulfils `deployer.providers.cloud.MachineControl`; scopes are regions."""

    clients_of: ClientsOf

    @property
    def tags(self) -> AwsTags:
        """See `MachineControl`."""
        return AwsTags()

    def observe(
        self, machines: Sequence[Machine], now: float
    ) -> tuple[Mapping[str, Observation], list[Gap]]:
        """See `MachineControl`: by the watchdogs' word, else by what EC2 itself counts; all regions at once."""
        regions: dict[str, list[Machine]] = defaultdict(list)
        for one in machines:
            regions[one.scope].append(one)
        with ThreadPoolExecutor(max(1, len(regions))) as pool:
            answers = list(
                pool.map(
                    lambda r: idle_metrics.observe(self.clients_of(r), regions[r], now), regions
                )
            )
        seen = {key: one for told, _ in answers for key, one in told.items()}
        return seen, [gap for _, gaps in answers for gap in gaps]

    def hours(
        self, scope: str, keys: Sequence[str], since: float, now: float
    ) -> tuple[Mapping[str, Decimal], list[Gap]]:
        """See `MachineControl`: each sample is five minutes, launches and stops included."""
        back = max(1, int(now - since))
        samples = idle_metrics.Metric("AWS/EC2", "CPUUtilization", "SampleCount", DAY_S, back)
        hours: dict[str, Decimal] = {}
        gaps: list[Gap] = []
        for alone, dimension in ((True, "InstanceId"), (False, "AutoScalingGroupName")):
            named = [key for key in keys if key.startswith("i-") == alone]
            metric = replace(samples, dimension=dimension)
            told, missing = idle_metrics.read(self.clients_of(scope), metric, named, now)
            gaps += missing
            for key, series in told.items():
                counted = sum((Decimal(str(count)) for _, count in series), Decimal(0))
                hours[key] = counted * SAMPLE_HOURS
        return hours, gaps

    def machines(self, scope: str, ids: Sequence[str]) -> list[Machine]:
        """See `MachineControl`."""
        pages = self.clients_of(scope)("ec2").get_paginator("describe_instances")
        found: list[Machine] = []
        for start in range(0, len(ids), MOST_VALUES):
            named = {"Name": "instance-id", "Values": list(ids[start : start + MOST_VALUES])}
            with _in_its_words():
                reservations = [
                    r for page in pages.paginate(Filters=[named]) for r in page["Reservations"]
                ]
            found += [described(one, scope) for r in reservations for one in r["Instances"]]
        return found

    def stop(self, scope: str, ids: Sequence[str]) -> None:
        """See `MachineControl`."""
        with _in_its_words():
            self.clients_of(scope)("ec2").stop_instances(InstanceIds=list(ids))

    def destroy(self, scope: str, ids: Sequence[str]) -> None:
        """See `MachineControl`."""
        with _in_its_words():
            self.clients_of(scope)("ec2").terminate_instances(InstanceIds=list(ids))

    def empty(self, scope: str, group: str) -> None:
        """See `MachineControl`."""
        client = self.clients_of(scope)("autoscaling")
        with _in_its_words():
            told = client.describe_auto_scaling_groups(AutoScalingGroupNames=[group])
            if not any(_is_ours(one) for one in told["AutoScalingGroups"]):
                raise RemoteError(f"the group {group} was not made by deployer")
            client.update_auto_scaling_group(
                AutoScalingGroupName=group, MinSize=0, DesiredCapacity=0
            )


def _is_ours(group: Mapping[str, Any]) -> bool:
    return is_group_of(group, tags_of(group).get(TAG, ""))


@contextmanager
def _in_its_words() -> Iterator[None]:
    """Turn what AWS's client raises into an error of one line: the operation, the code, AWS's words."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise RemoteError(spelled(error)) from error
