"""What a rule about a delegate is, and the rules that several delegates share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from pixelproof.tflite.inspection.model import Model, Operation, Tensor

Broken = Callable[[Operation], str | None]
"""What was found where an operation breaks a rule; None where it keeps it."""

BrokenByFile = Callable[[Model], str | None]

FIX_SIZE = "Convert at a fixed size: pb2tflite MODEL.pb --input-shape 1,HEIGHT,WIDTH,CHANNELS."
BUILT_IN = "Replace it by operations that TFLite has built in, or let it end the model on the CPU."
OTHER_TYPE = "Leave the integers that decide on sizes out of the model, and compute in float32 or int8."
STATIC_SOURCE = "tensorflow/lite/core/subgraph.cc, ModifyGraphWithDelegate: static-sized tensors only"


@dataclass(frozen=True)
class Rule:
    """One rule for single operations.

    Attributes:
        id: stable, for JSON.
        says: what must hold, a sentence without its full stop.
        remedy: the way out.
        source: where it comes from.
        broken: finds what breaks it.
        blocks: whether the delegate leaves the operation to the CPU then; else it is worth knowing.
        remedies: better ones for single types of operations.
    """

    id: str
    says: str
    remedy: str
    source: str
    broken: Broken
    blocks: bool = True
    remedies: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FileRule:
    """One rule for a whole file; as `Rule`. Where it blocks, the delegate takes nothing of the file."""

    id: str
    says: str
    remedy: str
    source: str
    broken: BrokenByFile
    blocks: bool = True


@dataclass(frozen=True)
class Finding:
    """A rule that is broken.

    Attributes:
        operation: index; None where the whole file is meant.
        type: of the operation; "" where the whole file is meant.
    """

    rule: str
    operation: int | None
    type: str
    says: str
    found: str
    remedy: str
    source: str
    blocks: bool


SIZE_INPUTS: Mapping[str, tuple[int, ...]] = {
    "BROADCAST_TO": (1,),
    "EXPAND_DIMS": (1,),
    "FILL": (0,),
    "MEAN": (1,),
    "MIRROR_PAD": (1,),
    "PAD": (1,),
    "PADV2": (1,),
    "REDUCE_MAX": (1,),
    "REDUCE_MIN": (1,),
    "RESHAPE": (1,),
    "RESIZE_BILINEAR": (1,),
    "RESIZE_NEAREST_NEIGHBOR": (1,),
    "SLICE": (1, 2),
    "SPLIT": (0,),
    "SPLIT_V": (1, 2),
    "STRIDED_SLICE": (1, 2, 3),
    "SUM": (1,),
    "TILE": (1,),
    "TRANSPOSE": (1,),
    "TRANSPOSE_CONV": (0,),
}
"""Inputs that decide on the shape of the output."""

_COMPUTES_SIZES = ("SHAPE", "RANK", "RANGE", "FILL", "BROADCAST_ARGS")
_CONTROL = ("IF", "WHILE", "CALL", "CALL_ONCE", "STABLEHLO_WHILE", "STABLEHLO_CASE", "STABLEHLO_COMPOSITE")
_STATE = ("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "HASHTABLE", "HASHTABLE_FIND", "HASHTABLE_LOOKUP")


def what_it_is(kind: str) -> str:
    """An operation's name with what makes it special to delegates."""
    if kind.startswith("CUSTOM Flex"):
        return f"{kind.removeprefix('CUSTOM ')}, an operation of TensorFlow itself"
    if kind.startswith("CUSTOM"):
        return f"{kind.removeprefix('CUSTOM ')}, a custom operation"
    if kind in _COMPUTES_SIZES:
        return f"{kind}, which computes sizes while the model runs"
    if kind in _CONTROL:
        return f"{kind}, control flow"
    if kind in _STATE:
        return f"{kind}, which keeps something between runs"
    return kind


SIZE_MAKER = Rule(
    "size-arithmetic",
    "Sizes must not be computed while the model runs",
    FIX_SIZE,
    STATIC_SOURCE,
    lambda operation: (
        what_it_is(operation.type) if operation.type in _COMPUTES_SIZES else "arithmetic on sizes"
    ),
)
"""For those of `size_makers`."""

SIZES = ("size-arithmetic", "computed-size")
"""Rules about single operations that the rule `dynamic-file` sums up."""


def computed_sizes(operation: Operation) -> bool:
    """Whether the shape of its output depends on numbers that are computed while the model runs."""
    places = SIZE_INPUTS.get(operation.type, ())
    sizes = (operation.input(place) for place in places)
    return any(tensor is not None and not tensor.constant for tensor in sizes)


def data_inputs(operation: Operation) -> tuple[Tensor, ...]:
    """Computed inputs, without those that only decide on the output's shape."""
    sizes = SIZE_INPUTS.get(operation.type, ())
    return tuple(
        tensor
        for place, tensor in enumerate(operation.inputs)
        if tensor is not None and not tensor.constant and place not in sizes
    )


