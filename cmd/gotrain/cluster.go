package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"time"

	"gotrain/autograd/cpu"
	"gotrain/autograd/exec"
	"gotrain/cuda/backend"
	"gotrain/train"
	"gotrain/train/ranks"
	"gotrain/train/ranks/gloo"
	"gotrain/train/ranks/mpi"
	"gotrain/train/ranks/nccl"
	"gotrain/train/ranks/store"
)

// meetingTime is how long a rank waits for the others at the start: schedulers
// start the ranks of a job seconds to minutes apart.
const meetingTime = 5 * time.Minute

// engineTimeout ends what the watchdog does not: it is longer than any data takes
// to prepare.
const engineTimeout = 24 * time.Hour

// cluster is the ranks of a run, seen from this one. A process without a launcher
// is alone: group and store are nil.
type cluster struct {
	launch ranks.Launch
	device string // of this rank: cpu or cuda:N; of a process that is alone as it was named
	group  ranks.Group
	gpus   nccl.Group        // the same group on GPUs, nil on CPUs
	paced  *train.PacedGroup // the same group once it is watched
	store  ranks.Store
	server *store.Server // on rank 0, unless the launcher serves the store
	client *store.Client
	// address is where the other ranks reach this machine.
	address string
}

// openCluster finds the other ranks that the launcher started, and waits for them.
// They compute together over engine, as cluster.engine has it, each on a device that
// --device and the launcher give it.
func openCluster(ctx context.Context, engine, device string) (*cluster, error) {
	launch, err := ranks.Detect(os.Getenv)
	if err != nil {
		return nil, usageError{err}
	}
	c := &cluster{launch: launch, device: device}
	if launch.Size == 1 {
		return c, nil
	}
	if c.device, err = rankDevice(device, engine, launch, os.Getenv("CUDA_VISIBLE_DEVICES")); err != nil {
		return nil, fmt.Errorf("rank %d of %d (%s): %w", launch.Rank, launch.Size, launch.Launcher, err)
	}
	ctx, cancel := context.WithTimeout(ctx, meetingTime)
	defer cancel()
	if err := c.open(ctx, rankEngine(engine, c.device)); err != nil {
		return nil, errors.Join(fmt.Errorf("rank %d of %d (%s): %w", launch.Rank, launch.Size, launch.Launcher, err), c.close(nil))
	}
	return c, nil
}

func (c *cluster) open(ctx context.Context, engine string) error {
	host, port, err := net.SplitHostPort(c.launch.Endpoint)
	if err != nil {
		return fmt.Errorf("the endpoint of the run: %w", err)
	}
	if c.launch.Rank == 0 && !c.launch.Served {
		if c.server, err = store.Serve(net.JoinHostPort("", port)); err != nil {
			return err
		}
	}
	if c.client, err = store.Dial(ctx, c.launch.Endpoint); err != nil {
		return err
	}
	c.store = store.WithPrefix(c.client, c.launch.ID)
	if c.address, err = ownAddress(host); err != nil {
		return err
	}
	if err := c.sameEngine(ctx, engine); err != nil {
		return err
	}
	if engine == "mpi" {
		c.group, err = mpi.Open(ctx, mpi.Config{Rank: c.launch.Rank, Size: c.launch.Size})
		return err
	}
	c.group, err = c.openGroup(ctx, store.WithPrefix(c.store, engine), c.launch.Rank, c.launch.Size)
	c.gpus, _ = c.group.(nccl.Group)
	return err
}

// sameEngine makes sure that this rank computes with rank 0 before it tries: ranks of
// different engines would wait for each other.
func (c *cluster) sameEngine(ctx context.Context, engine string) error {
	var missing error
	if engine == "nccl" {
		version, err := nccl.Version()
		engine, missing = "nccl "+version, err
	}
	if c.launch.Rank == 0 {
		return errors.Join(missing, c.store.Set(ctx, "engine", []byte(engine)))
	}
	first, err := c.store.Get(ctx, "engine")
	if err == nil && missing == nil && string(first) != engine {
		err = fmt.Errorf("this rank computes over %s, rank 0 over %s: all need the same binary and libraries, and the same kind of --device", engine, first)
	}
	return errors.Join(missing, err)
}

