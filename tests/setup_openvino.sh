#!/bin/sh
# .venv-openvino: ONNX Runtime's build for OpenVINO, which brings its own module `onnxruntime`, before
# the packages of .venv. Without it the tests of a second provider are left out.
set -eu

[ -e .venv-openvino/installed ] && exit 0
.venv/bin/python -m venv --clear .venv-openvino
if ! .venv-openvino/bin/python -m pip install -q --no-deps onnxruntime-openvino; then
    rm -rf .venv-openvino
    echo "left out, since onnxruntime-openvino cannot be installed: the tests of that provider" >&2
    exit 0
fi
# behind its own packages come those of .venv
own=$(.venv-openvino/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' >"$own/behind.pth"
touch .venv-openvino/installed
