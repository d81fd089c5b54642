"""Which files of a folder are its model's weights: one copy of them, whole, and nothing else. Pure.

What trainers and publishers leave beside the weights would be counted with them: a copy in the format of Mistral's own
loader (`consolidated.safetensors`), a variant (`model.fp16.safetensors`), an adapter, the state of an optimizer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deployer.core.errors import UsageError

_SHARD = re.compile(
    r"(.+?)[-_](\d{4,6})[-_]of[-_](\d{4,6})(\..+)"
    r"|((?:pytorch_|adapter_)?model\S*?|consolidated|weights)[-_](\d{1,3})[-_]of[-_](\d{1,3})(\..+)"
)
"""A file of several: `model-00002-of-00004.safetensors`, and as others number them (`model-2-of-61`, `_0002_of_0004`)."""
_ONE_GPUS = re.compile(r"(^|[-_.])(tp_?)?rank[-_]?\d+|\d+-mp\d+|mp[-_]?rank")
"""Names of what one GPU holds of a model: vLLM's sharded_state, DeepSeek's convert.py, Megatron."""
_BESIDE = (
    (re.compile(r"adapter_model\b"), "an adapter"),
    (re.compile(r"(optimizer|optim_states|scheduler|rng_state|random_states|training_args)"),
     "the state of a training"),
    (re.compile(r"(.*[-_.])?ema([-_.]|$)"), "a moving average of the weights"),
)  # fmt: skip
_MISTRAL = re.compile(r"consolidated\b")
_OPTIMIZER = re.compile(
    r"(^|\.)(exp_avg|exp_avg_sq|max_exp_avg_sq|momentum_buffer|optimizer|optim)(\.|$)"
)
"""Names under which optimizers (Adam, SGD) save a tensor for each of the model's."""


