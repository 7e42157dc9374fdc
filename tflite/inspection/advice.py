"""Why a file is slow, in words, and what to do: only what is found in it, with the figures that were measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pixelproof.tflite.inspection.facts import Advice, Facts, counted, how_often, indices, listed, of_time
from pixelproof.tflite.inspection.model import CONVERSIONS, Model, Operation
from pixelproof.tflite.inspection.normalisation import chains
from pixelproof.tflite.inspection.rules import FIX_SIZE, computed_sizes
from pixelproof.tflite.inspection.timing import Times
from pixelproof.tflite.inspection.xnnpack_rules import INT8_REMEDIES

WORTH_SAYING = 0.05
"""Share of the time, or of the multiply-accumulates where no time was measured."""
FEW_CHANNELS, REGISTER = 3, 8
LARGE_KERNEL = 25
SLOWER = 1.5
_ACTIVATIONS = ("LEAKY_RELU", "PRELU", "ELU", "GELU", "HARD_SWISH", "TANH", "LOGISTIC")
_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")


def advise(model: Model, times: Times | None) -> tuple[Advice, ...]:
    """All that is found, the costliest first."""
    facts = Facts(model, times)
    found = [each for look in _LOOKS for each in look(facts)]
    return tuple(sorted(found, key=lambda each: -(each.share or 0.0)))


def _normalisation(facts: Facts) -> Iterator[Advice]:
    """Statistics over the picture, which TFLite has no operation for."""
    found = chains(facts.model)
    if not found:
        return
    members = [operation for chain in found for operation in chain]
    share = facts.share(members)
    quantized = any(operation.outputs[0].quantized for operation in members)
    why = (
        f"Instance normalisation stands in it {how_often(len(found))}, as {len(members)} operations (MEAN, "
        f"SQUARED_DIFFERENCE, MEAN, ADD, RSQRT, SUB, MUL), most of which read the whole picture again"
        f"{of_time(share)}."
    )
    remedy = (
        "Normalise on fewer or smaller levels, or train with batch normalisation, which the converter folds into "
        "the convolution before it."
    )
    if quantized:
        slow = [each for each in members if each.type in ("SQUARED_DIFFERENCE", "RSQRT")]
        why += (
            " In int8, SQUARED_DIFFERENCE and RSQRT have no kernel in XNNPACK and run in TFLite's reference ones"
            f"{of_time(facts.share(slow))}."
        )
        remedy = f"{INT8_REMEDIES['SQUARED_DIFFERENCE']} {remedy}"
    yield Advice("instance-normalisation", why, remedy, indices(members), share)


def _own_kernels(facts: Facts) -> Iterator[Advice]:
    """What XNNPACK left to TFLite's own kernels, seen when it was timed."""
    if facts.times is None:
        return
    kinds: dict[tuple[str, str], list[Operation]] = {}
    said = {each.index for chain in chains(facts.model) for each in chain if each.outputs[0].quantized}
    for operation in facts.model.operations:
        taken = facts.times.operations[operation.index].xnnpack
        if taken is not False or operation.index in said or computed_sizes(operation):
            continue
        dtype = operation.outputs[0].dtype
        kinds.setdefault((operation.type if dtype != "int16" else "", dtype), []).append(operation)
    for (kind, dtype), found in kinds.items():
        share = facts.share(found)
        if share is None or share < WORTH_SAYING:
            continue
        why = f"XNNPACK did not take {counted(found)} in {dtype}: TFLite's own kernels ran{of_time(share)}."
        if dtype == "int16":
            remedy = "Use int8 or float32 where the CPU runs it: int16 has reference kernels only."
        else:
            remedy = INT8_REMEDIES.get(kind, "Replace it by operations that XNNPACK has; see its findings.")
        yield Advice("own-kernels", why, remedy, indices(found), share)


def _few_channels(facts: Facts) -> Iterator[Advice]:
    """Convolutions that give fewer channels than a register holds."""
    convolutions = [each for each in facts.model.operations if each.type == "CONV_2D"]
    few = [each for each in convolutions if 0 < _channels(each) <= FEW_CHANNELS]
    few = [each for each in few if facts.weight([each]) >= WORTH_SAYING]
    others = [each for each in convolutions if each not in few]
    mine, theirs = facts.ns_per_kmac(few), facts.ns_per_kmac(others)
    if not few or (mine is not None and theirs is not None and mine < SLOWER * theirs):
        return
    widths = ", ".join(dict.fromkeys(str(_channels(each)) for each in few))
    slower = (
        f": {mine / theirs:.1f} times as long per multiply-accumulate as the others"
        if mine and theirs
        else ""
    )
    share = facts.share(few)
    why = (
        f"{counted(few)} gives {widths} channels where a register holds {REGISTER} or more: the rest is "
        f"wasted{slower}{of_time(share)}."
    )
    remedy = (
        "Let the last convolution work at half the size with 12 channels and end with DEPTH_TO_SPACE(2), or make "
        "its kernel smaller."
    )
    yield Advice("few-channels", why, remedy, indices(few), share)


