"""GraphDefs that strangers may hand in to break out, to break the judge, or to mislead it; each as bytes.

Every builder is a pure function of what the file tries to reach. Nothing here is malware: each file tries one thing,
on paths and a port that a test gives it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

MAGIC = b"pxpf"  # with which the worker's frames begin
CONTROL = "\x1b[2J\x1b[1;32mPASSED\x1b[0m\r\n\u202e\x07"
"""Clears a terminal, says that all is well, turns what follows around, rings."""
IMAGE = (1, None, None, 3)


class Reach(NamedTuple):
    """What a hostile file tries to get at.

    Attributes:
        secret: a file to read.
        outside: a folder to list and to write into.
        port: of a listener on this machine.
    """

    secret: Path
    outside: Path
    port: int


Build = Callable[[Reach], bytes]


# Small parts


def graph(
    body: Callable[[Any, Any], Any],
    *,
    shape: Sequence[int | None] | None = IMAGE,
    dtype: str = "float32",
    names: tuple[str, str] = ("input", "output"),
) -> bytes:
    """A frozen graph of one placeholder; ``body`` takes TensorFlow and the placeholder."""
    import tensorflow as tf

    with tf.Graph().as_default() as made:
        x = tf.compat.v1.placeholder(dtype, shape, name=names[0])
        tf.identity(body(tf, x), name=names[1])
    data: bytes = made.as_graph_def().SerializeToString()
    return data


def beside(effect: Callable[[Any, Any], Any]) -> bytes:
    """The picture as it came, and something else done on the way."""

    def body(tf: Any, x: Any) -> Any:
        with tf.control_dependencies([effect(tf, x)]):
            return tf.identity(x)

    return graph(body)


def parsed(data: bytes) -> Any:
    """A GraphDef to change."""
    import tensorflow as tf

    return tf.compat.v1.GraphDef.FromString(data)


def good() -> bytes:
    """What an honest team hands in: a small blur that keeps most of the picture."""
    taps = np.full((3, 3, 3, 1), 0.02, np.float32)
    taps[1, 1] = 0.8
    return graph(lambda tf, x: tf.nn.depthwise_conv2d(x, taps, [1, 1, 1, 1], "SAME"))


def add(made: Any, operation: str, name: str, *inputs: str, **attributes: Any) -> Any:
    """One more node, by hand; attributes are types, shapes (tuples), arrays, texts, booleans or function names."""
    import tensorflow as tf

    node = made.node.add(name=name, op=operation, input=inputs)
    for key, value in attributes.items():
        attribute = node.attr[key]
        if isinstance(value, tf.DType):
            attribute.type = value.as_datatype_enum
        elif isinstance(value, tuple):
            attribute.shape.CopyFrom(tf.TensorShape(value).as_proto())
        elif isinstance(value, np.ndarray):
            attribute.tensor.CopyFrom(tf.make_tensor_proto(value))
        elif isinstance(value, bool):
            attribute.b = value
        elif isinstance(value, bytes):
            attribute.s = value
        elif isinstance(value, list):
            attribute.list.type.extend(kind.as_datatype_enum for kind in value)
        else:
            attribute.func.name = value
    return node


def by_hand(fill: Callable[[Any, Any], None]) -> bytes:
    """A graph of a placeholder ``input``, of the nodes that ``fill`` adds, and of ``output``, which reads ``y``."""
    import tensorflow as tf

    made = tf.compat.v1.GraphDef()
    add(made, "Placeholder", "input", dtype=tf.float32, shape=IMAGE)
    fill(tf, made)
    add(made, "Identity", "output", "y", T=tf.float32)
    data: bytes = made.SerializeToString()
    return data


def function(made: Any, name: str, *calls: str) -> Any:
    """A library function of one float32 in and one out, which calls others one after another."""
    import tensorflow as tf

    added = made.library.function.add()
    added.signature.name = name
    added.signature.input_arg.add(name="x", type=tf.float32.as_datatype_enum)
    added.signature.output_arg.add(name="y", type=tf.float32.as_datatype_enum)
    last = "x"
    for number, called in enumerate(calls):
        node = added.node_def.add(name=f"call_{number}", op="PartitionedCall", input=[last])
        node.attr["Tin"].list.type.append(tf.float32.as_datatype_enum)
        node.attr["Tout"].list.type.append(tf.float32.as_datatype_enum)
        node.attr["f"].func.name = called
        last = f"call_{number}:output:0"
    added.ret["y"] = last
    return added


def call(made: Any, called: str) -> None:
    """The node ``y``, which gives the input to a function."""
    import tensorflow as tf

    add(made, "PartitionedCall", "y", "input", Tin=[tf.float32], Tout=[tf.float32], f=called)


def varint(number: int) -> bytes:
    """A number as protobuf writes it."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, data: bytes, *, claimed: int | None = None) -> bytes:
    """A protobuf field of bytes.

    Args:
        claimed: the length that it states; its own by default.
    """
    return varint(number << 3 | 2) + varint(len(data) if claimed is None else claimed) + data


