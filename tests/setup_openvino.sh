#!/bin/sh
# .venv-openvino: ONNX Runtime's build for OpenVINO, which brings its own module `onnxruntime`, before
# the packages of .venv. Without it the tests of a second provider are left out.
exec tests/setup_beside.sh .venv-openvino "the tests of that provider" onnxruntime-openvino
