"""Put a plan together for one target: choice, resources, cost, policy, warnings. Pure.

`make` is given everything it depends on, the time and the resource collector among it; the same question
gives the same plan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from deployer.core.domain import Plan, Verdict
from deployer.core.model_source import on_this_machine
from deployer.core.order import DockerOrder, HandlerOrder, Order
from deployer.core.records import dataclass
from deployer.planning import cautions, cloud_init, cost, monthly_usage, policy, unkept
from deployer.planning.advice import reasons, warnings
from deployer.planning.alternatives import MOST, Collect, alternatives
from deployer.planning.choose import Candidate, Choice, choose, with_speed
from deployer.planning.place import options_in, place_of, reach_of, with_region
from deployer.planning.question import Catalog, Question
from deployer.planning.sizing import files_gib
from deployer.providers.api import Provider
from deployer.providers.registry import engine_by
from deployer.spec import Handler, Scale
from deployer.spec.load import Loaded
from deployer.spec.serialize import to_plain

Write = Callable[[Order, Provider], Mapping[str, str]]
"""Writes the texts that a rented machine starts from (`deployer.planning.cloud_init.files`)."""


class Prices(Catalog, cost.Rates, Protocol):
    """All that a plan reads from the catalog."""


@dataclass(frozen=True)
class Asked:
    """A question with the file it came from.

    `deployed` is what a stack exports that serves this model already; `others` is how many alternatives are priced.
    """

    question: Question
    loaded: Loaded
    deployed: Mapping[str, str] = field(default_factory=dict)
    others: int = MOST

    @property
    def deployment(self) -> str:
        """`<spec name>-<target>`."""
        return f"{self.loaded.name}-{self.question.target}"


def make(
    asked: Asked, prices: Prices, collect: Collect, today: str, write: Write = cloud_init.files
) -> Plan:
    """Plan one target. `today` is an ISO date, to say how old the prices are.

    An infeasible plan comes back too, with the reasons; nothing is raised for it.
    """
    question = asked.question
    choice = _with_speed(choose(question))
    best = choice.ranked[0] if choice.ranked else None
    reach = reach_of(question, best)
    barred = policy.privacy(question.spec.policy, question.target, place_of(question, best), reach)
    if (
        best is None
        or best.sizing.fit == "no"
        or best.barred
        or question.info.other_use
        or (best.sizing.fit == "unknown" and not _named(question))
    ):
        return _without(asked, choice, (barred,))
    made = _priced(asked, choice, prices, (collect, write))
    return replace(made, warnings=(*made.warnings, *cautions.ages(made, today)))


def _with_speed(choice: Choice) -> Choice:
    """The choice, its best candidate with its speed."""
    best = tuple(with_speed(choice.question, first) for first in choice.ranked[:1])
    return replace(choice, ranked=(*best, *choice.ranked[1:]))


def _named(question: Question) -> bool:
    """Whether the hardware was named by the user, who may know what we do not."""
    named = getattr(question.options, "instance", "auto") != "auto"
    return named or question.target == "local"


def _empty(asked: Asked) -> Plan:
    loaded = asked.loaded
    return Plan(
        deployment=asked.deployment,
        spec_name=loaded.name,
        spec_digest=loaded.digest,
        target=asked.question.target,
        provider=asked.question.options.provider,
        feasible=False,
        model=asked.question.info,
        defaults=_defaults_of(loaded, asked.question.target) | _of_handler(asked),
    )


def _defaults_of(loaded: Loaded, target: str) -> dict[str, Any]:
    """The defaults that matter here: not those of the other targets, nor of comparing them."""
    mine = f"targets.{target}."
    return {
        k: v
        for k, v in loaded.defaults.items()
        if not k.startswith(("targets.", "decide.")) or k.startswith(mine)
    }


def _of_handler(asked: Asked) -> dict[str, Any]:
    """The defaults of a handler for which the spec has no section of its own."""
    question = asked.question
    if question.info.file_format != "handler" or question.spec.serve.handler is not None:
        return {}
    return {f"serve.handler.{key}": value for key, value in to_plain(Handler()).items()}


def _without(asked: Asked, choice: Choice, verdicts: Sequence[Verdict]) -> Plan:
    best = choice.ranked[0] if choice.ranked else None
    return replace(
        _empty(asked),
        provider=best.provider.name if best else asked.question.options.provider,
        sizing=best.sizing if best else None,
        policy=tuple(verdicts),
        reasons=reasons(choice, verdicts),
    )


def _priced(asked: Asked, choice: Choice, prices: Prices, tools: tuple[Collect, Write]) -> Plan:
    question, best = asked.question, choice.ranked[0]
    collect, write = tools
    order = order_of(asked, best)
    files = write(order, best.provider) if best.provider.boot else {}
    inputs = best.provider.inputs({**order, "files": files})
    resources = tuple(collect(best.provider, inputs))
    used, said = monthly_usage.month_of(question, best, inputs)
    bill = cost.estimate(
        resources,
        rates=prices,
        usage=used,
        region=best.offer.region,
        pricing=best.provider.pricing,
    )
    place = place_of(question, best)
    reach = reach_of(question, best)
    verdicts = policy.judge(question.spec.policy, question.target, place, bill, reach)
    feasible = all(v.ok for v in verdicts)
    without = unkept.unkept(question, best, inputs, asked.loaded.defaults)
    return replace(
        _empty(asked),
        provider=best.provider.name,
        feasible=feasible,
        defaults=with_region(_empty(asked).defaults, question, place),
        reasons=() if feasible else reasons(choice, verdicts),
        sizing=best.sizing,
        offer=best.offer,
        alternatives=alternatives(
            choice, lambda other: order_of(asked, other), collect, prices, asked.others
        ),
        resources=resources,
        files=tuple((name, sha256(text.encode()).hexdigest()) for name, text in files.items()),
        cost=bill,
        policy=verdicts,
        warnings=(
            *warnings(choice),
            *cautions.of_candidate(best, order, inputs),
            *unkept.notes(without, question.place),
            *said,
        ),
        inputs=inputs,
        order=order,
        usage=used,
        options=options_in(question, place),
        unkept=without,
    )


def order_of(asked: Asked, best: Candidate) -> Order:
    """Return what was chosen as the plain mapping that a provider's `inputs` takes.

    A rented machine's `files` are added to it, the texts that it starts from. Keys: deployment, spec_name,
    digest, model {source, name, path, adapter, adapter_path, adapter_rank}, engine, quantization, quantize (the format
    that the engine makes itself), context, concurrency, replicas, handler (where the engine serves one, with the
    sha256 of its code), gpus, weights_gib (of the files), offer (plain, with gpu_watts, gpu_list_price_usd and
    gpu_source), options, docker {url, host} (a daemon of another machine, or None), traffic, policy, deployed (what a
    stack exports that serves this model already).
    """
    question, gpu = asked.question, best.gpu
    served = engine_by(best.provider, best.sizing.engine)
    spec = question.spec
    scale = Scale() if question.target == "local" else spec.serve.replicas
    offer = to_plain(best.offer) | {
        "gpu_vendor": gpu.vendor if gpu else None,
        "gpu_watts": gpu.watts if gpu else None,
        "gpu_list_price_usd": to_plain(gpu.list_price_usd) if gpu else None,
        "gpu_source": gpu.source if gpu else None,
    }
    return {
        "deployment": asked.deployment,
        "spec_name": asked.loaded.name,
        "digest": asked.loaded.digest,
        "model": {
            "source": spec.model.source,
            "name": question.info.name,
            "path": _path(asked),
            "adapter": spec.model.adapter,
            "adapter_path": question.adapter.path if question.adapter else None,
            "adapter_rank": question.adapter.rank if question.adapter else None,
        },
        "engine": best.sizing.engine,
        "quantization": best.sizing.quantization,
        "quantize": _made_online(question, best),
        "context": question.load.context,
        "concurrency": spec.serve.concurrency,
        "replicas": {"min": scale.min, "max": scale.max},
        "handler": _handler(asked) if served.runs_handlers else None,
        "gpus": best.sizing.gpus,
        "weights_gib": files_gib(question.info, best.sizing),
        "offer": offer,
        "options": to_plain(question.options),
        "docker": _docker(question),
        "traffic": to_plain(spec.traffic),
        "policy": to_plain(spec.policy),
        "deployed": dict(asked.deployed),
    }


def _docker(question: Question) -> DockerOrder | None:
    """The Docker daemon of another machine, if that is the one in use."""
    other = question.host.other_docker if question.target == "local" else None
    return None if other is None else {"url": other.url, "host": other.host}


def _made_online(question: Question, best: Candidate) -> str | None:
    """The format that the engine itself makes of the weights as it loads them; None: they are served as published.

    Published formats are in the checkpoint, where engines read their method: one that is named besides must be the same.
    """
    served = engine_by(best.provider, best.sizing.engine)
    form = best.sizing.quantization
    return form if form in served.online and form != question.info.native_dtype else None


def _path(asked: Asked) -> str | None:
    source = asked.question.spec.model.source
    if not on_this_machine(source):
        return None
    path = (asked.loaded.file.parent / source).resolve()
    if asked.question.info.file_format != "gguf":
        return str(path)
    from deployer.planning.model_facts.gguf_files import served

    return str(served(path))


def _handler(asked: Asked) -> HandlerOrder:
    from deployer.planning.model_facts.local import code_digest

    told = asked.question.spec.serve.handler or Handler()
    return {
        "route": told.route,
        "timeout": told.timeout,
        "max_request_mb": told.max_request_mb,
        "sha256": code_digest(Path(_path(asked) or "")),
    }
