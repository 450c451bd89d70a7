// Package join makes one run of the processes that a launcher started: it finds the
// other ranks, chooses a device and an engine for this one, and opens both.
//
// [Open] waits for all ranks and gives the [Cluster], seen from this one. Its Group
// computes over Gloo or MPI between CPUs and over NCCL between GPUs; [Cluster.Watch]
// has stalls reported, [Cluster.OpenBackend] opens the back end whose collectives are
// the group's, and [Cluster.Close] leaves together with the others, or ends them.
// A process that no launcher started is a cluster of its own, without a group.
//
// A device that does not fit the launch or the engine is a *device.Error; all other
// errors are of meeting the other ranks, and name this one. A Cluster is used by one
// goroutine.
package join

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"time"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/train/device"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/ranks/gloo"
	"example.com/gotrain/train/ranks/mpi"
	"example.com/gotrain/train/ranks/nccl"
	"example.com/gotrain/train/ranks/store"
)

// meetingTime is how long a rank waits for the others at the start: schedulers
// start the ranks of a job seconds to minutes apart.
const meetingTime = 5 * time.Minute

// engineTimeout ends what the watchdog does not: it is longer than any data takes
// to prepare.
const engineTimeout = 24 * time.Hour

// Config says how the ranks compute together.
type Config struct {
	Launch ranks.Launch // by ranks.Detect
	Engine string       // auto, gloo, mpi or nccl
	Device string       // of all ranks: auto, cpu, cuda, or cuda:N where each machine has one
}

// Cluster is the ranks of a run, seen from this one.
type Cluster struct {
	Launch ranks.Launch
	Device string      // of this rank: cpu or cuda:N; of a process that is alone as it was named
	Group  ranks.Group // nil for a process that is alone
	Store  ranks.Store // nil for a process that is alone

	gpus   nccl.Group        // the same group on GPUs, nil on CPUs
	paced  *ranks.PacedGroup // the same group once it is watched
	server *store.Server     // on rank 0, unless the launcher serves the store
	client *store.Client
	// address is where the other ranks reach this machine.
	address string
}

// Open finds the other ranks of the launch and waits for them.
func Open(ctx context.Context, cfg Config) (*Cluster, error) {
	c := &Cluster{Launch: cfg.Launch, Device: cfg.Device}
	if c.Launch.Size == 1 {
		return c, nil
	}
	fault := func(err error) error {
		return fmt.Errorf("rank %d of %d (%s): %w", c.Launch.Rank, c.Launch.Size, c.Launch.Launcher, err)
	}
	var err error
	if c.Device, err = rankDevice(cfg.Device, cfg.Engine, c.Launch, os.Getenv("CUDA_VISIBLE_DEVICES"), device.GPUs); err != nil {
		return nil, fault(err)
	}
	ctx, cancel := context.WithTimeout(ctx, meetingTime)
	defer cancel()
	if err := c.open(ctx, rankEngine(cfg.Engine, c.Device)); err != nil {
		return nil, errors.Join(fault(err), c.Close(nil))
	}
	return c, nil
}

func (c *Cluster) open(ctx context.Context, engine string) error {
	host, port, err := net.SplitHostPort(c.Launch.Endpoint)
	if err != nil {
		return fmt.Errorf("the endpoint of the run: %w", err)
	}
	if c.Launch.Rank == 0 && !c.Launch.Served {
		if c.server, err = store.Serve(net.JoinHostPort("", port)); err != nil {
			return err
		}
	}
	if c.client, err = store.Dial(ctx, c.Launch.Endpoint); err != nil {
		return err
	}
	c.Store = store.WithPrefix(c.client, c.Launch.ID)
	if c.address, err = ownAddress(host); err != nil {
		return err
	}
	if err := c.sameEngine(ctx, engine); err != nil {
		return err
	}
	if engine == "mpi" {
		c.Group, err = mpi.Open(ctx, mpi.Config{Rank: c.Launch.Rank, Size: c.Launch.Size})
		return err
	}
	c.Group, err = c.Subgroup(ctx, store.WithPrefix(c.Store, engine), c.Launch.Rank, c.Launch.Size)
	c.gpus, _ = c.Group.(nccl.Group)
	return err
}

