"""Where a file normalises by statistics of the picture: TFLite has no operation for it, so it is a chain of many."""

from __future__ import annotations

from pixelproof.tflite.inspection.model import Model, Operation, Tensor

_REST = ("SUB", "MUL", "ADD")


def chains(model: Model) -> tuple[tuple[Operation, ...], ...]:
    """The operations of each instance normalisation, in the file's order.

    What is looked for is what Keras and TensorFlow's ``moments`` become: a MEAN of the picture, its
    SQUARED_DIFFERENCE from the picture, the MEAN of that, an epsilon, RSQRT; and then the SUB, MUL and ADD that
    apply them. SQRT and DIV in place of RSQRT, or a product in place of SQUARED_DIFFERENCE, are not recognised.
    """
    found = (
        _chain(model, operation) for operation in model.operations if operation.type == "SQUARED_DIFFERENCE"
    )
    return tuple(chain for chain in found if chain)


def _chain(model: Model, squared: Operation) -> tuple[Operation, ...]:
    mean, picture = _mean_and_picture(model, squared)
    if mean is None or picture is None:
        return ()
    variance = _only(model, squared, "MEAN")
    if variance is None:
        return ()
    after = _only(model, variance, "ADD")
    root = _only(model, after or variance, "RSQRT")
    if root is None:
        return ()
    members = {each.index: each for each in (mean, squared, variance, after, root) if each is not None}
    known = {each.outputs[0].index for each in members.values()}
    for operation in model.operations:
        reads = {tensor.index for tensor in operation.computed}
        if operation.type in _REST and reads & known and reads <= known | {picture.index}:
            members[operation.index] = operation
            known.add(operation.outputs[0].index)
    return tuple(members[index] for index in sorted(members))


def _mean_and_picture(model: Model, squared: Operation) -> tuple[Operation | None, Tensor | None]:
    """Of the two inputs, the one that is a MEAN of the other."""
    ends = squared.computed
    for mean, picture in (ends, ends[::-1]) if len(ends) == 2 else ():
        maker = model.producers.get(mean.index)
        source = maker.input(0) if maker is not None and maker.type == "MEAN" else None
        if source is not None and source.index == picture.index:
            return maker, picture
    return None, None


def _only(model: Model, operation: Operation, kind: str) -> Operation | None:
    """The operation of a type that reads this one's output."""
    readers = model.consumers.get(operation.outputs[0].index, ())
    return next((reader for reader in readers if reader.type == kind), None)