NODE, NAME, OPERATION, INPUT, ATTRIBUTE = 1, 1, 2, 3, 5
"""Field numbers of graph.proto and node_def.proto."""


# No graphs


def random_bytes(reach: Reach) -> bytes:
    """4 KiB of noise."""
    return np.random.default_rng(28).bytes(4096)


def truncated(reach: Reach) -> bytes:
    """The first 60 % of a graph."""
    data = good()
    return data[: len(data) * 6 // 10]


def page(reach: Reach) -> bytes:
    """What a server says in place of a file."""
    text = "<!DOCTYPE html><html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>\n"
    return text.encode()


def nested(levels: int) -> Build:
    """A node with an attribute that names a function with an attribute, and so on."""

    def build(reach: Reach) -> bytes:
        value = b""
        for _ in range(levels):
            named = field(1, b"f") + field(2, field(1, b"a") + field(2, value))
            value = field(10, named)
        attribute = field(1, b"a") + field(2, value)
        node = field(NAME, b"n") + field(OPERATION, b"NoOp") + field(ATTRIBUTE, attribute)
        return good() + field(NODE, node)

    return build


def billion_claimed(reach: Reach) -> bytes:
    """A constant whose packed floats claim a length of 4,000,000,000 bytes, and hold eight."""
    tensor = varint(1 << 3) + varint(1) + field(5, bytes(8), claimed=4_000_000_000)
    attribute = field(1, b"value") + field(2, field(8, tensor))
    node = field(NAME, b"c") + field(OPERATION, b"Const") + field(ATTRIBUTE, attribute)
    return good() + field(NODE, node)


def endless_number(reach: Reach) -> bytes:
    """A varint of 64 bytes that says it goes on."""
    return good() + varint(4 << 3) + b"\xff" * 64


def unfrozen(reach: Reach) -> bytes:
    """A graph with a variable in it."""
    made = parsed(good())
    import tensorflow as tf

    add(made, "VariableV2", "weights", dtype=tf.float32, shape=(3,))
    data: bytes = made.SerializeToString()
    return data


# Sizes and shapes of the graph


def cycle(reach: Reach) -> bytes:
    """Two nodes that feed each other."""

    def fill(tf: Any, made: Any) -> None:
        add(made, "AddV2", "y", "input", "z", T=tf.float32)
        add(made, "Identity", "z", "y", T=tf.float32)

    return by_hand(fill)


def calling(*functions: tuple[str, ...]) -> Build:
    """Functions, each with those that it calls; the graph calls the first."""

    def build(reach: Reach) -> bytes:
        def fill(tf: Any, made: Any) -> None:
            for name, *calls in functions:
                function(made, name, *calls)
            call(made, functions[0][0])

        return by_hand(fill)

    return build


def chain(length: int, *, times: int = 1) -> Build:
    """Functions in a row, each calling the next one so many times."""
    inner = [(f"f{n}", *[f"f{n + 1}"] * times) for n in range(length - 1)]
    return calling(*inner, (f"f{length - 1}",))


def many_nodes(count: int) -> Build:
    """A graph with so many nodes that do nothing."""

    def build(reach: Reach) -> bytes:
        idle = (field(NODE, field(NAME, b"n%d" % n) + field(OPERATION, b"NoOp")) for n in range(count))
        return good() + b"".join(idle)

    return build


def many_results(count: int) -> Build:
    """A graph with so many final nodes that their names fill megabytes."""

    def build(reach: Reach) -> bytes:
        made = parsed(good())
        import tensorflow as tf

        for number in range(count):
            add(made, "Identity", f"a_result_with_a_long_name_{number}", "input", T=tf.float32)
        data: bytes = made.SerializeToString()
        return data

    return build


def named(name: str) -> Build:
    """A good graph with one more result, of this name."""

    def build(reach: Reach) -> bytes:
        kind = field(1, b"T") + field(2, varint(6 << 3) + varint(1))
        node = field(NAME, name.encode()) + field(OPERATION, b"Identity") + field(INPUT, b"input")
        return good() + field(NODE, node + field(ATTRIBUTE, kind))

    return build


def named_operation(name: str) -> Build:
    """A good graph with one more node, of an operation of this name."""
    return lambda reach: good() + field(NODE, field(NAME, b"n") + field(OPERATION, name.encode()))


def constant(dtype: str, shape: tuple[int, ...], **values: Sequence[Any]) -> Build:
    """A constant of this shape, added to the picture, that stores these values alone."""

    def build(reach: Reach) -> bytes:
        def fill(tf: Any, made: Any) -> None:
            kind = tf.as_dtype(dtype)
            node = add(made, "Const", "c", dtype=kind)
            tensor = node.attr["value"].tensor
            tensor.dtype = kind.as_datatype_enum
            for size in shape:
                tensor.tensor_shape.dim.add(size=size)
            for name, listed in values.items():
                getattr(tensor, name).extend(listed)
            if kind == tf.string:
                add(made, "Const", "true", dtype=tf.bool, value=np.array(True))
                add(made, "Assert", "assert", "true", "c", T=[tf.string])
                add(made, "Identity", "y", "input", "^assert", T=tf.float32)
            else:
                add(made, "AddV2", "y", "input", "c", T=tf.float32)

        return by_hand(fill)

    return build


# Operations that act beyond tensors


def from_text(tf: Any, text: Any) -> Any:
    """A number that depends on a text: its bytes' mean."""
    return tf.reduce_mean(tf.cast(tf.io.decode_raw(text, tf.uint8), tf.float32)) / 255.0


def read_file(reach: Reach) -> bytes:
    """The picture, brightened by what a file holds."""
    return graph(lambda tf, x: x + from_text(tf, tf.io.read_file(str(reach.secret))))


def write_file(reach: Reach) -> bytes:
    """Writes a file on the way."""
    return beside(lambda tf, x: tf.io.write_file(str(reach.outside / "written"), "x"))


def matching_files(reach: Reach) -> bytes:
    """The picture, brightened by how many files a folder has."""
    pattern = str(reach.outside / "*")

    def body(tf: Any, x: Any) -> Any:
        return x + tf.cast(tf.size(tf.io.matching_files(pattern)), tf.float32)

    return graph(body)


def debug_identity(*, url: str) -> Build:
    """Copies the picture to an address, as TensorFlow's debugger does.

    Args:
        url: with ``{outside}`` and ``{port}`` where those of the reach stand.
    """

    def build(reach: Reach) -> bytes:
        def body(tf: Any, x: Any) -> Any:
            address = url.format(outside=reach.outside, port=reach.port)
            return tf.raw_ops.DebugIdentity(
                input=x, device_name="", tensor_name="x:0", debug_urls=[address], gated_grpc=False
            )

        return graph(body)

    return build


def save(reach: Reach) -> bytes:
    """Writes a checkpoint on the way."""

    def effect(tf: Any, x: Any) -> Any:
        return tf.raw_ops.SaveV2(
            prefix=str(reach.outside / "saved"), tensor_names=["x"], shape_and_slices=[""], tensors=[x]
        )

    return beside(effect)


def restore(reach: Reach) -> bytes:
    """The picture, brightened by what a checkpoint beside the secret holds."""

    def body(tf: Any, x: Any) -> Any:
        prefix = str(reach.secret.with_name("checkpoint"))
        (value,) = tf.raw_ops.RestoreV2(
            prefix=prefix, tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.float32]
        )
        return x + tf.reshape(value, [])

    return graph(body)


