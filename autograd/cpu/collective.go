package cpu

import (
	"fmt"

	"gotrain/autograd/exec"
)

const (
	// commStage is the size in bytes of the buffer in which small tensors become
	// one message.
	commStage = 1 << 20
	// commSmall is the most elements of a tensor that goes through it: larger
	// ones are messages of their own, without a copy.
	commSmall = 16 << 10
)

// comm runs collectives on a goroutine of its own, in the order in which they
// were started, while kernels go on. What becomes one message depends on that
// order alone, which is the same on all ranks.
type comm struct {
	size    int
	jobs    chan []float32 // nil asks for an answer on done
	done    chan error     // the first error since the last answer
	started bool           // since the last answer
	failed  bool           // this rank is behind a fault: what is staged is not sent
}

func newComm(ranks exec.Ranks) *comm {
	c := &comm{size: ranks.Size(), jobs: make(chan []float32, 64), done: make(chan error)}
	w := &commWorker{ranks: ranks, stage: make([]float32, 0, commStage/4)}
	go func() {
		for x := range c.jobs {
			if x == nil {
				if c.failed {
					w.drop()
				}
				w.flush()
				c.done <- w.err
				w.err = nil
				continue
			}
			w.add(x)
		}
	}()
	return c
}

// allReduce starts the sum of x, in place.
func (c *comm) allReduce(x []float32) {
	if len(x) > 0 {
		c.started = true
		c.jobs <- x
	}
}

// wait returns when all sums are done, with the first error. A rank that failed
// sends no more: it has not started all sums, so that its next message would not
// be that of the others.
func (c *comm) wait(failed bool) error {
	if !c.started {
		return nil
	}
	c.started, c.failed = false, failed
	c.jobs <- nil
	return <-c.done
}

func (c *comm) close() { close(c.jobs) }

type commWorker struct {
	ranks  exec.Ranks
	staged [][]float32 // the tensors whose elements are in stage
	stage  []float32
	err    error // ends all further work until it is told
}

func (w *commWorker) add(x []float32) {
	if len(x) > commSmall {
		w.reduce(x)
		return
	}
	if len(w.stage)+len(x) > cap(w.stage) {
		w.flush()
	}
	w.stage, w.staged = append(w.stage, x...), append(w.staged, x)
}

// flush sums what is staged and puts it back.
func (w *commWorker) flush() {
	if len(w.stage) > 0 {
		w.reduce(w.stage)
	}
	at := 0
	for _, x := range w.staged {
		at += copy(x, w.stage[at:])
	}
	w.drop()
}

func (w *commWorker) drop() { w.stage, w.staged = w.stage[:0], w.staged[:0] }

func (w *commWorker) reduce(x []float32) {
	if w.err == nil {
		if err := w.ranks.AllReduce(x); err != nil {
			w.err = fmt.Errorf("sum of gradients over the ranks: %w", err)
		}
	}
}

func bindAllReduce(c *call) func() {
	x, y, comm := c.x(0), c.y(0), c.comm
	return func() {
		if len(x) > 0 && &x[0] != &y[0] {
			copy(y, x)
		}
		if comm != nil {
			comm.allReduce(y)
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
