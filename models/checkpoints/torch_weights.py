"""PyTorch weights into a Keras model: every weight exactly once."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from pixelproof.errors import CallError, CheckpointError, PixelproofError
from pixelproof.models.checkpoints.fit import Fit, describe, natural
from pixelproof.models.checkpoints.locate import Located
from pixelproof.models.checkpoints.report import CheckpointReport
from pixelproof.models.checkpoints.safetensors import open_safetensors
from pixelproof.models.checkpoints.torch_layout import Slot, other_scale, slots_of
from pixelproof.models.checkpoints.torch_options import told_options
from pixelproof.models.checkpoints.torch_state_dict import open_torch
from pixelproof.models.checkpoints.torch_tensors import TensorFile
from pixelproof.models.registry import TorchNames, names, spec

if TYPE_CHECKING:
    import keras


def open_tensors(located: Located) -> AbstractContextManager[TensorFile]:
    """Open a ``.pth`` or ``.safetensors`` file for reading.

    Raises:
        CheckpointError: see `open_torch` and `open_safetensors`.
    """
    return open_safetensors(located) if located.kind == "safetensors" else open_torch(located)


def load_torch(
    model: keras.Model,
    located: Located,
    *,
    model_name: str,
    torch_names: TorchNames | None,
    allow_surplus: bool = False,
) -> CheckpointReport:
    """Put a state dict's weights into a model; on an error the model keeps what it had.

    Args:
        model: built.
        located: of kind ``torch`` or ``safetensors``.
        model_name: for messages.
        torch_names: the architecture's rule, see :class:`pixelproof.models.registry.ModelSpec`.
        allow_surplus: leave out tensors that the model doesn't have.

    Raises:
        CheckpointError: unreadable; weights missing, surplus, of another shape or scale, not finite; two prefixes
            fit.
    """
    with open_tensors(located) as file:
        if torch_names is None:
            raise CheckpointError(
                f"{model_name} must say how its weights are named in PyTorch to take a PyTorch checkpoint",
                found=str(located.path),
                remedy=_others(file, model_name) or "Save its weights as .weights.h5 or .keras.",
            )
        slots = _named_slots(model, torch_names)
        fit = fit_tensors(slots, file)
        if len(fit.scopes) > 1:
            listed = " and ".join(scope or "(none)" for scope in fit.scopes)
            raise CheckpointError(
                f"One prefix of the state dict must fit {model_name}",
                found=f"{listed} in {located.path}",
                remedy="Save a state dict that holds only one of them.",
            )
        if not fit.complete or (fit.surplus and not allow_surplus):
            raise _misfit(fit, slots, file, model_name=model_name)
        file.check(fit.used.values())
        arrays = {name: slots[name].from_torch(file.read(found)) for name, found in fit.used.items()}
    for name, array in arrays.items():
        slots[name].weight.assign(array)
    return CheckpointReport(
        located.kind, located.path, len(arrays), fit.reported, fit.surplus, taken=file.taken
    )


def fit_tensors(slots: Mapping[str, Slot], file: TensorFile) -> Fit:
    """How the tensors of a file fit the weights of a model; its scopes are prefixes, ``module.``.

    Args:
        slots: by PyTorch's names, without prefix.
        file: open.
    """
    floats = file.floats()
    present: dict[str, list[str]] = {}
    for found in floats:
        for start in [0, *(place + 1 for place, letter in enumerate(found) if letter == ".")]:
            if found[start:] in slots:
                present.setdefault(found[:start], []).append(found[start:])
    used = {
        prefix: {name: prefix + name for name in found if slots[name].fits(floats[prefix + name])}
        for prefix, found in present.items()
    }
    best = sorted(present, key=lambda prefix: (-len(used[prefix]), -len(present[prefix]), len(prefix)))
    full = tuple(prefix for prefix in best if len(used[prefix]) == len(slots))
    prefix = best[0] if best else ""
    taken = used.get(prefix, {})
    missing, mismatched = {}, []
    for name, slot in slots.items():
        if name not in taken and prefix + name in floats:
            mismatched.append((prefix + name, slot.shape, floats[prefix + name]))
        elif name not in taken:
            missing[prefix + name] = slot.shape
    accounted = {*taken.values(), *(name for name, _, _ in mismatched)}
    return Fit(
        scopes=full or tuple(best[:1]),
        used=taken,
        missing=missing,
        mismatched=tuple(mismatched),
        reported=tuple(sorted((name for name in file.tensors if name not in floats), key=natural)),
        surplus=tuple(sorted((name for name in floats if name not in accounted), key=natural)),
    )


def _named_slots(model: keras.Model, torch_names: TorchNames) -> dict[str, Slot]:
    by_path = torch_names(model)
    slots = {by_path[path]: slot for path, slot in slots_of(model).items() if path in by_path}
    if len(slots) != len(model.weights):
        found = f"{len(slots)} names for {len(model.weights)} weights"
        raise PixelproofError("An architecture must give each of its weights one PyTorch name", found=found)
    return slots


def _misfit(fit: Fit, slots: Mapping[str, Slot], file: TensorFile, *, model_name: str) -> CheckpointError:
    rule = f"The state dict must hold each of the {len(slots)} weights of {model_name} once, in its shape"
    within = f"{file.path} ({file.taken})" if file.taken else str(file.path)
    found = f"in {within} {describe(fit, file.shapes)}"
    prefix = fit.scopes[0] if fit.scopes else ""
    scales = {other_scale(slots[name.removeprefix(prefix)], shape) for name, _, shape in fit.mismatched}
    if not fit.missing and len(scales) == 1 and (scale := scales.pop()):
        found = f"weights that enlarge {scale} times: {found}"
        remedy = f"{model_name} enlarges {spec(model_name).contract.scale} times: take the weights for that."
        return CheckpointError(rule, found=found, remedy=remedy)
    own = _told(model_name, file)
    if own and _fits(model_name, file, better_than=fit):
        listed = ", ".join(f"{key}={value}" for key, value in own.items())
        remedy = f"It fits {model_name} with {listed}: leave these options out, and they are read off it."
    else:
        remedy = _others(file, model_name, better_than=fit)
    if not remedy and fit.complete:
        remedy = "--allow-surplus leaves the surplus out."
    return CheckpointError(
        rule, found=found, remedy=remedy or "Of the registered architectures none fits: pixelproof models."
    )


def _others(file: TensorFile, model_name: str, *, better_than: Fit | None = None) -> str:
    """The registered architectures that a file fits, as a remedy; "" for none."""
    others = [name for name in names() if name != model_name and _fits(name, file, better_than=better_than)]
    return f"It fits {' and '.join(others)}: use --model {others[0]}." if others else ""


def _fits(name: str, file: TensorFile, *, better_than: Fit | None) -> bool:
    rule, told = spec(name).torch_names, _told(name, file)
    if rule is None or (spec(name).torch_options is not None and not told):
        return False
    try:
        fit = fit_tensors(_named_slots(spec(name).build(**told), rule), file)
    except (CallError, ValueError):
        return False  # no width that the architecture can have
    if not fit.complete:
        return False
    return better_than is None or not better_than.complete or len(fit.surplus) < len(better_than.surplus)


def _told(name: str, file: TensorFile) -> dict[str, object]:
    """What the file's shapes tell of an architecture's options; nothing of a user's own model."""
    read = spec(name).torch_options if name in names() else None
    return {} if read is None else told_options(read, file.floats())
