"""The sources of all figures, each numbered where it is first named. Pure."""

from __future__ import annotations


class Sources:
    """Gives each source its number, counted from 1."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, source: str, as_of: str | None = None) -> int:
        """Return the number of a source."""
        said = f"{source}, as of {as_of}" if as_of else source
        return self._numbers.setdefault(said, len(self._numbers) + 1)

    @property
    def listed(self) -> tuple[str, ...]:
        """All sources, in the order of their numbers."""
        return tuple(self._numbers)