// sameEngine makes sure that this rank computes with rank 0 before it tries: ranks of
// different engines would wait for each other.
func (c *Cluster) sameEngine(ctx context.Context, engine string) error {
	var missing error
	if engine == "nccl" {
		version, err := nccl.Version()
		engine, missing = "nccl "+version, err
	}
	if c.Launch.Rank == 0 {
		return errors.Join(missing, c.Store.Set(ctx, "engine", []byte(engine)))
	}
	first, err := c.Store.Get(ctx, "engine")
	if err == nil && missing == nil && string(first) != engine {
		err = fmt.Errorf("this rank computes over %s, rank 0 over %s: all need the same binary and libraries, and the same kind of --device", engine, first)
	}
	return errors.Join(missing, err)
}

// Subgroup makes a group of the ranks that meet in s, of which this one has the
// number rank: over NCCL on a GPU, else over Gloo. The caller closes it.
func (c *Cluster) Subgroup(ctx context.Context, s ranks.Store, rank, size int) (ranks.Group, error) {
	gpu, err := device.Index(c.Device)
	if err != nil {
		return nil, err
	}
	if gpu == device.CPU {
		return gloo.Open(ctx, gloo.Config{Rank: rank, Size: size, Store: s, Host: c.address, Timeout: engineTimeout})
	}
	return nccl.Open(ctx, nccl.Config{Rank: rank, Size: size, Device: gpu, Store: s})
}

// Watch times the collectives of Group: once training has begun, stalled is called when
// one waits for the other ranks longer than timeout (0: never), and when ctx has ended
// and it waits for one that is silent. It comes before OpenBackend.
func (c *Cluster) Watch(ctx context.Context, timeout time.Duration, stalled func(ranks.Report)) error {
	if c.Group == nil {
		return nil
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	watched := ranks.Watch(c.Group, c.Store, ranks.WatchConfig{Host: host, StoreHost: c.Launch.Endpoint, Timeout: timeout, Stalled: stalled})
	context.AfterFunc(ctx, watched.Suspect)
	c.paced = ranks.Paced(watched, time.Now)
	c.Group = c.paced
	return nil
}

// OpenBackend opens this rank's device on a number of CPU threads (0: its share of the
// machine); it computes together with those of the other ranks. The caller closes it,
// before the Cluster.
func (c *Cluster) OpenBackend(threads int) (exec.Backend, device.Device, error) {
	if threads == 0 && c.Launch.Size > 1 {
		threads = max(1, runtime.GOMAXPROCS(0)/c.Launch.LocalSize)
	}
	var with device.Collectives
	switch {
	case c.gpus != nil:
		with.Comm = c.gpus.Comm()
		if c.paced != nil {
			with.Wait = c.paced.Wait
		}
	case c.Group != nil:
		with.Group = c.Group
	}
	return device.Open(c.Device, threads, with)
}

// First tells whether this process speaks for the run.
func (c *Cluster) First() bool { return c.Launch.Rank == 0 }

// Close leaves the group: after a good end (nil), or a stop that all agreed on,
// together with the others; after a failure of its own at once, which ends the others
// too.
func (c *Cluster) Close(failure error) error {
	var errs []error
	if c.Group != nil {
		if failure == nil {
			errs = append(errs, c.Group.Barrier())
		} else {
			c.Group.Abort()
		}
		errs = append(errs, c.Group.Close())
	}
	if c.client != nil {
		errs = append(errs, c.client.Close())
	}
	if c.server != nil {
		errs = append(errs, c.server.Close())
	}
	return errors.Join(errs...)
}
