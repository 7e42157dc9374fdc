"""What a scan of a frozen graph lets through, and what it refuses: graphs as a stranger may write them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pixelproof.errors import ArtifactError, GraphRefused
from pixelproof.measure.graph_scan import require_clean, scan
from pixelproof.measure.scan.operations import CONTROL_FLOW, TENSOR_OPERATIONS
from pixelproof.safety import Refusal, Scan

Scanned = Callable[[Any], Scan]
Only = Callable[[Scan], Refusal]
Named = Callable[[str], Any]

EVERYTHING = settings(deadline=None, suppress_health_check=list(HealthCheck))
LIBRARY_FUNCTION = "f"  # a node with its name is a call


def test_a_plain_graph_passes_and_is_told(protos: Any, scanned: Scanned, tf: Any) -> None:
    kernel = protos.const("kernel", tf.make_tensor_proto([[1.0, 2.0]]))
    found = scanned(protos.graph(kernel, protos.node("Mul", "scaled", "input", "kernel", T=tf.float32)))
    assert found == Scan(
        format="pb",
        nodes=4,
        functions=0,
        operations={"Const": 1, "Identity": 1, "Mul": 1, "Placeholder": 1},
        constant_bytes=8,
    )
    require_clean(found, label="m.pb")


@pytest.mark.parametrize(
    ("operation", "effect"),
    [
        ("ReadFile", "reads files of the machine"),
        ("WriteFile", "writes files"),
        ("MatchingFiles", "reads files of the machine"),
        ("DebugIdentity", "copies tensors to files and network addresses"),
        ("PyFunc", "runs Python code"),
        ("Abort", "ends or delays the process"),
        ("PrintV2", "prints"),
        ("VarHandleOp", "variable"),
        ("DecodeJpeg", "decodes"),
        ("QueueDequeueV2", "keeps data"),
        ("RemoteCall", "other devices or machines"),
        ("_Recv", "other devices or machines"),
        ("SaveV2", "writes files"),
    ],
)
@pytest.mark.parametrize("where", ["graph", "unused function"])
def test_operations_that_act_beyond_tensors(
    protos: Any, scanned: Scanned, the_refusal: Only, operation: str, effect: str, where: str
) -> None:
    node = protos.node(operation, "leak")
    hidden = protos.function("never_called", node)
    graph = protos.graph(node) if where == "graph" else protos.graph(functions=(hidden,))
    refusal = the_refusal(scanned(graph))
    assert refusal.rule.startswith("A judged graph holds operations on tensors")
    assert refusal.found.startswith(f"{operation}, which ") and effect in refusal.found
    place = "node leak in m.pb" if where == "graph" else "node leak of function never_called in m.pb"
    assert refusal.found.endswith(place) and refusal.remedy


def test_an_operation_that_tensorflow_does_not_know(protos: Any, scanned: Scanned, the_refusal: Only) -> None:
    refusal = the_refusal(scanned(protos.graph(protos.node("ContribLayer", "layer"))))
    assert refusal.rule == "TensorFlow must know every operation of the graph"
    assert refusal.found == "the unknown operation ContribLayer: node layer in m.pb"


@pytest.fixture(scope="session")
def registered(tf: Any) -> list[str]:
    """Names of all operations that are neither on the list nor control flow."""
    from tensorflow.core.framework.op_def_pb2 import OpList
    from tensorflow.python.client import pywrap_tf_session

    listed = OpList.FromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    return sorted({operation.name for operation in listed.op} - TENSOR_OPERATIONS - CONTROL_FLOW)


def test_every_other_operation_is_refused(
    protos: Any, scanned: Scanned, the_refusal: Only, registered: list[str]
) -> None:
    assert len(registered) > 1500
    for name in registered:
        assert name in the_refusal(scanned(protos.graph(protos.node(name, "n")))).found, name


@EVERYTHING
@given(
    name=st.text(max_size=40).filter(
        lambda name: name not in TENSOR_OPERATIONS | CONTROL_FLOW | {LIBRARY_FUNCTION}
    )
)
def test_any_other_name_is_refused(protos: Any, scanned: Scanned, name: str) -> None:
    try:
        graph = protos.graph(
            protos.node(name, "n"),
            functions=(protos.function(LIBRARY_FUNCTION, protos.node(name, "n")),),
        )
    except UnicodeEncodeError:
        return  # no protobuf holds a lone surrogate
    found = scanned(graph)
    (refusal,) = found.refusals
    assert "2 more" not in refusal.found and f"node n, node n of function {LIBRARY_FUNCTION}" in refusal.found
    assert refusal.found.isascii() and refusal.found.isprintable()
    assert sum(found.operations.values()) == 4


def test_functions_that_call_each_other_without_end(
    protos: Any, scanned: Scanned, the_refusal: Only, call_function: Named
) -> None:
    def calling(name: str, called: str) -> Any:
        inside = protos.node("PartitionedCall", "call", "x", f=call_function(called))
        return protos.function(name, inside, y="call:output:0")

    itself = the_refusal(scanned(protos.graph(functions=(calling("a", "a"),))))
    assert itself.found == "the recursion a -> a in m.pb"
    mutual = (calling("a", "b"), calling("b", "c"), calling("c", "b"))
    assert the_refusal(scanned(protos.graph(functions=mutual))).found == "the recursion b -> c -> b in m.pb"
    ring = tuple(calling(f"f{i}", f"f{(i + 1) % 300}") for i in range(300))
    assert " -> ... -> " in the_refusal(scanned(protos.graph(functions=ring))).found


@pytest.mark.parametrize("way", ["attribute", "list", "nested", "operation", "While"])
def test_recursion_by_every_way_of_calling(
    protos: Any, scanned: Scanned, call_function: Named, way: str
) -> None:
    target = call_function("a")
    node = {
        "attribute": lambda: protos.node("StatefulPartitionedCall", "call", f=target),
        "list": lambda: protos.node("Case", "call", branches=[call_function("b"), target]),
        "nested": lambda: protos.node("PartitionedCall", "call", f=call_function("b")),
        "operation": lambda: protos.node("a", "call"),
        "While": lambda: protos.node("While", "call", cond=call_function("b"), body=target),
    }[way]()
    if way == "nested":
        node.attr["f"].func.attr["inner"].func.name = "a"
    graph = protos.graph(functions=(protos.function("a", node), protos.function("b")))
    assert any(refusal.found == "the recursion a -> a in m.pb" for refusal in scanned(graph).refusals)


def test_calls_without_recursion_pass(protos: Any, scanned: Scanned, call_function: Named, tf: Any) -> None:
    relu = protos.node("Relu", "relu", "x", T=tf.float32)
    inner = protos.function("inner", relu, y="relu:activations:0")
    outer = protos.function(
        "outer",
        protos.node("inner", "legacy", "x"),
        protos.node(
            "If",
            "branch",
            "legacy:y:0",
            then_branch=call_function("inner"),
            else_branch=call_function("inner"),
        ),
        y="branch:output:0",
    )
    found = scanned(
        protos.graph(
            protos.node("PartitionedCall", "call", f=call_function("outer")), functions=(outer, inner)
        )
    )
    assert found.refusals == ()
    assert (found.nodes, found.functions) == (6, 2)


def test_calls_that_expand_to_billions_of_nodes(
    protos: Any, scanned: Scanned, the_refusal: Only, call_function: Named
) -> None:
    def doubling(level: int) -> Any:
        called = call_function(f"f{level + 1}")
        calls = [protos.node("PartitionedCall", f"call{i}", f=called) for i in (1, 2)]
        return protos.function(f"f{level}", *(calls if level < 40 else [protos.node("NoOp", "end")]))

    functions = tuple(doubling(level) for level in range(41))
    graph = protos.graph(protos.node("PartitionedCall", "call", f=call_function("f0")), functions=functions)
    for called in (graph, protos.graph(functions=functions)):
        refusal = the_refusal(scanned(called))
        assert refusal.rule.startswith("A judged graph has at most 100,000 nodes")
        assert refusal.found == "1,000,000,000,000 once all calls are expanded in m.pb"
    assert scanned(protos.graph(functions=functions[30:])).refusals == ()


def test_calls_that_go_very_deep(
    protos: Any, scanned: Scanned, the_refusal: Only, call_function: Named
) -> None:
    def step(level: int) -> Any:
        return protos.function(
            f"f{level}", protos.node("PartitionedCall", "c", f=call_function(f"f{level + 1}"))
        )

    functions = (*(step(level) for level in range(500)), protos.function("f500"))
    graph = protos.graph(protos.node("PartitionedCall", "call", f=call_function("f0")), functions=functions)
    assert the_refusal(scanned(graph)).found == "calls 501 levels deep in m.pb"


def test_functions_that_are_not_there_or_named_for_nothing(
    protos: Any, scanned: Scanned, the_refusal: Only, call_function: Named, tf: Any
) -> None:
    gone = protos.graph(protos.node("PartitionedCall", "call", f=call_function("gone")))
    assert the_refusal(scanned(gone)).found == "a call of gone, which isn't there: node call in m.pb"
    unnamed = protos.graph(protos.node("PartitionedCall", "call", f=call_function("")))
    assert "a call of a function without a name" in the_refusal(scanned(unnamed)).found
    odd = protos.node("Relu", "relu", "input", T=tf.float32, f=call_function("g"))
    found = the_refusal(scanned(protos.graph(odd, functions=(protos.function("g"),)))).found
    assert found == "a function named by an attribute that calls none: node relu in m.pb"


def test_functions_with_names_that_mean_something_else(
    protos: Any, scanned: Scanned, the_refusal: Only
) -> None:
    for name in ("Relu", "ReadFile"):
        found = the_refusal(scanned(protos.graph(functions=(protos.function(name),)))).found
        assert found == f"a function that bears the name of an operation: function {name} in m.pb"
    twins = protos.graph(functions=(protos.function("f"), protos.function("f")))
    assert the_refusal(scanned(twins)).found == "several functions of one name: function f in m.pb"
    assert "without a name" in the_refusal(scanned(protos.graph(functions=(protos.function(""),)))).found


def test_a_gradient_function(protos: Any, scanned: Scanned, the_refusal: Only) -> None:
    graph = protos.graph(functions=(protos.function("f"), protos.function("g")))
    graph.library.gradient.add(function_name="f", gradient_func="g")
    assert the_refusal(scanned(graph)).found == "a gradient: of function f in m.pb"


def test_cycles(protos: Any, scanned: Scanned, the_refusal: Only, tf: Any) -> None:
    def relu(name: str, *inputs: str) -> Any:
        return protos.node("Relu", name, *inputs, T=tf.float32)

    assert the_refusal(scanned(protos.graph(relu("a", "a")))).found == "the cycle a -> a: the graph in m.pb"
    for edge in ("b", "b:1", "^b"):
        graph = protos.graph(relu("a", edge), relu("b", "a"), relu("before", "input"), relu("after", "b"))
        refusal = the_refusal(scanned(graph))
        assert refusal.rule == "A judged graph has no cycles but its loops"
        assert refusal.found in {
            "the cycle a -> b -> a: the graph in m.pb",
            "the cycle b -> a -> b: the graph in m.pb",
        }
    inside = protos.function("f", relu("a", "b:activations:0"), relu("b", "a:activations:0"))
    assert the_refusal(scanned(protos.graph(functions=(inside,)))).found.endswith(": function f in m.pb")


def test_only_a_loop_s_own_cycle_is_one(protos: Any, scanned: Scanned, the_refusal: Only, tf: Any) -> None:
    def loop(last: str, first: str) -> Any:
        return protos.graph(
            protos.node("Enter", "enter", "input", T=tf.float32, frame_name="f"),
            protos.node(first, "merge", "enter", "next", T=tf.float32),
            protos.node("Relu", "body", "merge", T=tf.float32),
            protos.node(last, "next", "body", T=tf.float32),
        )

    assert scanned(loop("NextIteration", "Merge")).refusals == ()
    for last, first in (("Identity", "Merge"), ("NextIteration", "AddN"), ("Merge", "NextIteration")):
        assert "the cycle " in the_refusal(scanned(loop(last, first))).found


def test_a_constant_that_claims_more_than_it_stores(
    protos: Any, scanned: Scanned, the_refusal: Only, tf: Any
) -> None:
    splat = protos.graph(protos.const("bomb", protos.tensor((2**31,), float_val=[1.0])))
    assert len(splat.SerializeToString()) < 200
    found = scanned(splat)
    refusal = the_refusal(found)
    assert refusal.rule == "A file stores its constants in full, but for 64 MiB"
    assert refusal.found == f"tensors that claim {4 * (2**31 - 1):,} bytes more than the file stores in m.pb"
    assert found.constant_bytes == 4 * 2**31
    little = protos.const("zeros", protos.tensor((2**24,), float_val=[0.0]))
    assert scanned(protos.graph(little)).refusals == ()
    twice = (little, protos.const("ones", protos.tensor((2**24,), float_val=[1.0])))
    assert "claim 134,217,7" in the_refusal(scanned(protos.graph(*twice))).found
    hidden = protos.function("f", *twice)
    assert "claim 134,217,7" in the_refusal(scanned(protos.graph(functions=(hidden,)))).found
    stored = protos.tensor((2**25,), tf.uint8, tensor_content=bytes(2**25))
    assert scanned(protos.graph(*(protos.const(f"c{i}", stored) for i in range(3)))).refusals == ()


@pytest.mark.parametrize(
    "shape", [(2**62, 2**62), (-1,), (-4, -4), (2**40, 2**40, 0), (1,) * 300, (2**63 - 1, 1)]
)
def test_a_constant_of_impossible_size(
    protos: Any, scanned: Scanned, the_refusal: Only, shape: tuple[int, ...]
) -> None:
    found = the_refusal(scanned(protos.graph(protos.const("c", protos.tensor(shape)))))
    assert found.found == "a tensor of impossible size or type: node c in m.pb"


def test_a_constant_that_nests_its_tensors(protos: Any, scanned: Scanned, the_refusal: Only, tf: Any) -> None:
    node = protos.node("Relu", "relu", "input", T=tf.float32)
    node.attr["extra"].list.tensor.append(protos.tensor((2**31,)))
    assert "tensors that claim" in the_refusal(scanned(protos.graph(node))).found
    call = protos.node("f", "call")
    call.attr["extra"].func.name = "f"
    call.attr["extra"].func.attr["deep"].tensor.CopyFrom(protos.tensor((2**31,)))
    assert (
        "tensors that claim"
        in the_refusal(scanned(protos.graph(call, functions=(protos.function("f"),)))).found
    )


@pytest.mark.parametrize("dtype", ["resource", "variant", "string", "float8_e5m2"])
def test_types_that_are_no_numbers(
    protos: Any, scanned: Scanned, the_refusal: Only, tf: Any, dtype: str
) -> None:
    kind = tf.as_dtype(dtype)
    for node in (
        protos.node("Placeholder", "p", dtype=kind),
        protos.node("Identity", "p", "input", T=kind),
        protos.node("IdentityN", "p", "input", T=[tf.float32, kind]),
    ):
        refusal = the_refusal(scanned(protos.graph(node)))
        assert refusal.rule == "A judged graph works on numbers"
        assert refusal.found.endswith("node p in m.pb")
    function = protos.function("f")
    function.signature.input_arg[0].type = kind.as_datatype_enum
    assert "argument x of function f" in the_refusal(scanned(protos.graph(functions=(function,)))).found
    function.signature.input_arg[0].type = 101
    assert "type float_ref" in the_refusal(scanned(protos.graph(functions=(function,)))).found


def test_text_for_assertions_alone(protos: Any, scanned: Scanned, the_refusal: Only, tf: Any) -> None:
    words = protos.text("words", b"x must be small", b"or not")
    check = protos.node("Assert", "check", "input", "words", T=[tf.string])
    after = protos.node("NoOp", "after", "^words", "^check")
    assert scanned(protos.graph(words, check, after)).refusals == ()
    assert scanned(protos.graph(words)).refusals == (), "TensorFlow leaves such constants behind"
    inside = protos.function("f", words, protos.node("Assert", "check", "x", "words:output:0", T=[tf.string]))
    assert scanned(protos.graph(functions=(inside,))).refusals == ()
    for reader in (
        protos.node("Shape", "reader", "words", T=tf.float32),
        protos.node("ReadFile", "reader", "words:0"),
        protos.node("Equal", "reader", "input", "words", T=tf.float32),
    ):
        found = [refusal.found for refusal in scanned(protos.graph(words, check, reader)).refusals]
        assert "text that more than an assertion reads: node words in m.pb" in found
    returned = protos.function("f", words, y="words:output:0")
    assert "node words of function f" in the_refusal(scanned(protos.graph(functions=(returned,)))).found


@pytest.mark.parametrize(
    "device",
    [
        "",
        "/cpu:0",
        "/CPU:0",
        "/gpu:*",
        "/device:CPU:0",
        "/device:GPU:1",
        "/device:GPU",
        "/job:localhost/replica:0/task:0/device:CPU:0",
        "/job:localhost",
        "/task:0/cpu:0",
    ],
)
def test_a_device_of_this_machine(protos: Any, scanned: Scanned, tf: Any, device: str) -> None:
    assert (
        scanned(protos.graph(protos.node("Relu", "r", "input", T=tf.float32, device=device))).refusals == ()
    )


@pytest.mark.parametrize(
    "device",
    [
        "/job:worker/task:0/device:CPU:0",
        "/job:localhost/task:1",
        "/job:localhost/replica:1",
        "/device:TPU:0",
        "/device:XLA_CPU:0",
        "grpc://10.0.0.1:2222",
        "/cpu:0\n",
        "/device:CPU:0/job:worker",
    ],
)
def test_a_device_of_another_machine(
    protos: Any, scanned: Scanned, the_refusal: Only, tf: Any, device: str
) -> None:
    node = protos.node("Relu", "r", "input", T=tf.float32, device=device)
    for graph in (protos.graph(node), protos.graph(functions=(protos.function("f", node),))):
        refusal = the_refusal(scanned(graph))
        assert refusal.rule == "A judged graph runs on the machine that judges it"
        assert refusal.found.startswith("the device ") and refusal.found.isprintable()


def test_names_that_stand_for_two_things(protos: Any, scanned: Scanned, the_refusal: Only, tf: Any) -> None:
    again = protos.node("Relu", "output", "input", T=tf.float32)
    assert the_refusal(scanned(protos.graph(again))).found == "several nodes of one name: node output in m.pb"
    function = protos.function("f", protos.node("Relu", "x", "x", T=tf.float32))
    assert "node x of function f" in str(scanned(protos.graph(functions=(function,))).refusals)


def test_a_graph_without_nodes(protos: Any, scanned: Scanned, the_refusal: Only, tf: Any) -> None:
    graph = tf.compat.v1.GraphDef(library={"function": [protos.function("f")]})
    refusal = the_refusal(scanned(graph))
    assert (refusal.rule, refusal.found) == ("A graph must have nodes", "none in m.pb")


def test_a_strange_name_is_shown_safely(protos: Any, scanned: Scanned, the_refusal: Only) -> None:
    node = protos.node("ReadFile", "\x1b[2Jgone" + "x" * 10_000)
    found = the_refusal(scanned(protos.graph(node))).found
    assert r"node \x1b[2Jgone" in found and len(found) < 300 and found.isprintable()


def test_many_faults_make_few_refusals(protos: Any, scanned: Scanned, tf: Any) -> None:
    nodes = [protos.node("ReadFile", f"n{i}") for i in range(500)]
    (refusal,) = scanned(protos.graph(*nodes)).refusals
    assert "node n0, node n1, node n2 and 497 more" in refusal.found
    nodes = [protos.node(f"Unknown{i}", f"n{i}") for i in range(900)]
    found = scanned(protos.graph(*nodes))
    assert len(found.refusals) == 21
    assert found.refusals[-1].found == "880 more kinds of faults in m.pb"
    assert len(found.operations) == 501 and found.operations["(others)"] == 402


@pytest.fixture(scope="session")
def largest(protos: Any, tf: Any) -> Any:
    """100,000 nodes, a chain of convolutions."""
    graph = protos.graph()
    kernel = protos.const("kernel", tf.make_tensor_proto([[[[1.0]]]]))
    step = protos.node(
        "Conv2D", "step", T=tf.float32, padding="SAME", data_format="NHWC", use_cudnn_on_gpu=True
    )
    for key in ("strides", "dilations"):
        step.attr[key].list.i.extend([1, 1, 1, 1])
    last = "input"
    for index in range(49_999):
        kernel.name, step.name = f"net/kernel_{index}", f"net/step_{index}"
        del step.input[:]
        step.input.extend([last, kernel.name])
        graph.node.append(kernel)
        graph.node.append(step)
        last = step.name
    return graph


class TestLimits:
    """Graphs that are as large as a scan looks at, and larger."""

    def test_the_largest_graph_takes_seconds(self, largest: Any, scanned: Scanned) -> None:
        start = time.process_time()
        found = scanned(largest)
        assert time.process_time() - start < 10, "about 1 s on a machine of 2025"
        assert (found.nodes, found.refusals) == (100_000, ())

    def test_a_larger_one_is_refused_at_once(
        self, largest: Any, scanned: Scanned, the_refusal: Only, protos: Any
    ) -> None:
        larger = type(largest)()
        larger.CopyFrom(largest)
        larger.library.function.append(protos.function("f"))
        start = time.process_time()
        found = scanned(larger)
        assert time.process_time() - start < 1
        assert the_refusal(found).found == "100,000 nodes and 1 functions in m.pb"
        assert (found.nodes, found.functions, found.operations) == (100_000, 1, {})

    def test_attributes_without_end(
        self, protos: Any, scanned: Scanned, the_refusal: Only, tf: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("pixelproof.measure.scan.rules.MAX_ATTRIBUTES", 1000)
        listed = protos.node("Relu", "r", "input", T=tf.float32)
        protos.name_functions(listed.attr["many"], ["f"] * 1000)
        wide = protos.node("AddN", "sum", *(["input"] * 1000), T=tf.float32)
        for node in (listed, wide):
            refusal = the_refusal(scanned(protos.graph(node)))
            assert refusal.found == "more than 1,000 attributes and inputs in m.pb"
        assert scanned(protos.graph(protos.node("AddN", "sum", *(["input"] * 900)))).refusals == ()

    @pytest.mark.parametrize("kind", ["texts", "unknown operations", "names", "functions", "attributes"])
    def test_a_graph_made_to_take_long(self, protos: Any, scanned: Scanned, tf: Any, kind: str) -> None:
        """Nothing in a scan takes the square of a graph's size."""
        count = 30_000
        graph = protos.graph()
        if kind == "texts":
            graph.node.extend(protos.text(f"t{i}", b"x") for i in range(count))
            graph.node.extend(protos.node("Relu", f"r{i}", f"t{i}", T=tf.float32) for i in range(count))
        elif kind == "unknown operations":
            graph.node.extend(protos.node(f"Unknown{i}" + "x" * 1000, f"n{i}") for i in range(count))
        elif kind == "names":
            graph.node.extend([protos.node("NoOp", "n" * 1000, *["^input"] * 20)] * count)
        elif kind == "functions":
            function = protos.function("f")
            for i in range(count):
                function.signature.name = f"f{i}"
                graph.library.function.append(function)
            for i in range(20):
                node = protos.node("Case", f"case{i}")
                protos.name_functions(node.attr["branches"], [f"f{i}" for i in range(count)])
                graph.node.append(node)
        else:
            node = protos.node("Relu", "r", "input", T=tf.float32)
            for i in range(60):
                node.attr[f"a{i}"].s = b"x"
            graph.node.extend([node] * count)
        start = time.process_time()
        scanned(graph)
        assert time.process_time() - start < 30, "each takes below 5 s on a machine of 2025"


