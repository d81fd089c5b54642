"""What a plan for one's own machine says besides: who else reaches it, and whether its GPU is free. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from deployer.core.domain import Offer
from deployer.core.model_source import on_this_machine
from deployer.planning.choose import Candidate
from deployer.planning.place import reach_of
from deployer.planning.policy import Reach
from deployer.planning.question import Question
from deployer.providers.api import HostGpu
from deployer.providers.registry import engine_by


def about(question: Question, best: Candidate) -> Iterator[str]:
    """Yield the notes; none for other targets."""
    if question.target == "local":
        yield from _reach(question, best)
        yield from _in_use(question, best)


def _reach(question: Question, best: Candidate) -> Iterator[str]:
    """Who else reaches the `local` target, and which machine it is."""
    reach, asked = reach_of(question, best), question.options.expose
    docker = reach.docker
    if docker is not None:
        yield f"it does not run on this machine but on that of {docker}"
        yield f"prompts go to {docker.host} unencrypted (HTTP), with an API key"
        if on_this_machine(question.spec.model.source):
            yield f"its daemon must find {question.spec.model.source} on that machine too, at the same path"
        if docker.problem:
            yield f"what that machine has is unknown: {docker.problem}"
    if reach.open_on:
        yield (
            f"OPEN: whoever reaches this machine over a network reaches the model on {reach.open_on}:"
            " its API key alone guards it, and prompts travel unencrypted (HTTP)"
        )
    if reach.expose is None and Reach(expose=asked).open_on:
        yield f"{best.provider.name} listens on 127.0.0.1 alone: targets.local.expose is not used"


def _in_use(question: Question, best: Candidate) -> Iterator[str]:
    """Whether the memory of one's own GPUs that is free now is enough to start with."""
    offer, sizing, served = best.offer, best.sizing, engine_by(best.provider, best.sizing.engine)
    named = question.options.hardware
    if not offer.gpu or (named and named.gpu):
        return
    if question.host.other_docker is not None and best.provider.runs == "container":
        return
    chosen = [g for i, g in enumerate(question.host.gpus) if _serves(i, g, offer)]
    free = min((gpu.free_mib for gpu in chosen if gpu.free_mib is not None), default=None)
    if free is None or offer.vram_mib is None:
        return
    parts = (sizing.weights_gib or 0) + (sizing.kv_gib or 0)
    need = parts * 1024 / max(sizing.gpus, 1)
    if served.reserves:
        need = served.memory_fraction * offer.vram_mib
    if free < need:
        yield (
            f"it will not start while others use the GPU: {free / 1024:.1f} of {offer.vram_mib / 1024:.1f} GiB are"
            f" free now, and {served.name} takes {need / 1024:.1f}: stop what uses it (nvidia-smi or amd-smi shows"
            " that; an older one of this deployment is stopped by 'deployer up')"
        )


def _serves(index: int, gpu: HostGpu, offer: Offer) -> bool:
    return not offer.gpu_ids or str(index) in offer.gpu_ids or gpu.uuid in offer.gpu_ids
