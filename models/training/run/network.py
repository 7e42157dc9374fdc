"""The network that a recipe names: a registered architecture, or ``FILE.py:FUNCTION`` of the user's own."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelproof.contract import Contract
from pixelproof.errors import CallError, InputError
from pixelproof.models.registry import create, spec
from pixelproof.models.training.recipe import TrainingRecipe

if TYPE_CHECKING:
    import keras

_PROBE = 96


def is_own(model: str) -> bool:
    """Whether the name means a function in a file of the user's."""
    return ":" in model


def network_of(recipe: TrainingRecipe) -> keras.Model:
    """A new, untrained network.

    Raises:
        CallError: options that the architecture doesn't have; no such file or function; no Keras model of one picture
            in and one out comes of it.
        InputError: the user's file can't be run.
    """
    if not is_own(recipe.model):
        return create(recipe.model, **recipe.model_options)
    return _own(recipe.model, dict(recipe.model_options))


def contract_of(recipe: TrainingRecipe) -> Contract:
    """What the network takes and gives; of a user's own, its channels and scale are looked at.

    Raises:
        CallError, InputError: see `network_of`.
    """
    if not is_own(recipe.model):
        return spec(recipe.model).contract
    network = network_of(recipe)
    entry, end = network.inputs[0].shape, network.outputs[0].shape
    sides = [side or _PROBE for side in entry[1:3]]
    made = network.compute_output_shape((1, *sides, entry[3]))
    if made[1] % sides[0] or made[1] // sides[0] != made[2] // sides[1] or made[2] % sides[1]:
        found = f"{made[1]}x{made[2]} for {sides[0]}x{sides[1]}"
        raise CallError(f"{recipe.model} must enlarge by a whole factor, or keep the size", found=found)
    return Contract(channels=(int(entry[3]), int(end[3])), scale=int(made[1] // sides[0]))


def whole_name(model: str) -> str:
    """The name with the file's whole path, so that a run can be resumed from anywhere."""
    if not is_own(model):
        return model
    file, _, function = model.rpartition(":")
    return f"{Path(file).expanduser().absolute()}:{function}"


def _own(name: str, options: dict[str, Any]) -> keras.Model:
    import keras

    file, _, function = name.rpartition(":")
    path = Path(file).expanduser()
    if not path.is_file() or not function.isidentifier():
        remedy = "For example --model my_models.py:my_network."
        raise CallError("A model of your own is named FILE.py:FUNCTION", found=name, remedy=remedy)
    module_spec = importlib.util.spec_from_file_location(f"pixelproof_own_{path.stem}", path)
    if module_spec is None or module_spec.loader is None:
        raise CallError("A model of your own must lie in a Python file", found=name)
    module = importlib.util.module_from_spec(module_spec)
    sys.path.insert(0, str(path.absolute().parent))
    try:
        module_spec.loader.exec_module(module)
        build = getattr(module, function, None)
        if not callable(build):
            raise CallError(f"{path.name} must define the function", found=function)
        model = build(**options)
    except CallError:
        raise
    except Exception as error:
        found = f"{type(error).__name__}: {str(error)[:300]}"
        raise InputError(f"{name} must build its model", found=found) from error
    finally:
        sys.path.remove(str(path.absolute().parent))
    pictures = isinstance(model, keras.Model) and len(model.inputs) == len(model.outputs) == 1
    if not pictures or len(model.inputs[0].shape) != 4 or model.inputs[0].shape[3] is None:
        rule = f"{name} must give a functional Keras model of one picture in and one out"
        raise CallError(rule, found=f"{type(model).__name__}")
    return model
