#!/bin/sh
# Take out of a Python environment what nothing in an image reads: tests, headers and sources, symbols,
# Arrow's parts for other services, ONNX Runtime's tools and its library for programs in C. connectorx,
# which reads tables fast and is a third of it all, moves to a folder of its own:
#
#     slim.sh /opt/sqlscore /opt/readers
set -eu
mkdir -p "$2"
cd "$1"/lib/python3*/site-packages
find . -type d -name tests -prune -exec rm -r {} +
find . -type f \( -name '*.pyx' -o -name '*.pxd' -o -name '*.pxi' -o -name '*.pyi' -o -name '*.h' \) -delete
rm -rf onnx/backend/test numpy/f2py numpy/distutils sqlalchemy/testing \
    onnxruntime/transformers onnxruntime/tools onnxruntime/quantization onnxruntime/capi/libonnxruntime.so.* \
    pyarrow/include pyarrow/src pyarrow/libarrow_flight* pyarrow/libarrow_python_flight* pyarrow/_flight* \
    pyarrow/libarrow_s3* pyarrow/_s3fs*
# these come with their symbols; others must not be stripped, since their headers were moved
for one in connectorx/*.so adbc_driver_manager/*.so; do
    if [ -e "$one" ]; then strip --strip-unneeded "$one"; fi
done
for one in connectorx*; do
    if [ -e "$one" ]; then mv "$one" "$2"; fi
done
