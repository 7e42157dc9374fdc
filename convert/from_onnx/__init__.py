"""A stranger's ONNX file into the formats that a challenge takes."""
