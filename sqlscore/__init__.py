"""Native scoring for any SQL database: ONNX models where the rows lie."""
