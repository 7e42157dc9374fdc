"""Everything that is wrong with a hand-in, told at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pixelproof.errors import EnvironmentFault, InputError, PixelproofError, RuleBroken, SubmissionRefused


class Faults:
    """A list of faults that grows while a hand-in is put together.

    Args:
        rule: what is told where there are several.
    """

    def __init__(self, rule: str) -> None:
        self._rule = rule
        self._found: list[PixelproofError] = []

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return bool(self._found)

    def add(self, error: PixelproofError) -> None:
        """Note a fault."""
        self._found.append(error)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """A block whose error becomes a fault; a fault of the machine stays an error."""
        try:
            yield
        except EnvironmentFault:
            raise
        except PixelproofError as error:
            self.add(error)

    def settle(self) -> None:
        """Go on only where there is no fault.

        Raises:
            PixelproofError: the only fault, as it was.
            SubmissionRefused: several, all of rules.
            InputError: several, of the call or of files too.
        """
        if not self._found:
            return
        if len(self._found) == 1:
            raise self._found[0]
        listed = "\n".join(f"  {number}. {error}" for number, error in enumerate(self._found, start=1))
        kind = SubmissionRefused if all(isinstance(e, RuleBroken) for e in self._found) else InputError
        raise kind(self._rule, found=f"{len(self._found)} faults", remedy=f"They are:\n{listed}")
