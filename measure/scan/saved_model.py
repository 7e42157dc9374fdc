"""Scan of a SavedModel: its folder, its proto and its graph before it is loaded, its frozen signature after.

`tf.saved_model.load` runs what a SavedModel asks for: initialisers of tables and other resources, functions that
restore objects in their own way, the init operation, and of a SavedModel of TensorFlow 1 whatever its saver names.
None of these is let through; weights are restored by TensorFlow's own code, from the folder's ``variables`` alone.
Read from the loader of TensorFlow 2.21 (`saved_model/load.py`, `load_v1_in_v2.py`, `loader_impl.py`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from pixelproof.errors import ArtifactError
from pixelproof.measure.scan.bodies import producer
from pixelproof.measure.scan.findings import Finding, gathered, shown
from pixelproof.measure.scan.graphdef import scan_graph
from pixelproof.measure.scan.rules import FROZEN, MAX_NODES, NETWORK_ALONE, SIMPLER
from pixelproof.measure.scan.saved_folder import folder_findings
from pixelproof.measure.scan.savers import Savers, saver_findings
from pixelproof.measure.scan.tensor_sizes import size_of
from pixelproof.safety import Refusal, Scan

PROTO = "saved_model.pb"
SERVING = "serving_default"

COMPLETE = "A SavedModel must be complete"
META_GRAPH = "A SavedModel has one meta-graph, with objects as tf.saved_model.save writes them"
SIGNATURE = f"A SavedModel must have the signature {SERVING}"
AT_LOADING = "A SavedModel restores its weights when it is loaded, and does nothing else"

_INTERNAL = (
    "__saved_model_"  # signatures of the saver's own: constants.INIT_OP_SIGNATURE_KEY, TRAIN_OP_SIGNATURE_KEY
)
_INIT = f"{_INTERNAL}init_op"
_MAIN_OP = "saved_model_main_op"
_KINDS = frozenset(
    {"user_object", "function", "variable", "bare_concrete_function", "constant", "captured_tensor"}
)
_CLASSES = frozenset({"", "tf.TrackableConstant"})
_SAVE_AGAIN = (
    "Load the model in TensorFlow 2 and save it again with tf.saved_model.save, or export a frozen .pb."
)
_FREEZE = "Export a frozen .pb with convert-model."


def scan_saved_model(folder: Path, *, label: str) -> Scan:
    """All that a SavedModel holds, and what of it may not be judged; nothing of it is loaded.

    Args:
        label: the folder, as refusals name it.

    Raises:
        ArtifactError: ``saved_model.pb`` is no SavedModel.
        OSError: a file can't be read.
    """
    outside = gathered(folder_findings(folder), label=label)
    if outside:
        return _unread(outside)
    saved = _parsed(folder / PROTO, label)
    if len(saved.meta_graphs) != 1:
        findings = [Finding(META_GRAPH, f"{len(saved.meta_graphs)} meta-graphs", remedy=_SAVE_AGAIN)]
        return _unread(gathered(findings, label=label))
    meta = saved.meta_graphs[0]
    if len(meta.object_graph_def.nodes) > MAX_NODES:
        what = f"{len(meta.object_graph_def.nodes):,} objects"
        return _unread(gathered([Finding(META_GRAPH, what, remedy=SIMPLER)], label=label))
    savers = Savers.of(meta)
    scan = scan_graph(meta.graph_def, label=label, tier=savers.tier())
    if scan.nodes + scan.functions > MAX_NODES:
        return scan
    inside = [*_meta_findings(meta), *_object_findings(meta.object_graph_def), *saver_findings(meta, savers)]
    return dataclasses.replace(
        scan,
        constant_bytes=scan.constant_bytes + _variable_bytes(meta.object_graph_def),
        refusals=(*gathered(inside, label=label), *scan.refusals),
    )


def scan_signature(concrete_function: Any, *, label: str) -> Scan:
    """A loaded signature, frozen and scanned again: what is really run, with its variables as constants.

    Holds a second copy of the weights while it works. Only after `scan_saved_model`, and in the sandbox.

    Returns:
        With a refusal where TensorFlow can't freeze it, as where it changes its variables.
    """
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
    from tensorflow.python.framework.errors_impl import OpError

    try:
        graph = convert_variables_to_constants_v2(concrete_function).graph.as_graph_def()
    except (ValueError, TypeError, KeyError, NotImplementedError, OpError) as error:
        said = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
        refusal = Refusal("A signature must be one that can be frozen", f"{label}: {said}", _FREEZE)
        return _unread((refusal,))
    return dataclasses.replace(scan_graph(graph, label=label, tier=FROZEN), format="savedmodel")


def _unread(refusals: tuple[Refusal, ...]) -> Scan:
    return Scan("savedmodel", nodes=0, functions=0, operations={}, constant_bytes=0, refusals=refusals)


def _parsed(path: Path, label: str) -> Any:
    saved = SavedModel()
    try:
        saved.ParseFromString(path.read_bytes())
    except DecodeError as error:
        found = f"{label}: {PROTO} can't be parsed: {error}"
        raise ArtifactError(COMPLETE, found=found, remedy="Export it again, or copy it again.") from error
    if not saved.meta_graphs:
        raise ArtifactError(COMPLETE, found=f"{label}: {PROTO} without a graph", remedy="Export it again.")
    return saved


def _meta_findings(meta: Any) -> Iterator[Finding]:
    """The signatures, and what is to run when it is loaded."""
    if not meta.HasField("object_graph_def"):
        yield Finding(META_GRAPH, "no objects, as TensorFlow 1 wrote it", remedy=_SAVE_AGAIN)
    names = sorted(name for name in meta.signature_def if not name.startswith(_INTERNAL))
    if SERVING not in names:
        what = f"the signatures {', '.join(map(shown, names[:5]))}" if names else "no signature"
        yield Finding(SIGNATURE, what, remedy="Save it with signatures={'serving_default': ...}.")
    for asset in meta.asset_file_def:
        yield Finding(AT_LOADING, "an asset", shown(asset.filename), NETWORK_ALONE)
    for key in sorted(name for name in meta.signature_def if name.startswith(_INTERNAL)):
        if key != _INIT:
            yield Finding(AT_LOADING, f"the operation {shown(key)}", remedy=NETWORK_ALONE)
    for key, collection in sorted(meta.collection_def.items()):
        if key != _MAIN_OP and collection.WhichOneof("kind") is not None:
            yield Finding(AT_LOADING, f"the collection {shown(key)}", remedy=_SAVE_AGAIN)
    idle = {node.name for node in meta.graph_def.node if node.op == "NoOp" and not node.input}
    for name in sorted(_initialisers(meta) - idle):
        yield Finding(AT_LOADING, "an initialiser", f"node {shown(name)}", NETWORK_ALONE)


def _initialisers(meta: Any) -> set[str]:
    """Nodes that a loader runs before anything else."""
    outputs = meta.signature_def[_INIT].outputs.values() if _INIT in meta.signature_def else ()
    listed = meta.collection_def[_MAIN_OP].node_list.value if _MAIN_OP in meta.collection_def else ()
    return {producer(output.name) for output in outputs} | {producer(name) for name in listed}


def _object_findings(objects: Any) -> Iterator[Finding]:
    """Objects that do something of their own when they are made or restored."""
    for place, item in enumerate(objects.nodes):
        kind = item.WhichOneof("kind")
        where = f"object {place}"
        if kind == "asset":
            yield Finding(AT_LOADING, "an asset", where, NETWORK_ALONE)
        elif kind == "resource":
            what = "an object with an initialiser of its own, such as a lookup table"
            yield Finding(AT_LOADING, what, where, NETWORK_ALONE)
        elif kind not in _KINDS:
            yield Finding(AT_LOADING, f"an object of the unknown kind {kind}", where, _SAVE_AGAIN)
        if item.registered_name not in _CLASSES:
            yield Finding(
                AT_LOADING, f"an object of the class {shown(item.registered_name)}", where, NETWORK_ALONE
            )
        if item.saveable_objects or item.registered_saver:
            yield Finding(AT_LOADING, "an object with a saver of its own", where, NETWORK_ALONE)


def _variable_bytes(objects: Any) -> int:
    variables = (item.variable for item in objects.nodes if item.WhichOneof("kind") == "variable")
    return sum(size_of(variable.dtype, variable.shape) or 0 for variable in variables)
