"""The rules of a TensorFlow graph's scan: what each kind of graph may hold, and the words of a refusal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pixelproof.measure.scan.explanations import explain
from pixelproof.measure.scan.findings import NAME_SHOWN, Finding, shown
from pixelproof.measure.scan.operations import CONTROL_FLOW, TENSOR_OPERATIONS
from pixelproof.measure.scan.tensor_sizes import NUMBERS

MAX_NODES = 100_000
MAX_ATTRIBUTES = 1_000_000
MAX_CALL_DEPTH = 64
MAX_CLAIMED_BYTES = 64 * 2**20

NODES = "A graph must have nodes"
SIZE = f"A judged graph has at most {MAX_NODES:,} nodes, each function counted as often as it is called"
KNOWN = "TensorFlow must know every operation of the graph"
OPERATIONS = "A judged graph holds operations on tensors, and nothing that acts beyond them"
CALLS = "A judged graph calls functions of its own library, none of which calls itself"
LOOPS = "A judged graph has no cycles but its loops"
TYPES = "A judged graph works on numbers"
CONSTANTS = f"A file stores its constants in full, but for {MAX_CLAIMED_BYTES // 2**20} MiB"
DEVICES = "A judged graph runs on the machine that judges it"
NAMES = "A name stands for one node or function"

ORDER = (NODES, SIZE, KNOWN, OPERATIONS, CALLS, LOOPS, TYPES, CONSTANTS, DEVICES, NAMES)

SIMPLER = "Export the network alone, frozen."
NETWORK_ALONE = "Export the network alone, from its input image to its output image."
ORDINARY_CALLS = "Use tf.cond, tf.while_loop or tf.function, and export for inference."
NO_DEVICES = "Clear the devices when exporting (clear_devices=True)."


@dataclass(frozen=True)
class Allowance:
    """What a body may hold.

    Attributes:
        operations: by name; a call of a library function by its name is allowed besides.
        types: DataTypes; text only where `Assert` reads it, unless it stands here.
    """

    operations: frozenset[str]
    types: frozenset[int]


@dataclass(frozen=True)
class Tier:
    """What a kind of graph may hold.

    Attributes:
        format: as `Scan.format`.
        usual: for the graph and for every function that has no allowance of its own.
        functions: allowances of single functions.
        text_nodes: nodes of the graph itself that may take and give text.
    """

    format: str
    usual: Allowance
    functions: Mapping[str, Allowance] = field(default_factory=dict)
    text_nodes: frozenset[str] = frozenset()

    def of(self, function: str | None) -> Allowance:
        """The allowance of a function, of the graph itself where None."""
        return self.usual if function is None else self.functions.get(function, self.usual)


FROZEN = Tier(format="pb", usual=Allowance(TENSOR_OPERATIONS | CONTROL_FLOW, NUMBERS))

_PART = r"(cpu|gpu)(:(\d{1,3}|\*))?"
_LOCAL_DEVICE = re.compile(rf"(/job:localhost)?(/replica:0)?(/task:0)?(/(device:)?{_PART})?", re.IGNORECASE)


def is_local(device: str) -> bool:
    """Whether a device string names nothing, or a CPU or GPU of this process."""
    return _LOCAL_DEVICE.fullmatch(device) is not None


def refused_operation(operation: str, *, registered: bool) -> Finding:
    """Why an operation that isn't allowed is refused; the place is left open."""
    if not registered:
        remedy = "Build the step from TensorFlow's own operations; custom ones can't be judged."
        return Finding(KNOWN, f"the unknown operation {shown(operation)}", remedy=remedy)
    explanation = explain(operation[:NAME_SHOWN])
    what = f"{shown(operation)}, which {explanation.effect}"
    return Finding(OPERATIONS, what, remedy=explanation.remedy)
