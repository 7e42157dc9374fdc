"""SavedModels as TensorFlow writes them, and as a stranger may edit them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pixelproof.errors import ArtifactError
from pixelproof.measure.graph_scan import scan
from pixelproof.safety import Refusal, Scan

Only = Callable[[Scan], Refusal]
Save = Callable[..., Path]
Edit = Callable[[Callable[[Any], None]], Path]

AT_LOADING = "A SavedModel restores its weights when it is loaded, and does nothing else"
SAVERS = "The functions that save and restore weights are TensorFlow's own, and nothing else calls them"


@pytest.fixture
def edited(scaling: Path, tmp_path: Path, tf: Any) -> Edit:
    """``edited(change)``: a copy of the scaling model after ``change(meta_graph)``."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    def edit(change: Callable[[Any], None]) -> Path:
        folder = tmp_path / "edited"
        shutil.copytree(scaling, folder)
        saved = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
        change(saved.meta_graphs[0])
        (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
        return folder

    return edit


def serving(tf: Any, compute: Callable[[Any], Any], **attributes: Any) -> Any:
    """A module whose ``serve`` is ``compute``, with objects attached."""
    module = tf.Module()
    for name, value in attributes.items():
        setattr(module, name, value)
    spec = tf.TensorSpec((1, None, None, 3), tf.float32, name="input")
    module.serve = tf.function(lambda input: {"output": compute(input)}, input_signature=[spec])
    return module


def function_named(meta: Any, start: str) -> Any:
    """The library function whose name starts so."""
    (found,) = [f for f in meta.graph_def.library.function if f.signature.name.startswith(start)]
    return found


def text_of(found: Scan) -> str:
    """All refusals in one string."""
    return "\n".join(f"{refusal.rule}: {refusal.found}" for refusal in found.refusals)


def test_a_model_with_a_variable_passes(scaling: Path) -> None:
    found = scan(scaling, "savedmodel")
    assert found.refusals == ()
    assert found.format == "savedmodel" and found.functions == 4
    assert found.operations["SaveV2"] == found.operations["RestoreV2"] == 1
    assert found.constant_bytes >= 4


def test_models_of_every_usual_kind_pass(tf: Any, save_model: Save) -> None:
    import keras

    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="swish")(image)
    x = keras.layers.Dropout(0.1)(keras.layers.BatchNormalization()(x))
    model = keras.Model(image, keras.layers.Conv2D(3, 3, padding="same")(x))
    saved = save_model(model)
    assert scan(saved, "savedmodel").refusals == ()
    model.export(str(saved.parent / "exported"), verbose=False)
    assert (saved.parent / "exported" / "assets").is_dir()
    assert scan(saved.parent / "exported", "savedmodel").refusals == ()

    def looping(x: Any) -> Any:
        tf.debugging.assert_less(tf.reduce_max(x), 1e9, message="too large")
        y = tf.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, v * 0.5), (0, x))[1]
        return tf.cond(tf.reduce_mean(y) > 0, lambda: y, lambda: tf.image.rgb_to_grayscale(y) + y)

    found = scan(save_model(serving(tf, looping)), "savedmodel")
    assert found.refusals == () and {"StatelessWhile", "If", "Assert"} <= set(found.operations)
    held = serving(tf, lambda x: x * offset + offset, offset=(offset := tf.constant([1.0, 2.0, 3.0])))
    assert scan(save_model(held), "savedmodel").refusals == ()


