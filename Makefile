# make NAME; what each needs besides Go, it says when it is missing. The targets are the commands of README.md and the guides.
SHELL := /bin/bash
.PHONY: build train test lint bench generate golden build-cuda kernels lint-cuda test-sim test-sim-asan build-cluster test-cluster test-faults test-slurm lines release

build:            ## one static binary in bin/
	CGO_ENABLED=0 go build -trimpath -o bin/gotrain ./cmd/gotrain

train:            ## the five-minute run
	go run ./cmd/gotrain pretrain --config configs/opticks.yaml

test:             ## all tests: without assembly, then as users run it
	CGO_ENABLED=0 go test -tags noasm ./autograd/... ./data/bpe
	CGO_ENABLED=0 go test ./...

lint:             ## what CI checks before the tests
	@test -z "$$(gofmt -l .)" || (gofmt -l .; echo "run gofmt -w on these files"; exit 1)
	go vet ./...
	GOARCH=arm64 go vet ./...
	go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

bench:            ## this machine's kernels and steps against its peak
	go run ./cmd/gotrain bench

generate:         ## the assembly, from the avo programs beside it
	go generate ./autograd/cpu/... ./data/bpe

golden:           ## golden files from PyTorch and transformers, into testdata (Python)
	scripts/golden/all.sh

lines:            ## Go lines of each package
	scripts/lines.sh

build-cuda:       ## the binary for NVIDIA GPUs in bin/, with what that needs fetched into build/ (gcc, pip)
	scripts/cuda/build.sh

kernels:          ## the CUDA kernels whose sources changed, compiled into cuda/kernels/fatbin (pip)
	scripts/cuda/kernels.sh
	scripts/cuda/report.sh

lint-cuda:        ## what is built for CUDA (gcc, pip)
	scripts/cuda/libraries.sh
	. scripts/cuda/env.sh && go vet -tags gpu ./... && go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 -tags gpu ./...

test-sim:         ## what is built for CUDA, on the simulator: no GPU needed (g++, pip)
	scripts/cuda/test_sim.sh

test-sim-asan:    ## the kernels under the address, race and undefined-behaviour sanitizers (g++, pip)
	scripts/cuda/test_sim.sh address
	scripts/cuda/test_sim.sh undefined
	scripts/cuda/test_sim.sh thread

TAGS ?= gloo
build-cluster:    ## the binary for ranks on CPUs in bin/; TAGS=mpi or gloo,mpi for MPI (Gloo, Open MPI: scripts/cluster/install.sh)
	scripts/require.sh $(filter gloo mpi,$(subst $(comma), ,$(TAGS)))
	CGO_ENABLED=1 go build -trimpath -tags $(TAGS) -o bin/gotrain-cluster ./cmd/gotrain
comma := ,

test-cluster:     ## the engines of ranks on CPUs, with ranks as processes (Gloo, Open MPI)
	scripts/require.sh gloo mpi mpirun
	CGO_ENABLED=1 go test -tags gloo,mpi ./train/ranks/...

test-faults:      ## ranks on this machine that are killed, stopped, and run out of memory, disk and file size (Gloo, Open MPI, root)
	scripts/cluster/fault_test.sh

test-slurm:       ## training on 4 nodes of a real Slurm on this machine, which are broken in turn (Gloo, Slurm, root)
	scripts/cluster/test_slurm.sh

release:          ## six binaries, wheels and an image in dist/, and a start of those for Linux (git, venv, buildah or docker, qemu)
	scripts/release/release.sh
