"""Export a frozen graph as SavedModel, without any proof: python export_saved_model.py MODEL.pb OUT"""

from __future__ import annotations

import sys
from pathlib import Path

import tensorflow.compat.v1 as tf1

tf1.disable_eager_execution()
definition = tf1.GraphDef()
definition.ParseFromString(Path(sys.argv[1]).read_bytes())
with tf1.Graph().as_default() as graph, tf1.Session() as session:
    tf1.import_graph_def(definition, name="")
    ends = graph.get_tensor_by_name("input:0"), graph.get_tensor_by_name("output:0")
    tf1.saved_model.simple_save(session, sys.argv[2], {"input": ends[0]}, {"output": ends[1]})
