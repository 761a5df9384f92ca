# A stand-in for python:3.11-slim, upon a Debian of mmdebstrap: where no registry can be reached.
FROM sqlscore-debian:bookworm
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_DISABLE_PIP_VERSION_CHECK=1
RUN ln -s python3 /usr/bin/python && rm -f /usr/lib/python3.*/EXTERNALLY-MANAGED
