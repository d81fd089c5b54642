"""The question that a choice answers: a spec, a target, and all that is known of the model and of this machine. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from deployer.core.adapter import Adapter
from deployer.core.domain import ModelInfo
from deployer.core.records import dataclass
from deployer.planning import adapters
from deployer.planning.policy import LOCAL_ONLY
from deployer.planning.sizing import Load, context_for
from deployer.providers.api import Host, Prices, Provider, Want
from deployer.spec import Spec
from deployer.spec.serialize import to_plain

if TYPE_CHECKING:
    from deployer.planning.measured import Measurement

Catalog = Prices
"""The part of `deployer.planning.catalog.Catalog` that choosing needs."""


@dataclass(frozen=True)
class Question:
    """All that a choice depends on. `idle_action` is `policy.idle.action` where the spec itself says it."""

    spec: Spec
    target: str
    info: ModelInfo
    catalog: Catalog
    host: Host
    measured: tuple[Measurement, ...] = ()
    idle_action: str | None = None
    adapter: Adapter | None = None
    place: Callable[[str], str] = str  # where the file has a key of the spec

    @property
    def options(self) -> Any:
        """The spec's section for this target."""
        return getattr(self.spec.targets, self.target.replace("-", "_"))

    @property
    def load(self) -> Load:
        """What is asked of the hardware."""
        return Load(
            context_for(self.spec.model.context, self.info),
            self.spec.serve.concurrency,
            self.spec.traffic.input_tokens,
            self.spec.traffic.output_tokens,
            adapters.size(self.adapter, self.info) if self.adapter else None,
        )


def want_of(question: Question, where: Provider) -> Want:
    """What a provider of the question's target is asked for."""
    options: Mapping[str, Any] = to_plain(question.options)
    model, replicas = question.spec.model, question.spec.serve.replicas
    region = where.region(options.get("region"))
    return Want(
        region.id if region else None,
        options,
        question.host,
        source=model.source,
        adapter=model.adapter,
        model=question.info,
        local_only=question.spec.policy.privacy == LOCAL_ONLY,
        replicas=(replicas.min, replicas.max),
        idle_action=question.idle_action,
    )
