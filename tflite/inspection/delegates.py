"""What three delegates would take of a file: our own static rules, never tried on a device here."""

from __future__ import annotations

from dataclasses import dataclass

from pixelproof.tflite.inspection import gpu_rules, nnapi_rules, xnnpack_rules
from pixelproof.tflite.inspection.model import Model, Operation
from pixelproof.tflite.inspection.rules import SIZE_MAKER, FileRule, Finding, Rule, size_makers

LABEL = "static rules, not run on a device"


@dataclass(frozen=True)
class Delegate:
    """A delegate's rules.

    Attributes:
        id: as in JSON.
        title: for people.
        rules: the first is that it must know the operation; where that is broken, no other is asked.
        int8_rules: further ones, for files whose convolutions compute with integers.
    """

    id: str
    title: str
    rules: tuple[Rule, ...]
    file_rules: tuple[FileRule, ...]
    int8_rules: tuple[Rule, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What the rules of one delegate say.

    Attributes:
        compatible: whether it would take the whole file.
        refused: whether a rule for the whole file is broken, so that it takes nothing.
        taken: how many operations it would take; 0 where a rule for the whole file is broken.
        operations: how many there are to take; constants that are unpacked when the file is loaded don't count.
        findings: what blocks first, then what is worth knowing; in each, by operation.
    """

    id: str
    title: str
    compatible: bool
    refused: bool
    taken: int
    operations: int
    findings: tuple[Finding, ...]
    label: str = LABEL

    @property
    def left(self) -> tuple[int, ...]:
        """Operations that it would leave to the CPU by rules of their own, by index."""
        found = {each.operation for each in self.findings if each.blocks and each.operation is not None}
        return tuple(sorted(found))


DELEGATES = (
    Delegate("gpu", "GPU delegate", gpu_rules.RULES, gpu_rules.FILE_RULES),
    Delegate(
        "nnapi",
        "NNAPI / NPU",
        nnapi_rules.RULES,
        nnapi_rules.FILE_RULES,
        int8_rules=(nnapi_rules.ISLAND,),
    ),
    Delegate("xnnpack", "XNNPACK", xnnpack_rules.RULES, xnnpack_rules.FILE_RULES),
)


def judge(model: Model, delegate: Delegate) -> Verdict:
    """Ask all rules of a delegate."""
    found = [_of_file(rule, text) for rule in delegate.file_rules if (text := rule.broken(model)) is not None]
    refused = any(each.blocks for each in found)
    rules = (*delegate.rules, *(delegate.int8_rules if model.is_quantized else ()))
    makers = size_makers(model)
    running = [operation for operation in model.operations if not _unpacks(operation)]
    for operation in running:
        found.extend(_of_operation(operation, rules, makes_sizes=operation.index in makers))
    blocked = {each.operation for each in found if each.blocks}
    return Verdict(
        id=delegate.id,
        title=delegate.title,
        compatible=not blocked,
        refused=refused,
        taken=0 if refused else len(running) - len(blocked - {None}),
        operations=len(running),
        findings=tuple(sorted(found, key=lambda each: not each.blocks)),
    )


def judge_all(model: Model) -> tuple[Verdict, ...]:
    """The verdicts of all delegates."""
    return tuple(judge(model, delegate) for delegate in DELEGATES)


def _of_operation(operation: Operation, rules: tuple[Rule, ...], *, makes_sizes: bool) -> list[Finding]:
    first, *others = rules
    if makes_sizes:
        return [_finding(SIZE_MAKER, operation, SIZE_MAKER.broken(operation) or operation.type)]
    if (text := first.broken(operation)) is not None:
        return [_finding(first, operation, text)]
    return [
        _finding(rule, operation, text) for rule in others if (text := rule.broken(operation)) is not None
    ]


def _finding(rule: Rule, operation: Operation, text: str) -> Finding:
    return Finding(
        rule=rule.id,
        operation=operation.index,
        type=operation.type,
        says=rule.says,
        found=text,
        remedy=rule.remedies.get(operation.type, rule.remedy),
        source=rule.source,
        blocks=rule.blocks,
    )


def _of_file(rule: FileRule, text: str) -> Finding:
    return Finding(rule.id, None, "", rule.says, text, rule.remedy, rule.source, rule.blocks)


def _unpacks(operation: Operation) -> bool:
    """Whether it is done once, when the file is loaded."""
    return bool(operation.outputs) and all(tensor.folded for tensor in operation.outputs)