class TestLoading:
    """What would run when the model is loaded."""

    @pytest.mark.parametrize("way", ["resource", "main op"])
    def test_an_initialiser_that_writes_a_file(
        self, tf: Any, save_model: Save, tmp_path: Path, way: str
    ) -> None:
        written = tmp_path / "written"

        class Writer(tf.saved_model.experimental.TrackableResource):  # type: ignore[misc]
            def _create_resource(self) -> Any:
                return tf.constant(1.0)

            def _initialize(self) -> None:
                tf.io.write_file(str(written), "by the model")

        if way == "resource":
            folder = save_model(serving(tf, lambda x: x, writer=Writer()))
        else:
            folder = save_by_tf1(
                tf, tmp_path / "saved", main_op=lambda: tf.io.write_file(str(written), "by the model")
            )
        written.unlink(missing_ok=True)
        tf.saved_model.load(str(folder))
        assert written.read_text() == "by the model", "the attack is real"
        text = text_of(scan(folder, "savedmodel"))
        assert AT_LOADING in text and "initialiser" in text
        assert "WriteFile, which writes files" in text

    def test_the_init_op_of_any_name(self, edited: Edit, the_refusal: Only) -> None:
        def let_it_read(meta: Any) -> None:
            (node,) = [n for n in meta.graph_def.node if n.name == "NoOp"]
            node.input.append("^scale/Read/ReadVariableOp")

        found = the_refusal(scan(edited(let_it_read), "savedmodel"))
        assert (found.rule, found.found) == (AT_LOADING, "an initialiser: node NoOp in edited")

    @pytest.mark.parametrize("place", ["signature", "collection"])
    def test_an_init_op_that_is_no_noop(self, edited: Edit, the_refusal: Only, place: str) -> None:
        def point(meta: Any) -> None:
            if place == "signature":
                meta.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = "scale:0"
            else:
                meta.collection_def["saved_model_main_op"].node_list.value.append("scale")

        found = the_refusal(scan(edited(point), "savedmodel"))
        assert (found.rule, found.found) == (AT_LOADING, "an initialiser: node scale in edited")

    @pytest.mark.parametrize(
        "key", ["legacy_init_op", "table_initializer", "saved_model_assets", "local_variables"]
    )
    def test_collections_of_tensorflow_1(self, edited: Edit, the_refusal: Only, key: str) -> None:
        found = the_refusal(
            scan(edited(lambda m: m.collection_def[key].node_list.value.append("NoOp")), "savedmodel")
        )
        assert (found.rule, found.found) == (AT_LOADING, f"the collection {key} in edited")

    def test_a_training_operation(self, edited: Edit, the_refusal: Only) -> None:
        key = "__saved_model_train_op"
        found = the_refusal(scan(edited(lambda m: m.signature_def[key].outputs["x"]), "savedmodel"))
        assert found.found == f"the operation {key} in edited"

    def test_a_table(self, tf: Any, save_model: Save) -> None:
        values = tf.lookup.KeyValueTensorInitializer(tf.constant([1, 2], tf.int64), tf.constant([3.0, 4.0]))
        table = tf.lookup.StaticHashTable(values, 0.0)
        module = serving(tf, lambda x: x + table.lookup(tf.constant(1, tf.int64)), table=table)
        text = text_of(scan(save_model(module), "savedmodel"))
        assert "an object with an initialiser of its own, such as a lookup table" in text
        assert "HashTableV2, which holds a lookup table" in text

    def test_an_asset(self, tf: Any, save_model: Save, tmp_path: Path) -> None:
        (tmp_path / "words.txt").write_text("a\n")
        asset = tf.saved_model.Asset(str(tmp_path / "words.txt"))
        module = serving(
            tf, lambda x: x + tf.cast(tf.strings.length(tf.io.read_file(asset)), tf.float32), asset=asset
        )
        folder = save_model(module)
        (refusal,) = scan(folder, "savedmodel").refusals
        assert refusal.found == "an asset: assets/words.txt in saved"
        (folder / "assets" / "words.txt").unlink()
        text = text_of(scan(folder, "savedmodel"))
        assert f"{AT_LOADING}: an asset: words.txt, object" in text
        assert "ReadFile, which reads files" in text

    def test_an_asset_outside_the_folder(self, edited: Edit, the_refusal: Only) -> None:
        found = the_refusal(
            scan(edited(lambda m: m.asset_file_def.add(filename="../../../etc/passwd")), "savedmodel")
        )
        assert (found.rule, found.found) == (AT_LOADING, "an asset: ../../../etc/passwd in edited")

    def test_objects_with_ways_of_their_own(self, edited: Edit) -> None:
        def change(meta: Any) -> None:
            first, second, third, fourth = meta.object_graph_def.nodes[:4]
            first.registered_name = "tf.StaticHashTable"
            second.saveable_objects["value"].save_function = 1
            third.registered_saver = "tf.TPUEmbeddingCallback"
            fourth.ClearField(fourth.WhichOneof("kind"))

        text = text_of(scan(edited(change), "savedmodel"))
        assert "an object of the class tf.StaticHashTable: object 0 in edited" in text
        assert "an object with a saver of its own: object 1, object 2 in edited" in text
        assert "an object of the unknown kind None: object 3 in edited" in text

    def test_a_saved_model_of_tensorflow_1(self, tf: Any, tmp_path: Path) -> None:
        found = scan(save_by_tf1(tf, tmp_path / "saved"), "savedmodel")
        first = found.refusals[0]
        assert (
            first.rule == "A SavedModel has one meta-graph, with objects as tf.saved_model.save writes them"
        )
        assert first.found == "no objects, as TensorFlow 1 wrote it in saved"
        assert "export a frozen .pb" in first.remedy