def print_to_file(reach: Reach) -> bytes:
    """Prints into a file."""
    stream = f"file://{reach.outside / 'printed'}"
    return beside(lambda tf, x: tf.raw_ops.PrintV2(input="x", output_stream=stream, end="\n"))


def print_frames(reach: Reach) -> bytes:
    """Prints an answer of the worker to its standard output, and says that all is well."""
    header = '{"ok": true, "arrays": []}'
    frame = "".join([MAGIC.decode(), "\0\0\0", chr(len(header)), "\0" * 8, header])
    return beside(lambda tf, x: tf.raw_ops.PrintV2(input=frame, output_stream="stdout", end=""))


def python_function(reach: Reach) -> bytes:
    """Calls Python code of the process that runs it."""
    return graph(
        lambda tf, x: tf.ensure_shape(tf.numpy_function(lambda value: value, [x], tf.float32), IMAGE)
    )


def abort(reach: Reach) -> bytes:
    """Ends the process that runs it."""
    return beside(lambda tf, x: tf.raw_ops.Abort(error_msg="enough"))


def leave(reach: Reach) -> bytes:
    """Ends the process that runs it as if all were well."""
    return beside(lambda tf, x: tf.raw_ops.Abort(exit_without_error=True))


def hidden_in_a_function(reach: Reach) -> bytes:
    """A good graph with a function that nothing calls, and which reads a file."""
    made = parsed(good())
    node = function(made, "unused").node_def.add(name="read", op="ReadFile", input=["name:output:0"])
    assert node.op == "ReadFile"
    data: bytes = made.SerializeToString()
    return data


