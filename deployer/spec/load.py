"""Read a spec file: YAML, keys, units, combinations. Every mistake is named with line and column.

A file that was read before is not validated again: what came of it is kept under `cache`, by the
digest of its text and of this package's own code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployer import engines
from deployer.core.cache import Cache
from deployer.core.cache import digest as cache_key
from deployer.core.errors import DeployerError, UsageError, quoted
from deployer.spec import Spec
from deployer.spec.serialize import defaults, digest, from_plain, to_plain

if TYPE_CHECKING:
    from deployer.spec.yaml_source import Problem, Tree

MOST_BYTES = 1_000_000
DEFAULT = "deployer.yaml"
MODEL_KEYS = ("model.source", "model.adapter", "model.facts")


@dataclass(frozen=True)
class Loaded:
    """A valid spec, its digest, the file it was read from, and every default that was taken.

    `places` is the line and column of each key that stands in the file, by its path: `targets.local.port`.
    """

    spec: Spec
    digest: str
    file: Path
    defaults: Mapping[str, Any]
    places: Mapping[str, tuple[int, int]] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """The spec's name."""
        return self.spec.name

    def place(self, key: str) -> str:
        """Say where the file has a key (`targets.local.port`), or the key nearest around it: `file:line:column`."""
        while key and key not in self.places:
            key = key.rpartition(".")[0]
        line, column = self.places.get(key, (1, 1))
        return f"{self.file}:{line}:{column}"

    @contextmanager
    def placed(self) -> Iterator[None]:
        """Say of every error about a value of the spec where that value stands in the file."""
        try:
            yield
        except DeployerError as error:
            key = error.key or self._key_of(error.where)
            if key is not None:
                error.where = self.place(key)
            raise

    def _key_of(self, where: str | None) -> str | None:
        """The key of the spec that an error names as its place, or that names the adapter which it is about."""
        if where in MODEL_KEYS:
            return where
        adapter = self.spec.model.adapter
        named = adapter is not None and where in (adapter, str(self.file.parent / adapter))
        return "model.adapter" if named else None


def load(file: Path, kept: Path | None = None) -> Loaded:
    """Read a spec file. `kept` is a folder for what was validated before, or None.

    Raises:
        UsageError: the file cannot be read or is wrong; its message lists every mistake.
    """
    text = _read(file)
    cache = Cache(kept, _recalled)
    key = cache_key([text, *engines.choices()], (*_code(), *_engines())) if kept else ""
    known = cache.get(key)
    if known is None:
        plain = _validated(text, file)
        cache.put(key, plain)
        known = _recalled(plain)
    spec, defaults_taken, places = known
    return Loaded(spec, digest(spec), file, defaults_taken, places)


def check(text: str, file: Path) -> None:
    """Refuse text that is no valid spec, as `load` would if it stood in `file`.

    Raises:
        UsageError: its message lists every mistake.
    """
    _validated(text, file)


def _read(file: Path) -> str:
    try:
        with file.open("rb") as opened:  # a pipe too: deployer plan -f <(generate)
            raw = opened.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(f"no spec at {file}", where=str(file), hint=_other_file(file)) from None
    except IsADirectoryError:
        hint = f"name the file in it, such as {file / DEFAULT}"
        raise UsageError(f"{file} is a folder, not a spec", hint=hint, where=str(file)) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{file} cannot be read: {why}", where=str(file)) from None
    if len(raw) > MOST_BYTES:
        raise UsageError(
            f"{file} is too large for a spec", hint="name the spec itself with -f", where=str(file)
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].split(b"\n")
        place = f"{file}:{len(before)}:{len(before[-1].decode(errors='replace')) + 1}"
        raise UsageError(
            f"{file} is not in UTF-8: byte {error.object[error.start]:#04x}",
            hint="save it as UTF-8: iconv -f UTF-16 or -f ISO-8859-1 -t UTF-8 converts it",
            where=place,
        ) from None


def _other_file(file: Path) -> str:
    """Say what to do about a spec that is not there."""
    if str(file) == "-":
        return "a spec is read from a file: -f /dev/stdin takes what is piped in"
    other = file.with_suffix(".yml" if file.suffix == ".yaml" else ".yaml")
    if file.suffix in (".yaml", ".yml") and other.is_file():
        return f"did you mean -f {other}?"
    return "write one with 'deployer init', or pass its path with -f SPEC"


def _code() -> tuple[Path, ...]:
    """The code that validates, so that a newer version validates anew."""
    folder = Path(__file__).parent
    formats = folder.parent / "core" / "quantization"
    return (*sorted(folder.glob("*.py")), *sorted(formats.glob("*.py")))


def _engines() -> tuple[Path, ...]:
    """What the engines that may be named say of themselves."""
    folders = (engines.folder(name) for name in engines.choices())
    return tuple(folder / "__init__.py" for folder in folders if folder)


def _recalled(found: Any) -> tuple[Spec, dict[str, Any], dict[str, tuple[int, int]]]:
    places = {key: (int(line), int(column)) for key, (line, column) in found["places"].items()}
    return from_plain(found["spec"]), dict(found["defaults"]), places


def _validated(text: str, file: Path) -> dict[str, Any]:
    from deployer.spec.combinations import problems
    from deployer.spec.keys import written
    from deployer.spec.validate import validate

    tree = _parse(text, file)
    said = written(tree.data) if tree.data is not None else {}
    answer = validate(said, tree.words)
    if not isinstance(answer, Spec):
        raise _mistakes(file, tree, (*tree.problems, *answer))
    if found := (*tree.problems, *problems(answer)):
        raise _mistakes(file, tree, found)
    keys = (path for path in tree.places if all(isinstance(part, str) for part in path))
    places = {".".join(map(str, path)): tree.places[path] for path in keys}
    return {"spec": to_plain(answer), "defaults": defaults(answer, said), "places": places}


def _parse(text: str, file: Path) -> Tree:
    import yaml

    from deployer.spec.yaml_source import parse

    try:
        return parse(text)
    except yaml.MarkedYAMLError as error:
        from deployer.spec.yaml_errors import explained

        said, hint, (line, column) = explained(error, text)
        where = f"{file}:{line}:{column}"
        raise UsageError(f"not valid YAML: {said}", hint=hint, where=where) from None
    except (yaml.reader.ReaderError, UnicodeEncodeError):
        raise _unreadable(text, file) from None


def _unreadable(text: str, file: Path) -> UsageError:
    """Return the error of a character that YAML does not allow."""
    from yaml.reader import Reader

    found = Reader.NON_PRINTABLE.search(text)
    at = found.start() if found else 0
    before = text[:at].split("\n")
    return UsageError(
        f"not valid YAML: a control character: {quoted(text[at : at + 1])}",
        hint="remove it, or write it as an escape in double quotes",
        where=f"{file}:{len(before)}:{len(before[-1]) + 1}",
    )


def _mistakes(file: Path, tree: Tree, problems: Iterable[Problem]) -> UsageError:
    placed = sorted(((tree.place(p.path), p) for p in problems), key=lambda pair: pair[0])
    lines = [f"{file}:{line}:{column}: {_said(p)}" for (line, column), p in placed]
    (line, column), first = placed[0]
    where = f"{file}:{line}:{column}"
    if len(lines) == 1:
        return UsageError(first.message, hint=first.hint, where=where)
    message = "\n".join((f"{len(lines)} errors", *(f"  {said}" for said in lines)))
    return UsageError(message, hint=first.hint, where=where)


def _said(problem: Problem) -> str:
    return problem.message + (f" ({problem.hint})" if problem.hint else "")
