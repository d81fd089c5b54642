"""The architecture, in the order things happen. Each stage knows only those before it.

    spec        a YAML file becomes a frozen `Spec`; every mistake is named             deployer.spec
    facts       what is known of the model: its files, the catalog, the hub, the spec   deployer.planning.model_facts
    sizing      does it fit, in which format, how fast                                  deployer.planning.sizing, .throughput
    offers      the hardware that can be had                                            stacks/, deployer.planning.catalog
    choice      every engine x format x offer, ranked                                   deployer.planning.choose
    files       what a rented machine does when it starts                               deployer.planning.cloud_init
    resources   the provider's own program, run offline                                 deployer.running.stack.offline
    cost        those resources, priced                                                 deployer.planning.cost
    policy      privacy, region, budget                                                 deployer.planning.policy
    plan        all of it as data                                                       deployer.planning.plan
    compare     the plans side by side, at simulated traffic                deployer.workflows.compare, .compare
    -- confirm --                                                                       deployer.cli
    apply       a plan and nothing else becomes a running model                         deployer.workflows.up
    observe     what there is now                                                       deployer.workflows.status
    bench       how fast it is; the next plan says so instead of estimating             deployer.running.bench

Everything above *confirm* is pure: no network, no credentials, no daemon, no process, no clock. The one
look outside (the model hub, for a model that is neither on disk nor in the catalog) is made here and handed
in, and `--offline` leaves it out. So are the measurements that were kept. Only this module and `deployer.cli` see the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from deployer.core.adapter import Adapter
from deployer.core.clock import now
from deployer.core.domain import TARGETS, ModelInfo, Plan, Resource
from deployer.core.errors import DeployerError, Exit, NothingFitsError, PolicyError
from deployer.core.home import home
from deployer.engines import engine
from deployer.planning import adapters, catalog, diff, model_facts, plan
from deployer.planning.alternatives import Collect
from deployer.planning.catalog import models
from deployer.planning.question import Question
from deployer.providers.api import Provider
from deployer.providers.registry import provider
from deployer.running.stack import offline as program
from deployer.running.store import Store
from deployer.sources import host, measurements
from deployer.sources.cloud_init_cache import cached
from deployer.spec import AUTO, Spec
from deployer.spec.load import Loaded, load


@dataclass(frozen=True)
class Setting:
    """Where plans are made: the folder for state and caches, and whether the hub may be asked."""

    home: Path
    offline: bool = False

    @classmethod
    def here(cls, *, offline: bool = False) -> Setting:
        """The user's own setting: DEPLOYER_HOME, or the platform's data folder."""
        return cls(home(), offline)


def make_plans(
    file: Path, targets: Sequence[str], setting: Setting, *, instance: str | None = None
) -> tuple[Plan, ...]:
    """Plan a spec for some targets, or for all; `instance` takes the place of targets.cloud-gpu.instance."""
    loaded = load(file, setting.home / "cache" / "specs")
    if instance:
        loaded = replace(loaded, spec=_on_instance(loaded.spec, instance))
    info = facts(loaded, setting)
    made = (_plan(loaded, info, target, setting) for target in targets or TARGETS)
    return tuple(_beside(plan, setting) for plan in made)


@contextmanager
def placed(file: Path, setting: Setting) -> Iterator[None]:
    """Say of every error about a value of a spec that was planned where that value stands in its file."""
    try:
        yield
    except DeployerError as error:
        if error.key is not None:
            with suppress(DeployerError):  # a pipe is read once
                error.where = load(file, setting.home / "cache" / "specs").place(error.key)
        raise


def _beside(made: Plan, setting: Setting) -> Plan:
    """The plan with what it would change of what the last `up` has made."""
    try:
        record = Store(setting.home).load(made.deployment)
    except DeployerError:  # damaged: `up` replaces it
        record = None
    if record is None:
        return made
    made = replace(made, deployed=diff.fingerprint(record))
    where = provider(made.target, made.provider)
    if not made.resources or record.provider != made.provider or where.program is None:
        return made
    return diff.beside(made, record, where.program.replaced_for)


def _on_instance(spec: Spec, instance: str) -> Spec:
    rented = replace(spec.targets.cloud_gpu, instance=instance)
    return replace(spec, targets=replace(spec.targets, cloud_gpu=rented))


def others(plan: Plan, tried: Sequence[str]) -> tuple[str, ...]:
    """Name the other instance types that hold the model, cheapest first, where the spec leaves the choice."""
    if plan.options.get("instance") != "auto":
        return ()
    types = (other.offer.instance_type for other in plan.alternatives)
    return tuple(dict.fromkeys(kind for kind in types if kind not in tried))


def planned(loaded: Loaded, setting: Setting) -> tuple[Plan, ...]:
    """Plan a spec that is read already for all targets."""
    info = facts(loaded, setting)
    return tuple(_plan(loaded, info, target, setting) for target in TARGETS)


def facts(loaded: Loaded, setting: Setting) -> ModelInfo:
    """Gather what is known of the spec's model.

    Raises:
        UsageError: its files are missing or damaged; where the spec names them is said too.
    """
    with loaded.placed():
        return _facts(loaded, setting)


def _facts(loaded: Loaded, setting: Setting) -> ModelInfo:
    asked = loaded.spec.serve.engine
    given = {k: v for k, v in asdict(loaded.spec.model.facts).items() if v is not None}
    return model_facts.describe(
        loaded.spec.model.source,
        base=loaded.file.parent,
        catalog=models.model,
        hub=None if setting.offline else _hub(setting),
        given=given,
        handler=asked != AUTO and engine(asked).runs_handlers,
    )


def _adapter(loaded: Loaded, info: ModelInfo, setting: Setting) -> Adapter | None:
    """Gather what is known of the spec's adapter.

    Raises:
        UsageError: it is not there, is none, or was made for another model.
    """
    model = loaded.spec.model
    if model.adapter is None:
        return None
    look_up = None if setting.offline else _adapter_hub(setting)
    found = adapters.describe(model.adapter, loaded.file.parent, look_up)
    adapters.check(found, info, model.source)
    return found


def _adapter_hub(setting: Setting) -> adapters.Lookup:
    def look_up(name: str) -> Adapter:
        from deployer.sources.adapter_hub import fetch

        return fetch(name, setting.home / "cache" / "adapters", now())

    return look_up


def _hub(setting: Setting) -> model_facts.Lookup:
    def look_up(name: str) -> ModelInfo:
        from deployer.sources.model_hub import fetch

        repo, _, revision = name.partition("@")
        found = fetch(repo, revision or None, setting.home / "cache" / "models", now())
        if found.info is not None:
            return found.info
        missing = found.reason or f"{repo} is unknown to the model hub"
        note = f"{missing}: only model.facts describes the model"
        return ModelInfo(name, gated=found.gated or None, notes=(note,))

    return look_up


def _plan(loaded: Loaded, info: ModelInfo, target: str, setting: Setting) -> Plan:
    prices = catalog.load(setting.home / "catalog")
    kept = measurements.kept(setting.home)
    adapter = _adapter(loaded, info, setting)
    action = loaded.spec.policy.idle.action
    said = None if "policy.idle.action" in loaded.defaults else action
    here = host.look(_asker(target, setting))
    question = Question(loaded.spec, target, info, prices, here, kept, said, adapter, loaded.place)
    collect = collector(setting)
    write = cached(setting.home / "cache" / "files")
    known = _deployed(f"{loaded.name}-{target}", info, setting)
    with loaded.placed():
        return plan.make(plan.Asked(question, loaded, known), prices, collect, now(), write)


def collector(setting: Setting) -> Collect:
    """Return what says what a provider would make, from the cache of programs where it is known."""

    def collect(where: Provider, inputs: Mapping[str, Any]) -> Sequence[Resource]:
        return program.resources_of(where, inputs, setting.home / "cache" / "programs")

    return collect


def _asker(target: str, setting: Setting) -> host.Ask | None:
    """What asks a Docker daemon of another machine what it has; None where that is of no interest, or offline."""
    if target != "local" or setting.offline:
        return None
    from deployer.running.containers import other_machine

    return other_machine.ask


def _deployed(name: str, info: ModelInfo, setting: Setting) -> Mapping[str, str]:
    """What the stack of a deployment exports that serves this very model: what was learnt when it was made."""
    try:
        record = Store(setting.home).load(name)
    except DeployerError:
        return {}
    same = record is not None and record.served.get("model") == info.name
    return record.outputs if record is not None and same else {}


def refusal(made: Plan) -> DeployerError | None:
    """Return why a plan cannot be applied, as the error that it is, or None."""
    if made.feasible:
        return None
    broken = [v for v in made.policy if not v.ok]
    kind = PolicyError if broken else NothingFitsError
    first, *rest = made.reasons or ("it is not feasible",)
    return kind(f"{made.deployment}: {first}", hint="; ".join(rest) or None)


def exit_code(made: Sequence[Plan]) -> Exit:
    """Return 0 when at least one plan can be applied, else why not."""
    refused = [error for error in map(refusal, made) if error]
    if len(refused) < len(made):
        return Exit.DONE
    policy = any(isinstance(error, PolicyError) for error in refused)
    return Exit.REFUSED if policy else Exit.NOTHING_FITS
