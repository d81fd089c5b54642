"""What somebody meant who wrote a key's value in the way of another tool: the one hint that says how it is written here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from deployer.core.model_source import HUB, REPO, REPO_NAME, hub_page
from deployer.core.quantization import FORMATS

_PREFIX = r"(?i)(?:hf|huggingface|hub)(?::/*|/)"
_HUB_OTHER = r"(?i)(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)\b.*"
_REPO = REPO
_CACHED = r"(?a)models--([\w.-]+?)--([\w.-]+)"
_TAGGED = r"([\w.-]+/[\w.-]+):([\w.-]+)"
_FILE_IN = rf"({REPO_NAME})/(.+)"
_DRIVE = r"[A-Za-z]:[\\/]"
_WEB = r"(?i)https?://"
_BUCKET = r"(?a)([A-Za-z][A-Za-z0-9]*):/{0,2}([A-Za-z0-9][\w.-]*(?:/.*)?)"
_BUCKETS = ("s3", "gs", "az", "abfs", "abfss", "r2", "oss")

_FOUR = "did you mean awq or gptq (which need such a checkpoint), or q4_k_m for a GGUF file?"
_EIGHT = "did you mean fp8 or int8, or q8_0 for a GGUF file?"
_FORMATS = {
    **dict.fromkeys(("int4", "4bit", "4_bit", "q4", "w4a16", "u4", "i4"), _FOUR),
    **dict.fromkeys(("nf4", "bnb", "bitsandbytes", "bnb_4bit"), f"bitsandbytes is not served here: {_FOUR}"),
    **dict.fromkeys(("8bit", "8_bit", "q8", "w8a8", "w8a16"), _EIGHT),
    **dict.fromkeys(("fp4", "f4"), "did you mean nvfp4 or mxfp4?"),
    **dict.fromkeys(("fp6", "q5", "q6", "q3", "q2"), "did you mean a GGUF format, such as q6_k, q5_k_m or q3_k_m?"),
    **dict.fromkeys(("16bit", "half", "full", "original"), "write none to serve the weights as they are published"),
    **dict.fromkeys(("mlx", "mlx4", "mlx_4"), "did you mean mlx_4bit?"),
}  # fmt: skip


def source(text: str) -> str | None:
    """Return how a model's source is written that was meant; None where nothing is known that it could be."""
    said = text.strip()
    ways: Iterable[Callable[[str], str | None]] = (
        _look_alike, _hub_page, _hub_name, _unexpanded, _path, _elsewhere, _bare,
    )  # fmt: skip
    return next((hint for way in ways if (hint := way(said))), None)


def _look_alike(said: str) -> str | None:
    """A letter of another alphabet in the name of a repository: it may look like the one that was meant."""
    odd = next((c for c in said if not c.isascii()), None)
    if odd is None or not said.startswith("hf:"):
        return None
    import unicodedata  # late: only a refusal needs it

    return f"{odd!r} is {unicodedata.name(odd, 'not a letter of the alphabet')}: names on the hub are ASCII"


def _hub_page(said: str) -> str | None:
    """A page or file of the model hub, or a folder of its cache."""
    if page := hub_page(said.removeprefix(HUB)):
        gguf = page.file and page.file.endswith(".gguf")
        return _gguf(page.repo, page.file or "") if gguf else f"did you mean {page.source}?"
    if re.fullmatch(_HUB_OTHER, said):
        return "that is not the page of a model: the hub's models are named hf:<owner>/<name>"
    cached = re.fullmatch(_CACHED, said)
    return f"did you mean hf:{cached[1]}/{cached[2]}?" if cached else None


def _hub_name(said: str) -> str | None:
    """A repository under another prefix, or with something after it."""
    prefix = re.match(_PREFIX, said)
    if prefix is None:
        return None
    rest = re.sub(r"\s*/\s*", "/", said[prefix.end() :]).strip("/ ").removesuffix("@")
    if re.fullmatch(_REPO, rest):
        return f"did you mean hf:{rest}?"
    if match := re.fullmatch(_TAGGED, rest):
        return f"write hf:{match[1]}, and model.quantization: {match[2].lower()}"
    if match := re.fullmatch(_FILE_IN, rest):
        gguf = rest.endswith(".gguf")
        return _gguf(match[1], match[2]) if gguf else f"did you mean hf:{match[1]}?"
    return "a repository of the model hub has an owner: hf:<owner>/<name>"