def is_int16(tensor: Tensor) -> bool:
    """Whether it holds quantized 16-bit integers."""
    return tensor.quantized and tensor.dtype == "int16"


def no_int16(*, delegate: str, source: str) -> Rule:
    """int16x8 files: 16-bit activations with 8-bit weights."""

    def broken(operation: Operation) -> str | None:
        ends = (*data_inputs(operation), *operation.outputs)
        return f"{operation.type} in int16" if any(is_int16(tensor) for tensor in ends) else None

    remedy = "Quantize to int8, or ship a float file; int16x8 is for NPUs whose maker supports it."
    return Rule("int16", f"{delegate} has nothing for int16 activations", remedy, source, broken)


def dtypes(tensors: Collection[Tensor]) -> str:
    """Types of tensors in words, each once."""
    return ", ".join(dict.fromkeys(tensor.dtype for tensor in tensors))


def size_makers(model: Model) -> frozenset[int]:
    """Operations, by index, whose integers end in a size: SHAPE, and the arithmetic behind it."""
    found: set[int] = set()
    wanted = {
        tensor.index
        for operation in model.operations
        for place in SIZE_INPUTS.get(operation.type, ())
        if (tensor := operation.input(place)) is not None and not tensor.constant
    }
    for operation in reversed(model.operations):
        integers = all(tensor.dtype in ("int32", "int64", "bool") for tensor in operation.outputs)
        if integers and any(tensor.index in wanted for tensor in operation.outputs):
            found.add(operation.index)
            wanted.update(tensor.index for tensor in operation.computed)
    return frozenset(found)


def only_listed(listed: Collection[str], *, delegate: str, source: str) -> Rule:
    """The delegate must know the operation."""

    def broken(operation: Operation) -> str | None:
        return None if operation.type in listed else what_it_is(operation.type)

    return Rule("operation", f"{delegate} must know the operation", BUILT_IN, source, broken)


def rank_at_most(limit: int, *, source: str) -> Rule:
    """Tensors must have few dimensions."""

    def broken(operation: Operation) -> str | None:
        most = max((len(tensor.shape) for tensor in (*operation.given, *operation.outputs)), default=0)
        return f"{most} dimensions" if most > limit else None

    remedy = "Fold dimensions with a reshape before, or use DEPTH_TO_SPACE where pixels are shuffled."
    return Rule("rank", f"Tensors must have at most {limit} dimensions", remedy, source, broken)


def sizes_constant(*, source: str) -> Rule:
    """Sizes and axes must be constants."""

    def broken(operation: Operation) -> str | None:
        return "sizes that are computed while the model runs" if computed_sizes(operation) else None

    return Rule("computed-size", "Sizes and axes must be constants", FIX_SIZE, source, broken)


def static_tensors(*, delegate: str) -> FileRule:
    """No tensor of the file may have a size that is known only when it runs: the delegate refuses the whole file.

    Seen by many: "Attempting to use a delegate that only supports static-sized tensors with a graph that has
    dynamic-sized tensors" (tensorflow issues 38036, 48199, 49224).
    """

    def broken(model: Model) -> str | None:
        found = [operation.label for operation in model.operations if computed_sizes(operation)]
        if not found:
            return None
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        return f"sizes computed for {', '.join(found[:3])}{more}"

    says = f"{delegate} takes no file in which sizes are computed while it runs"
    return FileRule("dynamic-file", says, FIX_SIZE, STATIC_SOURCE, broken)


def sizes_fixed(*, delegate: str, source: str) -> FileRule:
    """Inputs should have fixed sizes: a delegate is prepared for one size, and again at each resize."""

    def broken(model: Model) -> str | None:
        shapes = [tensor.shape for tensor in model.inputs if None in tensor.shape]
        return ", ".join(shape_text(shape) for shape in shapes) if shapes else None

    says = f"{delegate} is prepared for one input size, and anew for each other"
    return FileRule("free-size", says, FIX_SIZE, source, broken, blocks=False)


def one_resize_convention(*, source: str) -> Rule:
    """A bilinear resize aligns corners or halves pixel centres, not both (kernels/resize_bilinear.cc)."""

    def broken(operation: Operation) -> str | None:
        both = operation.option("align_corners") and operation.option("half_pixel_centers")
        bilinear = operation.type == "RESIZE_BILINEAR"
        return "align_corners and half_pixel_centers together" if both and bilinear else None

    remedy = "Resize with half_pixel_centers alone, as tf.image.resize does."
    return Rule("resize", "A resize must keep to one convention", remedy, source, broken)


def shape_text(shape: tuple[int | None, ...]) -> str:
    """``1x?x?x4``; ``one`` for a single number."""
    return "x".join("?" if size is None else str(size) for size in shape) or "one"
