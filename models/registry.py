"""Architectures by name.

An architecture is a function in a module of this folder, decorated with :func:`register`. The decorator only
attaches the specification to the function; the modules are imported and their specifications collected on the
first question, so a newcomer is one new file.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, TypeVar

import pixelproof.models
from pixelproof.contract import Contract
from pixelproof.errors import CallError, PixelproofError, did_you_mean

if TYPE_CHECKING:
    import keras

Builder = Callable[..., "keras.Model"]
TF1Names = Callable[["keras.Model"], Mapping[str, str]]
TF1Options = Callable[[Mapping[str, tuple[int, ...]]], Mapping[str, object]]
TorchNames = Callable[["keras.Model"], Mapping[str, str]]
TorchOptions = Callable[[Mapping[str, tuple[int, ...]]], Mapping[str, object]]
BuilderT = TypeVar("BuilderT", bound=Builder)

_PLAIN = Contract()
_ATTRIBUTE = "model_specs"
_NO_ARCHITECTURES = frozenset({"registry", "layers", "esa", "commands"})


@dataclass(frozen=True)
class ModelSpec:
    """One registered architecture.

    Attributes:
        name: what ``--model`` takes.
        build: makes the model, untrained; its keyword options are the architecture's.
        source: who defined it, in one line.
        challenge: id of the challenge that it belongs to, or "".
        contract: tensor names, channels, scale and sizes that it offers.
        tf1_names: the rule from the paths of a built model's weights to their variable names in TF1
            checkpoints, without the scope; None where no TF1 checkpoint is known.
        tf1_options: reads the architecture's options off the shapes of a TF1 checkpoint's variables, by name
            without scope; None where it has none.
        size: (height, width) that a TFLite file has unless another is asked for.
        torch_names: the rule from the paths of a built model's weights to their names in PyTorch state dicts,
            without a prefix; None where no PyTorch weights are known.
        torch_options: reads the architecture's options off the shapes of a state dict's tensors, by name without
            prefix; gives nothing where they aren't this architecture's.
    """

    name: str
    build: Builder
    source: str
    challenge: str = ""
    contract: Contract = _PLAIN
    tf1_names: TF1Names | None = None
    tf1_options: TF1Options | None = None
    size: tuple[int, int] = (720, 1280)
    torch_names: TorchNames | None = None
    torch_options: TorchOptions | None = None


def register(
    name: str,
    *,
    source: str,
    challenge: str = "",
    contract: Contract = _PLAIN,
    tf1_names: TF1Names | None = None,
    tf1_options: TF1Options | None = None,
    size: tuple[int, int] = (720, 1280),
    torch_names: TorchNames | None = None,
    torch_options: TorchOptions | None = None,
) -> Callable[[BuilderT], BuilderT]:
    """Mark a function of a module in this folder as an architecture.

    Args:
        name, source, challenge, contract, tf1_names, tf1_options, size, torch_names, torch_options: see
            :class:`ModelSpec`.

    Returns:
        A decorator that hands the function back with its specification attached.
    """

    def attach(build: BuilderT) -> BuilderT:
        spec = ModelSpec(
            name, build, source, challenge, contract, tf1_names, tf1_options, size, torch_names, torch_options
        )
        setattr(build, _ATTRIBUTE, (*getattr(build, _ATTRIBUTE, ()), spec))
        return build

    return attach


def create(name: str, **options: object) -> keras.Model:
    """A new, untrained model; image in and out: float32 (batch, height, width, channels) in [0, 1].

    Raises:
        CallError: no such architecture, or an option that it doesn't have.
    """
    chosen = spec(name)
    signature = inspect.signature(chosen.build)
    for option in options:
        if option not in signature.parameters:
            remedy = did_you_mean(option, tuple(signature.parameters))
            raise CallError(f"{name} must be built with options that it has", found=option, remedy=remedy)
    try:
        signature.bind(**options)
    except TypeError as error:
        raise CallError(f"{name} must be built with the options that it needs", found=str(error)) from error
    return chosen.build(**options)


def spec(name: str) -> ModelSpec:
    """The specification of an architecture.

    Raises:
        CallError: no such architecture; the message lists the choices.
    """
    known = _bundled()
    if name not in known:
        raise CallError(
            "--model must name a registered architecture", found=name, remedy=did_you_mean(name, tuple(known))
        )
    return known[name]


def names() -> tuple[str, ...]:
    """All registered names, sorted."""
    return tuple(_bundled())


def collect(modules: Iterable[ModuleType]) -> dict[str, ModelSpec]:
    """The architectures that some modules define, by name, sorted.

    Raises:
        PixelproofError: two of them have one name.
    """
    found: dict[str, ModelSpec] = {}
    for module in modules:
        for function in vars(module).values():
            if getattr(function, "__module__", None) != module.__name__:
                continue
            for one in getattr(function, _ATTRIBUTE, ()):
                if one.name in found and found[one.name] is not one:
                    both = f"{one.name} in {found[one.name].build.__module__} and in {module.__name__}"
                    raise PixelproofError("Every architecture must have its own name", found=both)
                found[one.name] = one
    return dict(sorted(found.items()))


@cache
def _bundled() -> Mapping[str, ModelSpec]:
    return MappingProxyType(collect(_architecture_modules()))


def _architecture_modules() -> Iterable[ModuleType]:
    for module in pkgutil.iter_modules(pixelproof.models.__path__):
        if not module.ispkg and module.name not in _NO_ARCHITECTURES:
            yield importlib.import_module(f"{pixelproof.models.__name__}.{module.name}")
