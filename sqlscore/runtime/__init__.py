"""ONNX Runtime inside a database's own process, called from its SQL."""