@dataclass(frozen=True)
class FileSet:
    """Files that are one set of weights: a single file, or all shards of one numbering."""

    stem: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Selection:
    """The sets to read, the model's own first, and a note on each file that is passed over."""

    sets: tuple[FileSet, ...]
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All files to read."""
        return tuple(name for one in self.sets for name in one.names)


def select(names: Iterable[str], where: str) -> Selection:
    """Sort the weight files of one folder into sets. `where` names the folder in errors.

    Raises:
        UsageError: a shard that the numbering of the others names is missing.
    """
    kept, beside = [], []
    for name in sorted(names):
        kind = next((said for form, said in _BESIDE if form.match(name)), None)
        if kind is None:
            _refuse_one_gpus(name, where)
            kept.append(name)
        else:
            beside.append(f"{name} is {kind} and not counted")
    own = [name for name in kept if not _MISTRAL.match(name)]
    if own and len(own) < len(kept):
        copies = ", ".join(name for name in kept if _MISTRAL.match(name))
        beside.append(f"{copies}: a second copy of the weights, in Mistral's format, not counted")
    sets = sorted(_sets(own or kept, where), key=lambda one: (one.stem != "model", len(one.names)))
    return Selection(tuple(sets), tuple(beside))


def _refuse_one_gpus(name: str, where: str) -> None:
    if _ONE_GPUS.search(name):
        raise UsageError(
            f"{where} holds a model that was cut into a part for each GPU: {name} is one part",
            hint="set model.source to the model as it was published, before it was cut",
            where=where,
        )


@dataclass(frozen=True)
class _Shard:
    """The number of a file among `total`, and what stands before and after the number in its name."""

    stem: str
    number: str
    total: str
    before: str
    after: str

    def named(self, number: int) -> str:
        """The name of another file of the same set."""
        return f"{self.before}{number:0{len(self.number)}d}{self.after}"


def _shard(name: str) -> _Shard | None:
    match = _SHARD.fullmatch(name)
    if match is None:
        return None
    first = 1 if match[1] is not None else 5
    start, end = match.span(first + 1)
    return _Shard(match[first], match[first + 1], match[first + 2], name[:start], name[end:])


def _sets(names: Sequence[str], where: str) -> Iterable[FileSet]:
    found: dict[tuple[str, str], list[str]] = {}
    for name in names:
        shard = _shard(name)
        key = (shard.stem, shard.after) if shard else (name.rpartition(".")[0], "")
        found.setdefault(key, []).append(name)
    for (stem, _), listed in found.items():
        _refuse_gaps(listed, where)
        yield FileSet(stem, tuple(listed))


def refuse_missing_shards(names: Iterable[str], where: str) -> None:
    """Refuse files of which the numbering names one that is not among them.

    Raises:
        UsageError: it names up to three of those that are missing.
    """
    for _ in _sets(sorted(names), where):
        pass


def _refuse_gaps(names: Sequence[str], where: str) -> None:
    shards = [shard for name in names if (shard := _shard(name))]
    if not shards:
        return
    most, numbers = int(shards[0].total), {int(shard.number) for shard in shards}
    if max(numbers) > most:
        raise UsageError(
            f"{where} has {shards[0].named(max(numbers))}, a file beyond the last of {most}",
            hint="keep the files of one model there, and no others",
            where=where,
        )
    first = 0 if 0 in numbers and most not in numbers else 1  # some count from 0
    gaps = (n for n in range(first, min(most, len(numbers) + 3) + first) if n not in numbers)
    missing = [shards[0].named(n) for _, n in zip(range(3), gaps, strict=False)]
    if missing:
        more = "" if most - len(numbers) <= len(missing) else " and more"
        raise UsageError(
            f"{where} has {len(numbers)} of {most} weight files: {', '.join(missing)}{more} missing",
            hint="fetch the model again: a part of its weights would be taken for the whole",
            where=where,
        )


def is_optimizer_state(tensor: str) -> bool:
    """Whether a tensor of this name is what an optimizer keeps of another one."""
    return _OPTIMIZER.search(tensor) is not None


def pickled(names: Iterable[str], where: str) -> tuple[str, ...]:
    """Return the pickled weights (`*.bin`) among the files of a folder.

    Raises:
        UsageError: a shard that the numbering of the others names is missing.
    """
    ours = (n for n in names if n.endswith(".bin") and not n.startswith("openvino"))
    return select(ours, where).names


_FOREIGN = (
    ("*.pth", "it holds PyTorch's own files (*.pth): convert them to safetensors, or fetch the model in that format"),
    ("*.pt", "it holds PyTorch's own files (*.pt): convert them to safetensors, or fetch the model in that format"),
    ("*.h5", "it holds TensorFlow's weights (*.h5): fetch the model as safetensors"),
    ("*.msgpack", "it holds Flax's weights (*.msgpack): fetch the model as safetensors"),
    ("*.onnx", "it holds ONNX files, which no engine here serves: fetch the model as safetensors"),
    ("onnx/*.onnx", "it holds ONNX files, which no engine here serves: fetch the model as safetensors"),
    ("openvino_*.xml", "it holds OpenVINO's files, which no engine here serves: fetch the model as safetensors"),
    ("*.nemo", "it holds NeMo's archive (*.nemo): export it to safetensors with a config.json first"),
    ("*.engine", "it holds TensorRT's engines, made for one GPU: name the model that they were built from"),
    ("model_index.json", "it is a pipeline of diffusers, which makes no text: name a language model"),
    ("consolidated*.safetensors", "it is in Mistral's own format: fetch the files of the same model with config.json"),
    ("*.GGUF", "a GGUF model is named by its file"),
)  # fmt: skip
"""Files of other formats, and what to do about them."""


def unmerged(folder: Path) -> str | None:
    """Say what a folder holds in place of a model's files, and how these come about; None where that is not known."""
    checkpoints = sorted(folder.glob("checkpoint-[0-9]*"), key=lambda p: (len(p.name), p.name))
    if checkpoints:
        return f"its checkpoints are models of their own: name one, such as {checkpoints[-1].name}"
    if (folder / "zero_to_fp32.py").is_file():
        return (
            "it holds DeepSpeed's shards: run its zero_to_fp32.py with --safe_serialization first"
        )
    if any(folder.glob("pytorch_model_fsdp*")) or any(folder.glob("*.distcp")):
        return "it holds FSDP's shards: run accelerate merge-weights first"
    if cached := sorted(folder.glob("snapshots/*")):
        return f"it is the hub's cache: name the folder {cached[-1].relative_to(folder)} in it"
    return next((said for pattern, said in _FOREIGN if any(folder.glob(pattern))), None)
