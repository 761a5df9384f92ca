"""ONNX operators, a file a family: each is a function of tensors; `table` has them all."""