def save_by_tf1(tf: Any, folder: Path, main_op: Callable[[], Any] | None = None) -> Path:
    """A SavedModel as TensorFlow 1 wrote it."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, (1, None, None, 3), name="input")
        y = x * v1.get_variable("scale", ())
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.builder.SavedModelBuilder(str(folder))
        signature = v1.saved_model.predict_signature_def({"input": x}, {"output": y})
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": signature}, main_op=main_op() if main_op else None
        )
        builder.save()
    return folder


class TestSavers:
    """Saving and restoring stays where TensorFlow put it."""

    def test_writing_in_the_signature(self, tf: Any, save_model: Save, tmp_path: Path) -> None:
        def save_on_the_way(x: Any) -> Any:
            tf.raw_ops.SaveV2(
                prefix=str(tmp_path / "w"), tensor_names=["x"], shape_and_slices=[""], tensors=[x]
            )
            return x

        text = text_of(scan(save_model(serving(tf, save_on_the_way)), "savedmodel"))
        assert "SaveV2, which writes files" in text and "text that more than an assertion reads" in text

    @pytest.mark.parametrize("operation", ["WriteFile", "ReadFile", "MatchingFiles", "PyFunc", "RestoreV2"])
    def test_more_than_saving_in_the_saver(self, edited: Edit, protos: Any, operation: str) -> None:
        def add(meta: Any) -> None:
            function_named(meta, "__inference__traced_save").node_def.append(protos.node(operation, "more"))

        text = text_of(scan(edited(add), "savedmodel"))
        assert f"{operation}, which " in text and "node more of function __inference__traced_save_" in text

    def test_writing_in_the_restorer(self, edited: Edit, protos: Any) -> None:
        def add(meta: Any) -> None:
            function_named(meta, "__inference__traced_restore").node_def.append(protos.node("SaveV2", "more"))

        assert "SaveV2, which writes files" in text_of(scan(edited(add), "savedmodel"))

    def test_a_saver_s_name_is_no_licence(
        self, edited: Edit, protos: Any, tf: Any, call_function: Any
    ) -> None:
        """A stranger's function with the saver's name, called by the signature: refused at the call."""

        def add(meta: Any) -> None:
            evil = protos.function("__inference__traced_save_99999", protos.node("SaveV2", "write"))
            meta.graph_def.library.function.append(evil)
            call = protos.node("PartitionedCall", "leak", f=call_function(evil.signature.name))
            function_named(meta, "__inference_signature_wrapper").node_def.append(call)

        text = text_of(scan(edited(add), "savedmodel"))
        assert f"{SAVERS}: a call of a saver: node leak of function __inference_signature_wrapper" in text

    @pytest.mark.parametrize("way", ["by its name", "from the graph", "in a nested attribute"])
    def test_other_ways_to_call_a_saver(
        self, edited: Edit, protos: Any, call_function: Any, the_refusal: Only, way: str
    ) -> None:
        def add(meta: Any) -> None:
            name = function_named(meta, "__inference__traced_save").signature.name
            wrapper = function_named(meta, "__inference_signature_wrapper")
            if way == "by its name":
                wrapper.node_def.append(protos.node(name, "leak"))
            elif way == "from the graph":
                meta.graph_def.node.append(protos.node("PartitionedCall", "leak", f=call_function(name)))
            else:
                (call,) = [n for n in wrapper.node_def if "PartitionedCall" in n.op]
                call.name = "leak"
                call.attr["f"].func.attr["deep"].func.name = name

        refusal = the_refusal(scan(edited(add), "savedmodel"))
        assert refusal.rule == SAVERS and "a call of a saver: node leak" in refusal.found

    def test_the_two_savers_swapped(self, edited: Edit) -> None:
        def swap(meta: Any) -> None:
            saver = meta.saver_def
            saver.save_tensor_name, saver.restore_op_name = (
                f"{saver.restore_op_name}:0",
                saver.save_tensor_name[:-2],
            )

        assert f"{SAVERS}: a call of a saver" in text_of(scan(edited(swap), "savedmodel"))

    @pytest.mark.parametrize("way", ["trace", "bare", "listed", "gradient"])
    def test_a_saver_that_objects_know(self, edited: Edit, the_refusal: Only, way: str) -> None:
        def add(meta: Any) -> None:
            name = function_named(meta, "__inference__traced_save").signature.name
            objects = meta.object_graph_def
            if way == "trace":
                objects.nodes.add().function.concrete_functions.append(name)
            elif way == "bare":
                objects.nodes.add().bare_concrete_function.concrete_function_name = name
            elif way == "listed":
                objects.concrete_functions[name].bound_inputs.append(1)
            else:
                gradients = meta.graph_def.library.registered_gradients
                gradients.add(gradient_func=name, registered_op_type="CustomGradient-1")

        refusal = the_refusal(scan(edited(add), "savedmodel"))
        assert refusal.rule == SAVERS
        assert refusal.found.startswith(
            "a saver that is part of the model: function __inference__traced_save_"
        )

    def test_restoring_from_another_file(self, edited: Edit, protos: Any, the_refusal: Only) -> None:
        def redirect(meta: Any) -> None:
            restorer = function_named(meta, "__inference__traced_restore")
            restorer.node_def.append(protos.text("elsewhere", b"/etc/passwd"))
            (node,) = [n for n in restorer.node_def if n.op == "RestoreV2"]
            node.input[0] = "elsewhere:output:0"

        refusal = the_refusal(scan(edited(redirect), "savedmodel"))
        assert refusal.rule == SAVERS and refusal.found.startswith("weights restored from another file")

    def test_a_file_name_of_the_model_s_own(self, edited: Edit, protos: Any, the_refusal: Only) -> None:
        def fix(meta: Any) -> None:
            (node,) = [n for n in meta.graph_def.node if n.name == "saver_filename"]
            node.CopyFrom(protos.text("saver_filename", b"/tmp/x"))

        refusal = the_refusal(scan(edited(fix), "savedmodel"))
        assert refusal.found == "a file name that isn't given from outside: node saver_filename in edited"


class TestProto:
    """The proto as such."""

    def test_text_and_foreign_devices_in_the_graph(self, edited: Edit, protos: Any, tf: Any) -> None:
        def add(meta: Any) -> None:
            meta.graph_def.node.append(protos.node("Placeholder", "words", dtype=tf.string))
            meta.graph_def.node.append(protos.node("NoOp", "far", device="/job:worker/task:3"))

        text = text_of(scan(edited(add), "savedmodel"))
        assert "text that more than an assertion reads: node words" in text
        assert "the device /job:worker/task:3: node far" in text

    def test_a_forbidden_operation_that_nothing_calls(
        self, edited: Edit, protos: Any, the_refusal: Only
    ) -> None:
        def add(meta: Any) -> None:
            meta.graph_def.library.function.append(
                protos.function("spare", protos.node("DebugIdentity", "spy"))
            )

        assert "DebugIdentity" in the_refusal(scan(edited(add), "savedmodel")).found

    def test_without_the_signature(self, tf: Any, save_model: Save, the_refusal: Only) -> None:
        found = the_refusal(scan(save_model(tf.Module()), "savedmodel"))
        assert found.rule == "A SavedModel must have the signature serving_default"
        assert found.found == "no signature in saved"

    def test_with_other_signatures(self, edited: Edit, the_refusal: Only) -> None:
        def rename(meta: Any) -> None:
            meta.signature_def["predict"].CopyFrom(meta.signature_def.pop("serving_default"))

        assert the_refusal(scan(edited(rename), "savedmodel")).found == "the signatures predict in edited"

    def test_two_meta_graphs_or_none(self, scaling: Path, tmp_path: Path, the_refusal: Only) -> None:
        from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

        folder = tmp_path / "saved"
        shutil.copytree(scaling, folder)
        saved = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
        saved.meta_graphs.add().CopyFrom(saved.meta_graphs[0])
        (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
        assert the_refusal(scan(folder, "savedmodel")).found == "2 meta-graphs in saved"
        del saved.meta_graphs[:]
        for content in (saved.SerializeToString(), b"", b"<html>no model</html>", b"\x12\x7f" + bytes(9)):
            (folder / "saved_model.pb").write_bytes(content)
            with pytest.raises(ArtifactError, match=r"must be complete; found saved: saved_model\.pb"):
                scan(folder, "savedmodel")

    def test_more_objects_than_a_model_has(self, edited: Edit, the_refusal: Only) -> None:
        def add(meta: Any) -> None:
            last = meta.object_graph_def.nodes[-1]
            meta.object_graph_def.nodes.extend([last] * 100_000)

        assert "objects in edited" in the_refusal(scan(edited(add), "savedmodel")).found


class TestFolder:
    """The files beside the proto."""

    @pytest.fixture
    def folder(self, scaling: Path, tmp_path: Path) -> Path:
        """A copy to spoil."""
        return Path(shutil.copytree(scaling, tmp_path / "saved"))

    @pytest.mark.parametrize(
        "name",
        [
            "saved_model.pb",
            "variables/variables.index",
            "variables/variables.data-00000-of-00001",
            "variables",
        ],
    )
    def test_a_link(self, folder: Path, tmp_path: Path, the_refusal: Only, name: str) -> None:
        outside = tmp_path / "outside"
        (folder / name).rename(outside)
        (folder / name).symlink_to(outside)
        assert the_refusal(scan(folder, "savedmodel")).found == f"a symbolic link: {name} in saved"

    def test_what_is_no_file(self, folder: Path, the_refusal: Only) -> None:
        os.mkfifo(folder / "variables" / "pipe")
        found = the_refusal(scan(folder, "savedmodel")).found
        assert found == "what is neither file nor folder: variables/pipe in saved"

    def test_an_empty_assets_folder_is_none(self, folder: Path, the_refusal: Only) -> None:
        (folder / "assets").mkdir(exist_ok=True)
        assert scan(folder, "savedmodel").refusals == ()
        (folder / "assets" / "more").mkdir()
        (folder / "assets" / "more" / "x").touch()
        assert the_refusal(scan(folder, "savedmodel")).found == "an asset: assets/more/x in saved"


class TestSignature:
    """The loaded signature, frozen."""

    def test_a_clean_one(self, tf: Any, scaling: Path) -> None:
        from pixelproof.measure.scan.saved_model import scan_signature

        loaded = tf.saved_model.load(str(scaling))
        found = scan_signature(loaded.signatures["serving_default"], label="saved")
        assert (found.format, found.refusals) == ("savedmodel", ())
        assert not {"VarHandleOp", "ReadVariableOp", "SaveV2", "RestoreV2"} & set(found.operations)
        assert found.operations["Mul"] == 1

    def test_one_that_changes_its_variable(self, tf: Any, save_model: Save) -> None:
        from pixelproof.measure.scan.saved_model import scan_signature

        count = tf.Variable(0.0)
        folder = save_model(serving(tf, lambda x: x + count.assign_add(1.0), count=count))
        assert scan(folder, "savedmodel").refusals == ()
        loaded = tf.saved_model.load(str(folder))
        found = scan_signature(loaded.signatures["serving_default"], label="saved")
        assert found.refusals

    def test_one_that_reads_files(self, tf: Any, save_model: Save) -> None:
        from pixelproof.measure.scan.saved_model import scan_signature

        reading = serving(
            tf, lambda x: x + tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)
        )
        loaded = tf.saved_model.load(str(save_model(reading)))
        found = scan_signature(loaded.signatures["serving_default"], label="saved")
        assert "ReadFile, which reads files" in text_of(found)