def _gguf(repo: str, file: str) -> str:
    name = file.rpartition("/")[2]
    return f"fetch the file, and name it: hf download {repo} {file} --local-dir ., then ./{name}"


def _unexpanded(said: str) -> str | None:
    """A path that a shell would expand, or that names no folder of a model's own."""
    if said.startswith(("~", "$")):
        return f"write the path in full: {said[0]} is not expanded in a spec"
    if said.startswith("file:"):
        return f"did you mean /{said.removeprefix('file:').lstrip('/')}?"
    own = said.rstrip("/") not in ("", ".", "..")
    return None if own else "put the model into a folder of its own, and name that: ./folder"


def _path(said: str) -> str | None:
    """A path that does not begin as one."""
    if re.match(_DRIVE, said):
        return "write a path with / that begins with ./, ../ or /; in WSL, C:\\ is /mnt/c/"
    if "\\" in said:
        path = re.sub(r"/+", "/", said.lstrip(".").replace("\\", "/")).strip("/")
        return f"did you mean ./{path}?"
    if ":" in said:
        return None
    if said.endswith(".safetensors"):
        return "name the folder that the file lies in: ./folder"
    named = said.endswith(("/", ".gguf"))
    return f"did you mean ./{said.strip('/')}?" if named else None


def _elsewhere(said: str) -> str | None:
    """An address of the web, another tool's name, or a bucket."""
    if re.match(_WEB, said):
        return "fetch it to this machine, and name its folder or file: ./folder or ./file.gguf"
    match = re.fullmatch(_BUCKET, said)
    if match and match[1].lower() in _BUCKETS:
        return f"did you mean {match[1].lower()}://{match[2].lower().rstrip('/')}?"
    if re.fullmatch(_TAGGED, said):
        return f"did you mean hf:{said.rpartition(':')[0]}?"
    if ":" in said:
        return (
            "name a repository of the model hub (hf:<owner>/<name>), or a GGUF file (./file.gguf)"
        )
    return None


def _bare(said: str) -> str | None:
    """A name without a prefix."""
    if re.fullmatch(_REPO, said):
        return f"did you mean hf:{said}? A folder beside the spec is written ./{said}"
    if re.fullmatch(r"[\w.-]+", said):
        return f"write ./{said} for a folder beside the spec, or hf:<owner>/{said}"
    return None


def privacy(text: str) -> str | None:
    """Return the rule of privacy that was meant."""
    said = re.sub(r"[_\s]+", "-", text.strip().lower()).replace(":-", ":")
    if said in ("eu", "gdpr", "dsgvo", "europe", "region:europe"):
        return "did you mean region:eu?"
    if said.startswith("region:"):
        return f"did you mean {said}?"
    return _nearest(said, str, ("local-only", "cloud-ok"))


def quantization(text: str) -> str | None:
    """Return the format that was meant."""
    said = text.strip().lower().replace("-", "_")
    if said in _FORMATS:
        return _FORMATS[said]
    known = {_plain(name): name for name in FORMATS}
    if exact := known.get(_plain(said)):
        return f"did you mean {exact}?"
    return _nearest(_plain(said), known.__getitem__, known)


def engine(text: str, known: Iterable[str]) -> str | None:
    """Return the engine that was meant, of those that are there."""
    from deployer import engines  # late: only a refusal needs their records

    said, names = text.strip().lower(), tuple(known)
    called = (n for n in engines.names() if n in names and said in engines.engine(n).also_called)
    if meant := next(called, None):
        return f"did you mean {meant}?"
    return _nearest(said, str, names)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name)


def _nearest(said: str, write: Callable[[str], str], known: Iterable[str]) -> str | None:
    from difflib import get_close_matches  # late: only a refusal needs it

    near = get_close_matches(said, list(known), n=1, cutoff=0.6)
    return f"did you mean {write(near[0])}?" if near else None