// openGroup makes a group of the ranks that meet in s, of which this one has the
// number rank: over NCCL on a GPU, else over Gloo.
func (c *cluster) openGroup(ctx context.Context, s ranks.Store, rank, size int) (ranks.Group, error) {
	gpu, err := gpuIndex(c.device)
	if err != nil {
		return nil, err
	}
	if gpu == noGPU {
		return gloo.Open(ctx, gloo.Config{Rank: rank, Size: size, Store: s, Host: c.address, Timeout: engineTimeout})
	}
	return nccl.Open(ctx, nccl.Config{Rank: rank, Size: size, Device: gpu, Store: s})
}

// beWatched times the collectives: once training has begun, stalled is called when
// one waits for the other ranks longer than timeout (0: never), and when ctx has ended
// and it waits for one that is silent.
func (c *cluster) beWatched(ctx context.Context, timeout time.Duration, stalled func(ranks.Report)) error {
	if c.group == nil {
		return nil
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	watched := ranks.Watch(c.group, c.store, ranks.WatchConfig{Host: host, StoreHost: c.launch.Endpoint, Timeout: timeout, Stalled: stalled})
	context.AfterFunc(ctx, watched.Suspect)
	c.paced = train.Paced(watched, time.Now)
	c.group = c.paced
	return nil
}

// ownAddress is the address from which this machine reaches host, which is where
// the other ranks reach it. A machine that is host itself, under a name that leads
// to its loopback, takes the address of its first other interface.
func ownAddress(host string) (string, error) {
	link, err := net.Dial("udp", net.JoinHostPort(host, "9"))
	if err != nil {
		return "", fmt.Errorf("the machine of rank 0: %w", err)
	}
	defer link.Close()
	own := link.LocalAddr().(*net.UDPAddr).IP
	if !own.IsLoopback() || net.ParseIP(host) != nil || host == "localhost" {
		return own.String(), nil
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return "", err
	}
	for _, a := range addresses {
		if network, ok := a.(*net.IPNet); ok && !network.IP.IsLoopback() && network.IP.IsGlobalUnicast() {
			return network.IP.String(), nil
		}
	}
	return own.String(), nil
}

// threads is the number of CPU threads of this rank: its share of the machine
// unless the configuration says.
func (c *cluster) threads(configured int) int {
	if configured > 0 || c.launch.Size == 1 {
		return configured
	}
	return max(1, runtime.GOMAXPROCS(0)/c.launch.LocalSize)
}

// openBackend opens this rank's device, which computes together with those of the
// others.
func (c *cluster) openBackend(threads int) (exec.Backend, device, error) {
	threads = c.threads(threads)
	if c.group == nil {
		return openDevice(c.device, threads)
	}
	if c.gpus == nil {
		b, err := cpu.New(cpu.Config{Threads: threads, Ranks: c.group})
		return b, device{threads: threads}, err
	}
	return openGPU(c.device, threads, backend.Config{Comm: c.gpus.Comm(), Wait: c.paced.Wait})
}

// first tells whether this process speaks for the run.
func (c *cluster) first() bool { return c.launch.Rank == 0 }

// close leaves the group: after a good end, or a stop that all agreed on, together
// with the others; after a failure of its own at once, which ends the others too.
func (c *cluster) close(failure error) error {
	var errs []error
	if c.group != nil {
		if failure == nil {
			errs = append(errs, c.group.Barrier())
		} else {
			c.group.Abort()
		}
		errs = append(errs, c.group.Close())
	}
	if c.client != nil {
		errs = append(errs, c.client.Close())
	}
	if c.server != nil {
		errs = append(errs, c.server.Close())
	}
	return errors.Join(errs...)
}
