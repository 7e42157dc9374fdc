"""SavedModel folders that strangers may hand in: each builder writes one and returns its path."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

IMAGE = (1, None, None, 3)
SAVED = "saved_model.pb"
INDEX, DATA = Path("variables", "variables.index"), Path("variables", "variables.data-00000-of-00001")


def save(folder: Path, change: Callable[[Any, Any], None] | None = None) -> Path:
    """A model that halves the picture by a variable, saved as TensorFlow 2 does.

    Args:
        change: adds something to the module before it is saved; takes TensorFlow and the module.
    """
    import tensorflow as tf

    module = tf.Module()
    module.factor = tf.Variable(0.5)
    module.effect = lambda x: x
    if change is not None:
        change(tf, module)

    @tf.function(input_signature=[tf.TensorSpec(IMAGE, tf.float32, name="x")])
    def serve(x: Any) -> Any:
        return {"y": module.effect(x) * module.factor}

    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})
    return folder


def edited(folder: Path, change: Callable[[Any], None]) -> Path:
    """A good model whose proto was changed afterwards."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    save(folder)
    saved = SavedModel.FromString((folder / SAVED).read_bytes())
    change(saved)
    (folder / SAVED).write_bytes(saved.SerializeToString())
    return folder


def good(folder: Path, secret: Path, outside: Path) -> Path:
    """What an honest team hands in."""
    return save(folder)


def initialiser_of_an_object(folder: Path, secret: Path, outside: Path) -> Path:
    """A resource whose initialiser writes a file; TensorFlow runs it when it loads the model."""

    def change(tf: Any, module: Any) -> None:
        class Resource(tf.saved_model.experimental.TrackableResource):
            def _create_resource(self) -> Any:
                return tf.raw_ops.StackV2(max_size=1, elem_type=tf.float32)

            def _initialize(self) -> None:
                tf.io.write_file(str(outside / "initialised"), "x")

        module.resource = Resource()
        handle = module.resource.resource_handle
        module.effect = lambda x: (
            x + 0 * tf.cast(tf.size(tf.shape(x)), tf.float32) if handle is not None else x
        )

    return save(folder, change)


def initialiser_of_the_graph(folder: Path, secret: Path, outside: Path) -> Path:
    """A main operation that writes a file, as TensorFlow 1 saved it."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, IMAGE, name="x")
        y = tf.identity(x * 0.5, name="y")
        writing = tf.io.write_file(str(outside / "initialised"), "x")
        signature = v1.saved_model.signature_def_utils.predict_signature_def({"x": x}, {"y": y})
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session, ["serve"], signature_def_map={"serving_default": signature}, main_op=writing
        )
        builder.save()
    return folder


def asset(folder: Path, secret: Path, outside: Path) -> Path:
    """A file that travels with the model and is read as it runs."""
    text = folder.parent / "words.txt"
    text.write_text("0.1")

    def change(tf: Any, module: Any) -> None:
        module.words = tf.saved_model.Asset(str(text))
        module.effect = lambda x: x + tf.strings.to_number(tf.io.read_file(module.words.asset_path))

    return save(folder, change)


def asset_elsewhere(folder: Path, secret: Path, outside: Path) -> Path:
    """An asset whose name leads out of the folder."""
    asset(folder, secret, outside)

    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved = SavedModel.FromString((folder / SAVED).read_bytes())
    leading_out = os.path.relpath(secret, folder / "assets")
    saved.meta_graphs[0].asset_file_def[0].filename = leading_out
    (folder / SAVED).write_bytes(saved.SerializeToString())
    (folder / "assets" / "words.txt").unlink()
    return folder


def reading(folder: Path, secret: Path, outside: Path) -> Path:
    """A signature that reads a file."""

    def change(tf: Any, module: Any) -> None:
        module.effect = lambda x: x + tf.cast(tf.strings.length(tf.io.read_file(str(secret))), tf.float32)

    return save(folder, change)


def writing_variables(folder: Path, secret: Path, outside: Path) -> Path:
    """A signature that changes its weights with each call: no two answers are alike."""

    def change(tf: Any, module: Any) -> None:
        module.effect = lambda x: x * 0 + module.factor.assign_add(0.001)

    return save(folder, change)


def saver_called(folder: Path, secret: Path, outside: Path) -> Path:
    """A graph that calls its own saver with another file's name."""

    def change(saved: Any) -> None:
        graph = saved.meta_graphs[0].graph_def
        saver = next(f.signature.name for f in graph.library.function if "traced_save" in f.signature.name)
        function = next(f for f in graph.library.function if "serve" in f.signature.name)
        node = function.node_def.add(name="sneaky", op="StatefulPartitionedCall")
        node.attr["f"].func.name = saver

    return edited(folder, change)


