"""Whether a model's files hold all of its layers. Pure.

A file may be whole and its model not: a layer that was pruned, a part that was saved alone, a shard under the name of
the whole. An engine would end as it loads it. Only what is plain is refused: a file that names most of its layers.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from deployer.core.errors import UsageError
from deployer.planning.model_facts.tensor_totals import Tensor

_LAYER = re.compile(r"(?:^|\.)(?:layers?|h|blocks?)\.(\d{1,5})\.")
_OTHERS = re.compile(r"vis|vit|image|img|audio|sound|speech|tower|mtp|talker|token2wav|draft")
"""Parts of the names of what is not the language model, and has layers of its own."""
LEAST, SHARE = 3, 1 / 4
"""So many layers, and such a share of all, must be there: fewer say nothing of how the others are named."""
MOST_NAMED = 5


class SeenLayers:
    """The numbers of the layers that pass by in the names of tensors."""

    def __init__(self) -> None:
        self._found: dict[str, set[int]] = {}

    def passing(self, tensors: Iterable[Tensor]) -> Iterator[Tensor]:
        """Hand the tensors on, and keep the numbers in their names."""
        for tensor in tensors:
            if match := _LAYER.search(tensor.name):
                self._found.setdefault(tensor.name[: match.start()], set()).add(int(match[1]))
            yield tensor

    @property
    def none(self) -> bool:
        """Whether no tensor was that of a layer."""
        return not self._found

    def of_text(self) -> Collection[int]:
        """Return the layers of the language model: the most that stand under one name."""
        text = (seen for name, seen in self._found.items() if not _OTHERS.search(name.lower()))
        return max(text, key=len, default=set())


def refuse_missing(seen: Collection[int], total: int | None, where: str) -> None:
    """Refuse a model of `total` layers of which some are not there.

    Raises:
        UsageError: it names the first of them.
    """
    if not total or len(seen) < LEAST or len(seen) < total * SHARE:
        return
    gone = [n for n in range(total) if n not in seen]
    if not gone:
        return
    first = ", ".join(map(str, gone[:MOST_NAMED])) + (" and more" if gone[MOST_NAMED:] else "")
    raise UsageError(
        f"{where} has the weights of {total - len(gone)} of {total} layers: {first} missing",
        hint="fetch or export the model again: a part of its weights would be taken for the whole",
        where=where,
    )