def on_another_machine(reach: Reach) -> bytes:
    """Asks for a device of another process."""
    made = parsed(good())
    made.node[-1].device = "/job:worker/replica:0/task:1/device:CPU:0"
    data: bytes = made.SerializeToString()
    return data


def waiting_for_nobody(reach: Reach) -> bytes:
    """Waits for a tensor that nobody sends."""

    def fill(tf: Any, made: Any) -> None:
        node = add(made, "_Recv", "y", tensor_type=tf.float32, tensor_name=b"t", send_device=b"/cpu:0")
        node.attr["recv_device"].s = b"/cpu:0"
        node.attr["send_device_incarnation"].i = 1

    return by_hand(fill)


# What the scan lets pass, and what comes of it


def endless_function(reach: Reach) -> bytes:
    """A While that never ends."""

    def body(tf: Any, x: Any) -> Any:
        turns, _ = tf.while_loop(
            lambda i, s: i < 2**62,
            lambda i, s: (i + 1, s * 0.5),
            [tf.constant(0, tf.int64), tf.reduce_sum(x)],
        )
        return x + tf.cast(turns, tf.float32) * 0

    return graph(body)


def endless_frames(reach: Reach) -> bytes:
    """A loop of TensorFlow 1 that never ends."""

    def fill(tf: Any, made: Any) -> None:
        single = {"T": tf.float32}
        add(made, "Enter", "enter", "input", frame_name=b"loop", **single)
        add(made, "Merge", "merge", "enter", "next", **single).attr["N"].i = 2
        add(made, "Const", "always", "^merge", dtype=tf.bool, value=np.array(True))
        add(made, "LoopCond", "condition", "always")
        add(made, "Switch", "switch", "merge", "condition", **single)
        add(made, "NextIteration", "next", "switch:1", **single)
        add(made, "Exit", "y", "switch", **single)

    return by_hand(fill)


def filled(elements: int) -> Build:
    """So many floats filled and added up."""

    def body(tf: Any, x: Any) -> Any:
        wide = tf.fill(tf.constant([elements], tf.int64), tf.reduce_mean(x))
        return x + tf.reduce_sum(wide) * 1e-20

    return lambda reach: graph(body)


def overflowing_at_run_time(reach: Reach) -> bytes:
    """Sizes whose product is beyond any number."""
    return graph(
        lambda tf, x: x + tf.reduce_sum(tf.fill(tf.constant([2**40, 2**40], tf.int64), tf.reduce_mean(x)))
    )


def deep_chain(length: int) -> Build:
    """So many nodes in a row that what follows them recursively runs out of stack."""

    def build(reach: Reach) -> bytes:
        kind = field(ATTRIBUTE, field(1, b"T") + field(2, varint(6 << 3) + varint(1)))
        names = [b"input", *(b"link%d" % n for n in range(length - 1)), b"output"]
        links = (
            field(NODE, field(NAME, name) + field(OPERATION, b"Identity") + field(INPUT, before) + kind)
            for before, name in itertools.pairwise(names)
        )
        return graph(lambda tf, x: x, names=("input", "other_end")) + b"".join(links)

    return build


def huge_output(gib: int) -> Build:
    """An output of so many GiB, whatever goes in."""
    side = 2**14
    return lambda reach: graph(lambda tf, x: tf.fill([1, side, side, gib], tf.reduce_mean(x)))


def forged_frames(reach: Reach) -> bytes:
    """The picture's size, filled with the bytes of the worker's answers."""
    header = b'{"ok":true,"arrays":[],"interface":{"inputs":[],"outputs":[]},"ms":1}'
    frame = MAGIC + len(header).to_bytes(4, "big") + bytes(8) + header
    floats = np.frombuffer(frame + bytes(-len(frame) % 4), "<f4")
    floats = np.tile(floats, 3)

    def body(tf: Any, x: Any) -> Any:
        size = tf.size(x)
        repeats = size // len(floats) + 1
        return tf.reshape(tf.tile(tf.constant(floats), [repeats])[:size], tf.shape(x))

    return graph(body)


