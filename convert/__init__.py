"""From a source to frozen graph, SavedModel, TFLite and ONNX, each proven equal to the source."""
