package cpu

import (
	"fmt"
	"unsafe"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
)

const (
	// commStage is the size in bytes of the buffer in which small tensors become
	// one message.
	commStage = 1 << 20
	// commSmall is the most elements of a tensor that goes through it: larger
	// ones are messages of their own, without a copy.
	commSmall = 16 << 10
)

// job is a collective over x, in place.
type job struct {
	sort commSort
	x    []float32 // none asks for an answer on comm.done
}

// commSort is what tensors of one message have in common.
type commSort struct {
	kind ir.Kind
	root int
}

// String is the place in an error.
func (s commSort) String() string {
	switch s.kind {
	case ir.ReduceTo:
		return fmt.Sprintf("sum of gradients over the ranks, to rank %d", s.root)
	case ir.BroadcastFrom:
		return fmt.Sprintf("parameters from rank %d", s.root)
	}
	return "sum over the ranks"
}

// comm runs collectives on a goroutine of its own, in the order in which they
// were started, while kernels go on. What becomes one message depends on that
// order alone, which is the same on all ranks.
type comm struct {
	size    int
	jobs    chan job
	done    chan error // the first error since the last answer
	started bool       // since the last answer
	failed  bool       // this rank is behind a fault: what is staged is not sent
}

func newComm(ranks exec.Collectives) *comm {
	c := &comm{size: ranks.Size(), jobs: make(chan job, 64), done: make(chan error)}
	w := &commWorker{ranks: ranks, stage: make([]float32, commStage/4)}
	go func() {
		for j := range c.jobs {
			if j.x != nil {
				w.add(j)
				continue
			}
			if c.failed {
				w.drop()
			}
			w.flush()
			c.done <- w.err
			w.err = nil
		}
	}()
	return c
}

// start begins a collective.
func (c *comm) start(j job) {
	if len(j.x) > 0 {
		c.started = true
		c.jobs <- j
	}
}

// wait returns when all collectives are done, with the first error. A rank that
// failed sends no more: it has not started all of them, so that its next message
// would not be that of the others.
func (c *comm) wait(failed bool) error {
	if !c.started {
		return nil
	}
	c.started, c.failed = false, failed
	c.jobs <- job{}
	return <-c.done
}

func (c *comm) close() { close(c.jobs) }

type commWorker struct {
	ranks  exec.Collectives
	staged []job // small ones, in the order in which they were started
	full   int   // their elements
	stage  []float32
	err    error // ends all further work until it is told
}

func (w *commWorker) add(j job) {
	if len(j.x) > commSmall {
		w.run(j)
		return
	}
	if w.full+len(j.x) > len(w.stage) {
		w.flush()
	}
	w.staged, w.full = append(w.staged, j), w.full+len(j.x)
}

// flush runs what is staged, all of one sort as one message.
func (w *commWorker) flush() {
	for i, j := range w.staged {
		if j.x == nil {
			continue // went with an earlier one
		}
		same := w.staged[i:]
		n := 0
		for _, k := range same {
			if k.sort == j.sort {
				n += copy(w.stage[n:], k.x)
			}
		}
		w.run(job{j.sort, w.stage[:n]})
		n = 0
		for k := range same {
			if same[k].sort == j.sort {
				n += copy(same[k].x, w.stage[n:])
				same[k].x = nil
			}
		}
	}
	w.drop()
}

func (w *commWorker) drop() { w.staged, w.full = w.staged[:0], 0 }

func (w *commWorker) run(j job) {
	if w.err != nil {
		return
	}
	var err error
	switch j.sort.kind {
	case ir.AllReduce:
		err = w.ranks.AllReduce(j.x)
	case ir.ReduceTo:
		err = w.ranks.Reduce(j.x, j.sort.root)
	case ir.BroadcastFrom:
		err = w.ranks.Broadcast(unsafe.Slice((*byte)(unsafe.Pointer(&j.x[0])), 4*len(j.x)), j.sort.root)
	}
	if err != nil {
		w.err = fmt.Errorf("%s: %w", j.sort, err)
	}
}

// bindCollective starts a collective in the storage of the result.
func bindCollective(c *call) func() {
	x, y, comm := c.x(0), c.y(0), c.comm
	to, _ := c.Attrs.(ir.RootAttrs) // AllReduce has none
	j := job{commSort{c.Kind, to.Root}, y}
	return func() {
		if len(x) > 0 && &x[0] != &y[0] {
			copy(y, x)
		}
		if comm != nil {
			comm.start(j)
		}
	}
}

func bindAwait(c *call) func() { return c.await }

// await waits for the collectives that were started.
func (b *Backend) await() {
	if b.comm == nil {
		return
	}
	if err := b.comm.wait(b.err != nil); err != nil && b.err == nil {
		b.err = err
	}
}
