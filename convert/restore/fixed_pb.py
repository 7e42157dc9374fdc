"""A frozen graph with its input bound to one size: the same nodes, names and weights."""

from __future__ import annotations

from pathlib import Path

from pixelproof.convert.restore.engine import Engine, Facts
from pixelproof.convert.restore.reading import Size
from pixelproof.errors import CallError
from pixelproof.files import replacing_file
from pixelproof.measure.interrupts import interrupts_deferred
from pixelproof.measure.parity import ParityRow, probe_image, require, row_for
from pixelproof.measure.worker import Worker


def save_fixed_pb(engine: Engine, facts: Facts, out: Path, *, size: Size) -> ParityRow:
    """Bind, prove against the graph that the engine holds, and only then write.

    The engine has scanned and loaded the file; here its nodes are only listed, not run.

    Args:
        out: the file to write.
        size: height, width of the input.

    Returns:
        The proof.

    Raises:
        CallError: the graph is fixed to another size.
        ModelFailed: it doesn't take this one.
        ParityBroken: the bound graph computes something else; nothing is written.
    """
    if any(f is not None and f != n for f, n in zip(facts.fixed, size, strict=True)):
        found = "x".join("any" if f is None else str(f) for f in facts.fixed)
        rule = f"The graph's input must take {size[0]}x{size[1]}"
        raise CallError(rule, found=f"{found}, to which it is fixed")
    shape = (1, *size, facts.channels)
    probe = probe_image(*size, facts.channels)
    expected = engine.run(probe[0])[None]
    with replacing_file(out) as temporary:
        temporary.write_bytes(_bound(engine.artifact, facts.input_name, shape))
        with Worker(threads=engine.threads) as fresh:
            loaded = fresh.load(temporary, "pb", input_name=facts.input_name, output_name=facts.output_name)
            row = row_for(
                artifact=out.name,
                kind="pb",
                source=expected,
                output=fresh.run(probe),
                shape=size,
                global_statistics=loaded.global_statistics,
                float64=lambda: engine.worker.run_float64(probe),
            )
        require([row])
    return row


def _bound(artifact: Path, input_name: str, shape: tuple[int, ...]) -> bytes:
    from pixelproof.quiet import import_tensorflow

    with interrupts_deferred():
        import_tensorflow()
        import tensorflow as tf

        from pixelproof.measure.graph_def import read_graph

        graph = read_graph(str(artifact))
        node = next(node for node in graph.node if node.name == input_name.split(":")[0])
        node.attr["shape"].shape.CopyFrom(tf.TensorShape(shape).as_proto())
        data: bytes = graph.SerializeToString(deterministic=True)
    return data
