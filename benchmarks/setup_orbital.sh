#!/bin/sh
# .venv-orbital: orbital, whose onnx is older than ours, with the scikit-learn that pickled the models.
set -eu

[ -e .venv-orbital/installed ] && exit 0
same=$(.venv/bin/python -c 'import sklearn; print(sklearn.__version__)')
.venv/bin/python -m venv --clear .venv-orbital
.venv-orbital/bin/python -m pip install -q orbital==0.6.0 "scikit-learn==$same"
touch .venv-orbital/installed