@pytest.fixture(scope="session")
def real_graph(tf: Any) -> bytes:
    """A graph with functions, a loop, assertions and constants."""
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (1, None, None, 3), name="input")
        y = tf.image.rgb_to_grayscale(tf.nn.conv2d(x, tf.ones((3, 3, 3, 3)), 1, "SAME"))
        y = tf.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, v * 0.5), (0, y))[1]
        y = tf.cond(tf.reduce_mean(y) > 0, lambda: y, lambda: -y)
        tf.identity(y, name="output")
    data: bytes = graph.as_graph_def().SerializeToString()
    return data


@settings(EVERYTHING, max_examples=300)
@given(edits=st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), min_size=1, max_size=12))
def test_any_damage_ends_in_a_verdict(
    real_graph: bytes, tf: Any, scanned: Scanned, edits: list[tuple[int, int]]
) -> None:
    from google.protobuf.message import DecodeError

    data = bytearray(real_graph)
    for place, value in edits:
        data[place % len(data)] = value
    graph = tf.compat.v1.GraphDef()
    try:
        graph.ParseFromString(bytes(data))
    except DecodeError:
        return
    found = scanned(graph)
    assert found.nodes >= 0
    for refusal in found.refusals:
        assert refusal.rule and refusal.found.isprintable() and len(refusal.found) < 2000