def two_graphs(folder: Path, secret: Path, outside: Path) -> Path:
    """Two models in one: which one is judged?"""
    return edited(folder, lambda saved: saved.meta_graphs.add().CopyFrom(saved.meta_graphs[0]))


def without_signature(folder: Path, secret: Path, outside: Path) -> Path:
    """No way to call it."""
    return edited(folder, lambda saved: saved.meta_graphs[0].signature_def.pop("serving_default"))


def noise(folder: Path, secret: Path, outside: Path) -> Path:
    """A proto that is none."""
    save(folder)
    (folder / SAVED).write_bytes(b"\xff" * 4096)
    return folder


def weights_as_a_link(folder: Path, secret: Path, outside: Path) -> Path:
    """Weights that are a link out of the folder."""
    save(folder)
    (folder / DATA).unlink()
    (folder / DATA).symlink_to(secret)
    return folder


def folder_as_a_link(folder: Path, secret: Path, outside: Path) -> Path:
    """A folder of weights that is a link out of the folder."""
    save(folder)
    (folder / INDEX.parent).rename(folder / "moved")
    (folder / INDEX.parent).symlink_to(outside)
    return folder


def weights_cut(folder: Path, secret: Path, outside: Path) -> Path:
    """Weights that end too early."""
    save(folder)
    (folder / DATA).write_bytes(b"")
    return folder


def with_fifo(folder: Path, secret: Path, outside: Path) -> Path:
    """A pipe among the files: who opens it waits for ever."""
    save(folder)
    os.mkfifo(folder / "variables" / "more.index")
    return folder


def fifo_as_graph(folder: Path, secret: Path, outside: Path) -> Path:
    """A pipe in place of the proto."""
    save(folder)
    (folder / SAVED).unlink()
    os.mkfifo(folder / SAVED)
    return folder


def with_device(folder: Path, secret: Path, outside: Path) -> Path:
    """A device among the files: who reads it never comes to its end. Needs root."""
    save(folder)
    os.mknod(folder / "variables" / "zeros", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    return folder


def undecodable_member(folder: Path, secret: Path, outside: Path) -> Path:
    """A file whose name is no text, nor fit for a terminal."""
    save(folder)
    (folder / "variables" / os.fsdecode(b"\xff\x1b[2J")).write_text("x")
    return folder


def deep_folders(folder: Path, secret: Path, outside: Path) -> Path:
    """Fifty folders in each other."""
    save(folder)
    Path(folder, *["d"] * 50).mkdir(parents=True)
    return folder


Write = Callable[[Path, Path, Path], Path]
BUILDERS: Mapping[str, Write] = {
    "initialiser_of_an_object": initialiser_of_an_object,
    "initialiser_of_the_graph": initialiser_of_the_graph,
    "asset": asset,
    "asset_elsewhere": asset_elsewhere,
    "reading": reading,
    "writing_variables": writing_variables,
    "saver_called": saver_called,
    "two_graphs": two_graphs,
    "without_signature": without_signature,
    "noise": noise,
    "weights_as_a_link": weights_as_a_link,
    "folder_as_a_link": folder_as_a_link,
    "weights_cut": weights_cut,
    "with_fifo": with_fifo,
    "fifo_as_graph": fifo_as_graph,
    "with_device": with_device,
    "undecodable_member": undecodable_member,
    "deep_folders": deep_folders,
    "good": good,
}
"""Each takes the folder to write (it doesn't exist), a file to read, and a folder to write into."""
