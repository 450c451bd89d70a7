package kernel

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// spinTime is how long a thread that waits (a worker for the next loop, the
// caller for the last tasks) polls before it sleeps. It covers the gaps between
// back-to-back kernels of 10-50 µs; a wake-up from sleep costs about as much.
const spinTime = 50 * time.Microsecond

// A Pool runs loops of independent tasks on a fixed set of persistent
// goroutines. The caller of For takes part as worker 0, and tasks are claimed
// one by one from an atomic counter, so a worker whose core is taken by another
// process delays a loop by at most the task it holds: everyone else, the caller
// included, takes over the rest.
//
// A Pool may be shared by goroutines; their loops run one after the other. A
// body must not call For on the same Pool.
type Pool struct {
	mu sync.Mutex // held for the duration of a loop

	// The current loop. Written before left is raised and constant until done
	// reaches tasks, hence safe to read for whoever holds a claimed task.
	tasks int
	body  func(task, worker int)

	n, grain  int // ForRange
	rangeBody func(lo, hi, worker int)
	rangeTask func(task, worker int) // p.runRange, bound once

	_    [64]byte
	left atomic.Int64 // tasks not yet claimed
	_    [64]byte
	done atomic.Int64 // tasks finished
	_    [64]byte

	caller  sleeper
	workers []*sleeper // workers[i] is worker i+1
	closed  atomic.Bool
	failed  atomic.Pointer[TaskPanic]
	exited  sync.WaitGroup
}

// TaskPanic is the value with which For panics after a body has panicked.
type TaskPanic struct {
	Value any    // what the body panicked with
	Stack []byte // the stack of the worker that ran it
}

// Error makes a TaskPanic readable where it is recovered or printed.
func (t *TaskPanic) Error() string {
	return fmt.Sprintf("kernel: task panicked: %v\n\n%s", t.Value, t.Stack)
}

// NewPool starts threads-1 workers; the caller of For is the remaining one.
// threads < 1 means runtime.GOMAXPROCS(0).
func NewPool(threads int) *Pool {
	if threads < 1 {
		threads = runtime.GOMAXPROCS(0)
	}
	p := &Pool{}
	p.rangeTask = p.runRange
	p.caller.wake = make(chan struct{}, 1)
	for i := 1; i < threads; i++ {
		s := &sleeper{wake: make(chan struct{}, 1)}
		p.workers = append(p.workers, s)
		p.exited.Go(func() { p.serve(s, i) })
	}
	return p
}

// Threads is the number of workers, the caller of For included. Worker numbers
// are below it, so per-worker buffers are indexed by them.
func (p *Pool) Threads() int { return len(p.workers) + 1 }

// Close ends the workers and waits until they are gone. It must not overlap a
// loop; loops after it run on the caller alone.
func (p *Pool) Close() {
	p.closed.Store(true)
	for _, s := range p.workers {
		s.rouse()
	}
	p.exited.Wait()
}

// For calls body(task, worker) for each task in [0, n), each exactly once, in
// no fixed order, and returns when all have returned. It does not allocate; a
// caller that must not allocate either makes its body once and passes arguments
// through fields. When a body panics, the tasks not yet started are dropped and
// For panics with a *TaskPanic.
func (p *Pool) For(n int, body func(task, worker int)) {
	if n <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.body = body
	p.run(n)
}

// ForRange splits [0, n) into consecutive ranges of grain elements, the last
// one shorter, and calls body(lo, hi, worker) for each as For does. The split
// does not depend on the number of threads.
func (p *Pool) ForRange(n, grain int, body func(lo, hi, worker int)) {
	if n <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n, p.grain, p.rangeBody = n, max(grain, 1), body
	p.body = p.rangeTask
	p.run((n + p.grain - 1) / p.grain)
}

func (p *Pool) runRange(task, worker int) {
	lo := task * p.grain
	p.rangeBody(lo, min(lo+p.grain, p.n), worker)
}

// run executes the loop described by p.body on all workers.
func (p *Pool) run(n int) {
	p.tasks = n
	p.done.Store(0)
	p.left.Store(int64(n))
	for _, s := range p.workers[:min(n-1, len(p.workers))] {
		s.rouse()
	}
	p.work(0)
	p.caller.await(p.finished)
	p.body, p.rangeBody = nil, nil
	if t := p.failed.Swap(nil); t != nil {
		panic(t)
	}
}

func (p *Pool) finished() bool { return p.done.Load() == int64(p.tasks) }

// serve is the life of one worker.
func (p *Pool) serve(s *sleeper, worker int) {
	ready := func() bool { return p.left.Load() > 0 || p.closed.Load() }
	for !p.closed.Load() {
		p.work(worker)
		s.await(ready)
	}
}

// work claims and runs tasks until none is left, then reports them as done.
// Claiming by compare-and-swap on the count of unclaimed tasks makes a late
// worker harmless: it either claims a task of whatever loop is current or none.
func (p *Pool) work(worker int) {
	finished := int64(0)
	defer func() {
		if v := recover(); v != nil {
			p.failed.CompareAndSwap(nil, &TaskPanic{v, debug.Stack()})
			finished += 1 + p.left.Swap(0)
		}
		if finished == 0 {
			return
		}
		tasks := int64(p.tasks) // the next loop may begin as soon as done is raised
		if p.done.Add(finished) == tasks && worker != 0 {
			p.caller.rouse()
		}
	}()
	for {
		left := p.left.Load()
		if left == 0 {
			return
		}
		if !p.left.CompareAndSwap(left, left-1) {
			continue
		}
		p.body(p.tasks-int(left), worker)
		finished++
	}
}

// A sleeper is one thread's place to wait for a condition that others make true.
type sleeper struct {
	asleep atomic.Bool
	wake   chan struct{} // capacity 1
	_      [64]byte
}

// await returns once ready() holds: it polls for spinTime, then yields, then
// sleeps until rouse. Whoever makes the condition true calls rouse afterwards.
func (s *sleeper) await(ready func() bool) {
	var start time.Time
	for i := 0; ; i++ {
		for range 16 {
			if ready() {
				return
			}
			pause()
		}
		switch {
		case i == 0:
			start = time.Now()
		case time.Since(start) > spinTime:
			runtime.Gosched()
			s.asleep.Store(true)
			if ready() && s.asleep.CompareAndSwap(true, false) {
				return
			}
			<-s.wake
			i = -1
		}
	}
}

// rouse ends the sleep of s, if it is asleep.
func (s *sleeper) rouse() {
	if s.asleep.Load() && s.asleep.CompareAndSwap(true, false) {
		s.wake <- struct{}{}
	}
}