class TestFile:
    """`scan`, from a file."""

    @pytest.mark.parametrize(
        "content", [b"", b"<html><body>404</body></html>" * 9, bytes(range(256)) * 4, b"\x22\x02\x08\x1b"]
    )
    def test_what_is_no_graph(self, tmp_path: Path, tf: Any, content: bytes) -> None:
        path = tmp_path / "m.pb"
        path.write_bytes(content)
        with pytest.raises(ArtifactError, match=r"must be a frozen TensorFlow graph; found m\.pb"):
            scan(path, "pb")

    def test_nesting_without_end(self, tmp_path: Path, protos: Any, tf: Any) -> None:
        """A function's attribute that is a function with an attribute, and so on, by hand: as protobuf's bytes."""

        def field(number: int, content: bytes) -> bytes:
            size = len(content)
            count = bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14])
            return bytes([number << 3 | 2]) + count + content

        def nested(levels: int) -> bytes:
            value = b""
            for _ in range(levels):
                value = field(10, field(1, b"f") + field(2, field(1, b"deep") + field(2, value)))
            node = field(1, b"r") + field(2, b"Relu") + field(5, field(1, b"deep") + field(2, value))
            return protos.graph().SerializeToString() + field(1, node)

        path = tmp_path / "m.pb"
        path.write_bytes(nested(30))
        assert [refusal.found for refusal in scan(path, "pb").refusals] == [
            "a call of f, which isn't there: node r, node r, node r and 27 more in m.pb"
        ]
        for levels in (40, 120, 5000):
            path.write_bytes(nested(levels))
            with pytest.raises(ArtifactError, match="must be a frozen TensorFlow graph"):
                scan(path, "pb")

    def test_a_file_that_is_not_there(self, tmp_path: Path, tf: Any) -> None:
        with pytest.raises(ArtifactError, match=r"must be readable; found m\.pb: No such file"):
            scan(tmp_path / "m.pb", "pb")

    def test_a_strange_file_name_is_shown_safely(self, tmp_path: Path, protos: Any) -> None:
        path = tmp_path / "a\x1b[2J.pb"
        path.write_bytes(protos.graph(protos.node("ReadFile", "leak")).SerializeToString())
        assert scan(path, "pb").refusals[0].found.endswith(r"node leak in a\x1b[2J.pb")

    def test_variables_are_told_as_ever(self, tmp_path: Path, protos: Any, tf: Any) -> None:
        path = tmp_path / "m.pb"
        path.write_bytes(protos.graph(protos.node("VariableV2", "scale")).SerializeToString())
        with pytest.raises(ArtifactError, match=r"must be frozen.*found 1 variables \(scale"):
            scan(path, "pb")


class TestRequireClean:
    """What a refused scan says."""

    def test_one_refusal_speaks_for_itself(self, protos: Any, scanned: Scanned) -> None:
        found = scanned(protos.graph(protos.node("ReadFile", "leak")))
        with pytest.raises(GraphRefused) as refused:
            require_clean(found, label="m.pb")
        assert str(refused.value) == (
            "A judged graph holds operations on tensors, and nothing that acts beyond them; found ReadFile, which "
            "reads files of the machine: node leak in m.pb. Export the network alone, from its input image to its "
            "output image."
        )
        assert refused.value.exit_code == 1

    def test_several_are_listed_and_counted(self, protos: Any, scanned: Scanned) -> None:
        names = ("ReadFile", "WriteFile", "PyFunc", "Abort", "HashTableV2")
        found = scanned(protos.graph(*(protos.node(name, name.lower()) for name in names)))
        with pytest.raises(GraphRefused, match=r"ReadFile.*; WriteFile.*; PyFunc.*; and 2 more"):
            require_clean(found, label="m.pb")
