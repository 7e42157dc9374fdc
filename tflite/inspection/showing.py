"""An inspection as people read it: figures, a table of operations, delegates, advice."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from pixelproof.console import Console
from pixelproof.tflite.inspection.delegates import LABEL, Verdict
from pixelproof.tflite.inspection.facts import listed, percent
from pixelproof.tflite.inspection.inspection import Inspection
from pixelproof.tflite.inspection.macs import macs_in_all, macs_of
from pixelproof.tflite.inspection.model import Operation
from pixelproof.tflite.inspection.rules import SIZES, Finding, data_inputs, shape_text
from pixelproof.tflite.inspection.timing import METHOD, Times

MIB = 1024 * 1024
PLAUSIBLE_COVERAGE = (0.75, 1.33)
SHOWN_TYPES = 6


def show(console: Console, inspection: Inspection, *, top: int | None) -> None:
    """Print all of it.

    Args:
        top: how many operations; None for all, in the file's order.
    """
    _show_file(console, inspection)
    _show_operations(console, inspection, top=top)
    _show_types(console, inspection)
    for verdict in inspection.verdicts:
        _show_verdict(console, verdict, inspection.times)
    _show_advice(console, inspection)


def short(count: int | None) -> str:
    """A large number in few characters: 1.23 G, 4.5 M, 678; ? for one that is not known."""
    if count is None:
        return "?"
    for limit, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= limit:
            return f"{count / limit:.3g} {unit}" if count < 999.5 * limit else f"{count / limit:.0f} {unit}"
    return str(count)


def _show_file(console: Console, inspection: Inspection) -> None:
    model, times = inspection.model, inspection.times
    console.line(f"{inspection.path}: tflite, {model.size_bytes / MIB:.2f} MiB")
    console.line(
        f"{len(model.operations)} operations, {model.parameters:,} parameters "
        f"({model.constant_bytes / MIB:.2f} MiB of constants), {short(macs_in_all(model))} multiply-accumulates"
    )
    for name, ends in (("input", model.inputs), ("output", model.outputs)):
        for tensor in ends:
            console.line(f"  {name} {tensor.name}: {shape_text(tensor.shape)} {tensor.dtype}")
    if model.subgraphs > 1:
        console.line(
            f"{model.subgraphs - 1} more subgraphs, run by control flow, are not counted.", style="yellow"
        )
    if times is None:
        console.line(inspection.not_timed, style="yellow")
        return
    console.line(
        f"{times.latency_ms:.2f} ms on {times.threads} {'thread' if times.threads == 1 else 'threads'} of this "
        f"machine's CPU (median of {times.runs}); operations {METHOD}: {times.sum_ms:.2f} ms, "
        f"{times.coverage:.0%} of the whole"
    )
    low, high = PLAUSIBLE_COVERAGE
    if not low <= times.coverage <= high and times.latency_ms >= 1:
        console.line("The two differ much: repeat it while the machine does nothing else.", style="yellow")
    lone = [each for each in model.operations if times.operations[each.index].trouble]
    for operation in lone[:3]:
        trouble = times.operations[operation.index].trouble
        console.line(f"{operation.label} can't be run alone and has no time: {trouble}", style="yellow")


def _show_operations(console: Console, inspection: Inspection, *, top: int | None) -> None:
    operations = list(inspection.model.operations)
    times = inspection.times
    if top is not None:
        operations = _costliest(operations, times)[:top]
    title = _title(inspection, len(operations), top=top)
    columns = ["#", "type", "input", "output", "dtype", "MACs", "parameters"]
    if times is not None:
        columns += ["ms", "share", "run by"]
    console.table(title, columns, [_row(operation, times) for operation in operations])


def _title(inspection: Inspection, shown: int, *, top: int | None) -> str:
    count = len(inspection.model.operations)
    if top is None or shown == count:
        return f"All {count} operations"
    if inspection.times is not None:
        return f"The {shown} costliest of {count} operations"
    if macs_in_all(inspection.model) is None:
        return f"The first {shown} of {count} operations"
    return f"The {shown} of {count} operations with most multiply-accumulates"


def _costliest(operations: Sequence[Operation], times: Times | None) -> list[Operation]:
    counts = [macs_of(each) for each in operations]
    if times is None and None in counts:
        return list(operations)
    if times is None:
        return sorted(operations, key=lambda each: -(macs_of(each) or 0))
    return sorted(operations, key=lambda each: -(times.operations[each.index].ms or 0.0))


def _row(operation: Operation, times: Times | None) -> list[str]:
    inputs = data_inputs(operation) or operation.given
    ends = list(dict.fromkeys(tensor.dtype for tensor in (*inputs, *operation.outputs)))
    row = [
        str(operation.index),
        operation.type,
        " ".join(_grouped([shape_text(tensor.shape) for tensor in inputs])),
        " ".join(_grouped([shape_text(tensor.shape) for tensor in operation.outputs])),
        " ".join(ends),
        short(macs_of(operation)) if macs_of(operation) != 0 else "",
        short(operation.parameters) if operation.parameters else "",
    ]
    if times is None:
        return row
    time, share = times.operations[operation.index], times.share(operation.index)
    run_by = {None: "", True: "XNNPACK", False: "TFLite"}[time.xnnpack]
    return [
        *row,
        "?" if time.ms is None else f"{time.ms:.3f}",
        "" if share is None else f"{share:.1%}",
        run_by,
    ]


def _grouped(shapes: list[str]) -> list[str]:
    """Equal neighbours as ``3 of 1x8x8x4``."""
    runs = [(shape, len(list(same))) for shape, same in itertools.groupby(shapes)]
    return [shape if count == 1 else f"{count} of {shape}" for shape, count in runs]


def _show_types(console: Console, inspection: Inspection) -> None:
    """Shares of whole types of operations."""
    times = inspection.times
    if times is None:
        return
    kinds: dict[str, list[int]] = {}
    for operation in inspection.model.operations:
        kinds.setdefault(operation.type, []).append(operation.index)
    shares = [(times.share(*indices) or 0.0, kind, len(indices)) for kind, indices in kinds.items()]
    named = [
        f"{kind} x{count} {share:.0%}"
        for share, kind, count in sorted(shares, reverse=True)
        if share >= 0.005
    ]
    console.line(f"By type: {', '.join(named[:SHOWN_TYPES])}")


def _show_verdict(console: Console, verdict: Verdict, times: Times | None) -> None:
    console.line()
    says = (
        "takes all of it"
        if verdict.compatible
        else f"takes {verdict.taken} of {verdict.operations} operations"
    )
    left = None
    if times is not None and verdict.left and not verdict.refused:
        left = times.share(*verdict.left)
    cost = "" if left is None else f"; what it leaves takes {percent(left)} of the CPU's time"
    style = "green" if verdict.compatible else "yellow"
    console.line(f"{verdict.title} ({LABEL}): {says}{cost}", style=style)
    said = [each for each in verdict.findings if not (verdict.refused and each.rule in SIZES)]
    for blocks, found in itertools.groupby(said, key=lambda each: each.blocks):
        for line in _sentences(list(found)):
            console.line(f"  {'-' if blocks else 'note:'} {line}")
    if verdict.id == "xnnpack" and times is not None:
        parts = "1 part" if times.partitions == 1 else f"{times.partitions} parts"
        run = [time.xnnpack for time in times.operations if time.xnnpack is not None]
        console.line(f"  Here, timed one by one, it ran {sum(run)} of {len(run)}; the whole in {parts}.")


def _sentences(findings: list[Finding]) -> list[str]:
    """One sentence for findings of one kind, which names the operations."""
    kinds: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        kinds.setdefault((finding.says, finding.remedy), []).append(finding)
    lines = []
    for (says, remedy), found in kinds.items():
        places = [f"#{each.operation} {each.type}" for each in found if each.operation is not None]
        where = f" ({listed(places)})" if places else ""
        what = listed(dict.fromkeys(each.found for each in found))
        lines.append(f"{says}; found {what}{where}. {remedy}")
    return lines


def _show_advice(console: Console, inspection: Inspection) -> None:
    console.line()
    if not inspection.advice:
        console.line("Nothing in it that pixelproof knows to be slow.")
        return
    console.line("Why it is slow, and what to do:", style="bold")
    for number, advice in enumerate(inspection.advice, 1):
        console.line(f"  {number}. {advice.why} {advice.remedy}")
