"""What every kind of training data offers: samples by number.

A sample is a pure function of the seed and its number, so the state of a loader is one number: how many samples have
been used. Any process may make any sample, in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pixelproof.contract import Contract
from pixelproof.models.training.recipe import TrainingRecipe

Image = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Sample:
    """One pair to learn from.

    Attributes:
        input: float32, (height, width, channels), in [0, 1], as the model takes it.
        target: float32, (height, width, channels), in [0, 1], of the model's output's size.
        name: the file that it is from, for messages.
    """

    input: Image
    target: Image
    name: str


@dataclass(frozen=True)
class Skipped:
    """A file that can't be used, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class Setting:
    """What the recipe says to every kind of data.

    Attributes:
        train: folder to learn from.
        validation: folder to measure on; None for none.
        scale: of the task: the target's size over the small picture's.
        contract: of the model; its own scale is 1 where it takes pictures that are enlarged already.
        seed: of all that is random.
    """

    train: Path
    validation: Path | None
    scale: int
    contract: Contract
    seed: int


class TrainingData(Protocol):
    """Pairs to learn from. Can be pickled, for the processes that share the work."""

    @property
    def samples_per_epoch(self) -> int:
        """Samples of one pass over the data; 1 or more."""

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Files that can't be used, of training and validation."""

    @property
    def costly(self) -> bool:
        """Whether a sample takes so long that processes must share the work."""

    def sample(self, number: int) -> Sample:
        """The sample of this number, counted from 0 through the whole training; all samples have one size."""

    def validation(self) -> Sequence[Sample]:
        """Whole pictures to measure on, in natural order, each made when it is asked for; of length 0 for none."""


@dataclass(frozen=True)
class DataKind:
    """A kind of data that a recipe may name; a module of this folder holds it as ``KIND``.

    Attributes:
        name: what ``[data] kind`` says.
        options: a frozen dataclass of the keys that ``[data]`` has for this kind.
        open: finds and checks the files, given those options and the setting; raises ImageError where nothing can
            be used, CallError or RecipeError where options can't be.
        paths: those options that are paths; a run's recipe has them whole.
        hooks: makes what is called with the bare model and the history's row after every epoch, of the recipe and of
            what is told a line of text; None for nothing.
    """

    name: str
    options: type[Any]
    open: Callable[[Any, Setting], TrainingData]
    paths: tuple[str, ...] = ()
    hooks: Callable[[TrainingRecipe, Callable[[str], None]], Sequence[Callable[[Any, Any], None]]] | None = (
        None
    )


def rng_of(seed: int, *numbers: int) -> np.random.Generator:
    """A generator for one sample or one pass: the same for the same numbers, independent for others."""
    return np.random.default_rng(np.random.SeedSequence([seed, *numbers]))
