# The interpreter and the libraries that programs may use. `abaci sandbox build` writes the pins.
ARG BASE
FROM ${BASE}
COPY requirements.txt /tmp/requirements.txt
RUN python3 -m pip install --no-cache-dir --no-deps --compile --only-binary :all: --requirement /tmp/requirements.txt \
 && rm /tmp/requirements.txt && mkdir -p /run/abaci
