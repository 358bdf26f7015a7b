# The worker on top of the libraries; the containers' command line and every limit come from the host.
ARG LIBRARIES
FROM ${LIBRARIES}
COPY worker /opt/abaci/abaci/sandbox/worker
ENV PATH=/usr/local/bin LD_LIBRARY_PATH=/usr/local/lib
USER 65534:65534