def scalar(reach: Reach) -> bytes:
    """One number for a picture."""
    return graph(lambda tf, x: tf.reduce_mean(x))


def of_nine_dimensions(reach: Reach) -> bytes:
    """More dimensions than the protocol carries."""
    return graph(lambda tf, x: tf.reshape(x, [1, 1, 1, 1, 1, 1, 1, -1, 3]))


def nothing(reach: Reach) -> bytes:
    """A picture without pixels."""
    return graph(lambda tf, x: x[:, :0])


def one_channel_by_surprise(reach: Reach) -> bytes:
    """A grey picture where the graph states no shape."""
    return graph(lambda tf, x: tf.reshape(tf.reduce_mean(x, 3), tf.concat([tf.shape(x)[:3], [1]], 0)))


def of(body: Callable[[Any, Any], Any], **options: Any) -> Build:
    """`graph`, whatever the reach."""
    return lambda reach: graph(body, **options)


NO_GRAPHS: Mapping[str, Build] = {
    "empty": lambda reach: b"",
    "random_bytes": random_bytes,
    "truncated": truncated,
    "page": page,
    "nested_120": nested(120),
    "billion_claimed": billion_claimed,
    "endless_number": endless_number,
    "unfrozen": unfrozen,
    "control_name": named(f"a{CONTROL}"),
}

OF_ODD_FORM: Mapping[str, Build] = {
    "cycle": cycle,
    "recursion": calling(("f", "f")),
    "mutual_recursion": calling(("f", "g"), ("g", "f")),
    "deep_calls": chain(2000),
    "doubling_calls": chain(40, times=2),
    "too_many_nodes": many_nodes(100_001),
    "control_operation": named_operation(f"Evil{CONTROL}"),
    "long_operation": named_operation("E" * 10_000_000),
    "splat": constant("float32", (2**30,), float_val=[1.0]),
    "text_splat": constant("string", (2**28,), string_val=[b"x"]),
    "overflow": constant("float32", (2**40, 2**40), float_val=[1.0]),
    "negative_size": constant("float32", (-5,), float_val=[1.0]),
}

REACHING_OUT: Mapping[str, Build] = {
    "read_file": read_file,
    "write_file": write_file,
    "matching_files": matching_files,
    "debug_to_file": debug_identity(url="file://{outside}/debug"),
    "debug_to_network": debug_identity(url="grpc://127.0.0.1:{port}"),
    "save": save,
    "restore": restore,
    "print_to_file": print_to_file,
    "print_frames": print_frames,
    "python_function": python_function,
    "abort": abort,
    "leave": leave,
    "hidden_in_a_function": hidden_in_a_function,
    "on_another_machine": on_another_machine,
    "waiting_for_nobody": waiting_for_nobody,
}

RUNNING: Mapping[str, Build] = {
    "many_results": many_results(40_000),
    "long_name": named("n" * 10_000_000),
    "endless_function": endless_function,
    "endless_frames": endless_frames,
    "eight_gigabytes": filled(2**31),
    "terabytes": filled(2**40),
    "deep_chain": deep_chain(50_000),
    "overflow_at_run_time": overflowing_at_run_time,
    "huge_output": huge_output(4),
    "forged_frames": forged_frames,
    "random_numbers": of(lambda tf, x: x + tf.random.uniform(tf.shape(x), maxval=0.02)),
    "not_a_number": of(lambda tf, x: tf.sqrt(x - 2)),
    "infinite": of(lambda tf, x: x / tf.zeros_like(x) + 1),
    "to_255": of(lambda tf, x: x * 255),
    "scalar": scalar,
    "nine_dimensions": of_nine_dimensions,
    "nothing": nothing,
    "half_size": of(lambda tf, x: x[:, ::2, ::2]),
    "four_channels": of(lambda tf, x: x[..., :3], shape=(1, None, None, 4)),
    "one_channel": one_channel_by_surprise,
    "bytes_in": of(lambda tf, x: tf.cast(x, tf.float32) / 255, dtype="uint8"),
    "double_out": of(lambda tf, x: tf.cast(x, tf.float64)),
    "complex_out": of(lambda tf, x: tf.cast(x, tf.complex64)),
    "other_names": of(lambda tf, x: x * 0.5, names=("Placeholder", "result")),
    "batch_of_two": of(lambda tf, x: x * 0.5, shape=(2, None, None, 3)),
}
"""Those that the scan lets pass."""

REFUSED: Mapping[str, Build] = {**NO_GRAPHS, **OF_ODD_FORM, **REACHING_OUT}
