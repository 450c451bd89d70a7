# An image of one static binary, without a base: make build && docker build -t gotrain .
# docker run --rm -v "$PWD:/work" gotrain pretrain my-text.txt
FROM scratch
ARG BINARY=bin/gotrain
COPY ${BINARY} /gotrain
WORKDIR /work
ENV HOME=/work TMPDIR=/work
ENTRYPOINT ["/gotrain"]