def _large_kernels(facts: Facts) -> Iterator[Advice]:
    sizes = {
        each.index: kernel
        for each in facts.model.operations
        if each.type == "CONV_2D" and (kernel := _kernel(each)) is not None
    }
    large = [
        each
        for each in facts.model.operations
        if each.index in sizes and sizes[each.index][0] * sizes[each.index][1] >= LARGE_KERNEL
    ]
    if not large or facts.weight(large) < 2 * WORTH_SAYING:
        return
    share = facts.share(large)
    named = ", ".join(dict.fromkeys(f"{sizes[each.index][0]}x{sizes[each.index][1]}" for each in large))
    why = f"{counted(large)} has kernels of {named}{of_time(share)}: the cost grows with the square."
    remedy = (
        "Two 3x3 see as far as a 5x5, four as far as a 9x9, for 18 and 36 products in place of 25 and 81."
    )
    yield Advice("large-kernels", why, remedy, indices(large), share)


def _transposed(facts: Facts) -> Iterator[Advice]:
    found = [each for each in facts.model.operations if each.type == "TRANSPOSE_CONV"]
    others = [each for each in facts.model.operations if each.type == "CONV_2D"]
    mine, theirs, share = facts.ns_per_kmac(found), facts.ns_per_kmac(others), facts.share(found)
    if mine is None or theirs is None or share is None or share < WORTH_SAYING or mine < SLOWER * theirs:
        return
    why = (
        f"{counted(found)} takes {mine / theirs:.1f} times as long per multiply-accumulate as CONV_2D"
        f"{of_time(share)}."
    )
    remedy = (
        "Try a convolution with four times the channels and DEPTH_TO_SPACE(2), which all three delegates take: it "
        "computes more, and is mostly faster all the same (docs/inspect.md)."
    )
    yield Advice("transposed-convolution", why, remedy, indices(found), share)


def _activations(facts: Facts) -> Iterator[Advice]:
    """Activations that stand alone behind a convolution; ReLU and its limits are fused into it."""
    producers = facts.model.producers
    found = [
        each
        for each in facts.model.operations
        if each.type in _ACTIVATIONS
        and (source := each.input(0)) is not None
        and source.index in producers
        and producers[source.index].type in _CONVOLUTIONS
    ]
    share = facts.share(found)
    if not found or share is None or share < 2 * WORTH_SAYING:
        return
    kinds = ", ".join(dict.fromkeys(each.type for each in found))
    why = f"{len(found)} activations ({kinds}) are passes of their own over the picture{of_time(share)}."
    remedy = "RELU and RELU6 are fused into the convolution; retrain with them where quality allows."
    yield Advice("activations", why, remedy, indices(found), share)


def _islands(facts: Facts) -> Iterator[Advice]:
    """Float operations inside an int8 file, and the conversions around them."""
    if not facts.model.is_quantized:
        return
    floats = [
        each
        for each in facts.model.operations
        if each.type not in CONVERSIONS and any(tensor.dtype == "float32" for tensor in each.running)
    ]
    if not floats:
        return
    around = [
        each for each in facts.model.operations if each.type in CONVERSIONS and _inside(facts.model, each)
    ]
    share = facts.share([*floats, *around])
    why = (
        f"{counted(floats)} stays in float32 inside an int8 file, between "
        f"{listed(each.label for each in around) or 'its ends'}{of_time(share)}."
    )
    remedy = (
        "Give the converter calibration images, or replace the operations by ones with int8 kernels; a lone island "
        "at the end is cheap on a CPU, and ends an NPU's part."
    )
    yield Advice("float-islands", why, remedy, indices([*floats, *around]), share)


def _free_sizes(facts: Facts) -> Iterator[Advice]:
    found = [each for each in facts.model.operations if computed_sizes(each)]
    kinds = ("SHAPE", "PACK", "STRIDED_SLICE")
    helpers = [
        each
        for each in facts.model.operations
        if each.type in kinds and each.outputs[0].dtype in ("int32", "int64")
    ]
    if not found:
        return
    share = facts.share(found)
    why = (
        f"{counted(found)} has sizes that are computed while it runs, by {len(helpers)} operations of integers"
        f"{of_time(share)}: GPU delegate and NNAPI refuse such a file, XNNPACK leaves these operations out."
    )
    yield Advice("computed-sizes", why, FIX_SIZE, indices(found), share)


def _half_weights(facts: Facts) -> Iterator[Advice]:
    found = [each for each in facts.model.operations if each.outputs and each.outputs[0].folded]
    if not any(tensor.dtype == "float16" for each in found for tensor in each.given):
        return
    why = (
        f"Weights are float16 in the file and float32 in memory: {len(found)} DEQUANTIZE widen them when it is "
        "loaded. On a CPU without float16 arithmetic the file is smaller, and no faster."
    )
    yield Advice(
        "float16-weights", why, "For speed on CPUs, quantize to int8; for GPUs it is right.", indices(found)
    )


_LOOKS: tuple[Callable[[Facts], Iterator[Advice]], ...] = (
    _normalisation,
    _own_kernels,
    _few_channels,
    _large_kernels,
    _transposed,
    _activations,
    _islands,
    _free_sizes,
    _half_weights,
)


def _inside(model: Model, operation: Operation) -> bool:
    """Whether a conversion stands between operations, and not at the file's own ends."""
    ends = {tensor.index for tensor in (*model.inputs, *model.outputs)}
    return not any(tensor.index in ends for tensor in (*operation.computed, *operation.outputs))


def _channels(operation: Operation) -> int:
    shape = operation.outputs[0].shape
    return (shape[-1] or 0) if shape else 0


def _kernel(operation: Operation) -> tuple[int, int] | None:
    kernel = operation.input(1)
    if kernel is None or len(kernel.shape) != 4 or kernel.shape[1] is None or kernel.shape[2] is None:
        return None
    return kernel.shape[1], kernel.shape[2]
