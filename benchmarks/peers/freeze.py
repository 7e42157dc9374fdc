"""Freeze a 2018 checkpoint the way the challenge's evaluation script does: python freeze.py CHECKPOINT OUT.pb"""

from __future__ import annotations

import sys
from pathlib import Path

import tensorflow.compat.v1 as tf1

tf1.disable_v2_tensorshape()
tf1.disable_eager_execution()
sys.modules["tensorflow"] = tf1
sys.path.insert(0, str(Path(__file__).parent))

from resnet_2018 import resnet_12_64  # noqa: E402

with tf1.Graph().as_default() as graph, tf1.Session() as session:
    image = tf1.placeholder(tf1.float32, shape=(1, None, None, 3), name="input")
    tf1.identity(resnet_12_64(image), name="output")
    tf1.train.Saver().restore(session, sys.argv[1])
    frozen = tf1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), ["input", "output"])
    Path(sys.argv[2]).write_bytes(frozen.SerializeToString())
