"""Why an operation is refused, and the way out. Explains only: what is not listed here is refused all the same.

The effects are those that TensorFlow 2.21's documentation of each operation states.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Explanation:
    """One kind of operation.

    Attributes:
        pattern: full names, as a regular expression; the first that fits is taken.
        effect: what such an operation does; completes the sentence "ReadFile ...".
        remedy: how a model does without.
    """

    pattern: str
    effect: str
    remedy: str


_LEAVE_OUT = "Export the network alone, from its input image to its output image."
_FREEZE = "Freeze the graph: ckpt2pb where the checkpoint has a .meta, else convert-model."

EXPLANATIONS: tuple[Explanation, ...] = (
    Explanation(
        r"ReadFile|MatchingFiles(Dataset)?|\w*Reader(V2)?|Reader(Read|Num|Reset|Restore|Serialize)\w*|ImmutableConst"
        r"|LoadAndRemapMatrix|GenerateVocabRemapping|Restore(V2|Slice)?|InitializeTableFromTextFile(V2)?|LoadDataset"
        r"|\w*(FixedLengthRecord|TextLine|TFRecord|LMDB|CSV|Sql|Snapshot)Dataset\w*|FileSystemSetConfiguration",
        "reads files of the machine",
        _LEAVE_OUT,
    ),
    Explanation(
        r"Debug\w+|Copy|CopyHost",
        "copies tensors to files and network addresses, for a debugger",
        "Export the graph from a process that runs no debugger.",
    ),
    Explanation(
        r"WriteFile|Save(V2|Slices|Dataset|DatasetV2)?|MergeV2Checkpoints|DistributedSave|DumpTensor|Write\w+Summary"
        r"|DatasetToTFRecord|\w*Summary(V2|Writer|FileWriter|DbWriter)?|ImportEvent|ShardedFile\w+"
        r"|CalibrationStatisticsSaver",
        "writes files on the machine, or prepares what is written",
        _LEAVE_OUT,
    ),
    Explanation(r"Print(V2)?|StringFormat|Timestamp", "prints, or reads the clock", _LEAVE_OUT),
    Explanation(
        r"PyFunc(Stateless)?|EagerPyFunc",
        "runs Python code that a graph file doesn't even hold",
        "Write the step with tensor operations.",
    ),
    Explanation(r"Abort|Sleep\w+", "ends or delays the process that runs it", _LEAVE_OUT),
    Explanation(
        r"_?Xla\w+|\w*TPU\w*|\w*Tpu\w*|(In|Out)feed\w+|TRTEngineOp|CrossReplicaSum|AllToAll|Prelinearize\w*",
        "is meant for a compiler or an accelerator, not for a graph file",
        "Export without jit_compile, TPU or TensorRT conversion.",
    ),
    Explanation(
        r"_?(Host)?(Send|Recv)|Rpc\w+|\w*Nccl\w+|Collective\w+|DTensor\w+|RemoteCall|\w*DataService\w*"
        r"|WorkerHeartbeat",
        "talks to other devices or machines",
        "Export the model for one device.",
    ),
    Explanation(
        r"(Decode|Encode|ExtractJpeg|Parse|Serialize|Deserialize)\w+",
        "decodes or encodes files",
        "Let the model take and return pixels: the judge reads and writes the images.",
    ),
    Explanation(
        r"TensorArray\w*|TensorList\w*|EmptyTensor(List|Map)|TensorMap\w*",
        "holds a list of tensors that grows as it runs; tf.map_fn and some loops leave such lists",
        "Compute all steps at once with ordinary tensor operations, or write the steps out.",
    ),
    Explanation(
        r"\w*(Queue|Barrier|Stage|Stack|Unstage|Mutex|Accumulator)\w*|(Ordered)?Map(Clear|Peek|Size|IncompleteSize)",
        "keeps data between runs, or waits for other threads",
        _LEAVE_OUT,
    ),
    Explanation(r"\w*Table\w*", "holds a lookup table, which must be filled before a run", _LEAVE_OUT),
    Explanation(
        r"\w*(Dataset|Iterator)\w*|Optional\w+|\w*MemoryCache|\w*SeedGenerator",
        "is part of an input pipeline",
        "Let a placeholder take the image.",
    ),
    Explanation(
        r"Variable(V2|Shape)?|(Is)?VariableInitialized|_?VarHandles?Op|VarIsInitializedOp|_?ReadVariables?Op"
        r"|(Destroy)?TemporaryVariable|Assign\w*|Resource\w+|DestroyResourceOp|Scatter(Add|Div|Max|Min|Mul|Sub|Update)"
        r"|ScatterNd(Add|Max|Min|Sub|Update)|(Sparse)?Apply\w+|Ref\w+|DisableCopyOnRead|CountUpTo",
        "holds or changes a variable",
        _FREEZE,
    ),
    Explanation(
        r"Rng\w+|Stateful(?!PartitionedCall)\w+", "draws from a random generator that it keeps", _LEAVE_OUT
    ),
    Explanation(
        r"SymbolicGradient|MapDefun|For|BatchFunction",
        "calls functions in a way that a judged graph doesn't need",
        "Use tf.cond, tf.while_loop or tf.function.",
    ),
    Explanation(
        r"String\w+|Static\w+|Regex\w+|Unicode\w+|AsString|Substr|ReduceJoin|\w*Hash\w*|Fingerprint",
        "works on text",
        _LEAVE_OUT,
    ),
    Explanation(
        r"_\w+", "is internal to TensorFlow's runtime", "Save the graph before a session optimises it."
    ),
)

OTHER = Explanation(
    r".*",
    "is not among the operations that image models are known to need",
    "Build the step from ordinary tensor operations.",
)


def explain(operation: str) -> Explanation:
    """What is known of a refused operation; `OTHER` where nothing is."""
    known = (kind for kind in EXPLANATIONS if re.fullmatch(kind.pattern, operation))
    return next(known, OTHER)
