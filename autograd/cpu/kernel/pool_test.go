package kernel

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestPoolRunsEachTaskOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 5} {
		p := NewPool(threads)
		counts := make([]atomic.Int32, 1000)
		body := func(task, worker int) {
			if worker < 0 || worker >= threads {
				t.Errorf("worker %d of %d", worker, threads)
			}
			counts[task].Add(1)
		}
		sizes := []int{0, 1, 2, 3, 17, 1000}
		for round := range 300 {
			n := sizes[round%len(sizes)]
			p.For(n, body)
			for i := range counts {
				want := int32(0)
				if i < n {
					want = 1
				}
				if got := counts[i].Swap(0); got != want {
					t.Fatalf("threads %d, n %d: task %d ran %d times, want %d", threads, n, i, got, want)
				}
			}
		}
		p.Close()
		p.For(3, body) // after Close the caller runs all
		if counts[0].Load()+counts[1].Load()+counts[2].Load() != 3 {
			t.Errorf("threads %d: loop after Close did not run", threads)
		}
	}
}

func TestPoolSleepingWorkersWake(t *testing.T) {
	p := NewPool(3)
	defer p.Close()
	for range 20 {
		time.Sleep(4 * spinTime) // let the workers fall asleep
		var meet sync.WaitGroup
		meet.Add(3)
		p.For(3, func(task, worker int) { // returns only if three workers run at once
			meet.Done()
			meet.Wait()
		})
	}
}

func TestPoolCallerSleepsForSlowWorker(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	for range 5 {
		var other atomic.Bool
		p.For(2, func(task, worker int) {
			if worker == 1 {
				other.Store(true)
				time.Sleep(10 * spinTime)
				return
			}
			for !other.Load() {
				runtime.Gosched()
			}
		})
	}
}

func TestPoolForRange(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	for _, c := range []struct{ n, grain int }{{0, 4}, {1, 4}, {4, 4}, {5, 4}, {103, 7}, {5, 0}} {
		seen := make([]atomic.Int32, c.n)
		p.ForRange(c.n, c.grain, func(lo, hi, worker int) {
			if grain := max(c.grain, 1); lo%grain != 0 || hi-lo > grain || hi <= lo {
				t.Errorf("n %d, grain %d: range [%d, %d)", c.n, c.grain, lo, hi)
			}
			for i := lo; i < hi; i++ {
				seen[i].Add(1)
			}
		})
		for i := range seen {
			if seen[i].Load() != 1 {
				t.Errorf("n %d, grain %d: element %d ran %d times", c.n, c.grain, i, seen[i].Load())
			}
		}
	}
}

func TestPoolPanicReachesCaller(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	fault := errors.New("fault")
	for task := range 4 {
		func() {
			defer func() {
				got, ok := recover().(*TaskPanic)
				if !ok || got.Value != fault || len(got.Stack) == 0 {
					t.Errorf("task %d: recovered %v, want a TaskPanic with %v", task, got, fault)
				}
			}()
			p.For(4, func(i, worker int) {
				if i == task {
					panic(fault)
				}
			})
			t.Errorf("task %d: For returned", task)
		}()
		n := atomic.Int32{}
		p.For(10, func(task, worker int) { n.Add(1) })
		if n.Load() != 10 {
			t.Fatalf("after a panic %d of 10 tasks ran", n.Load())
		}
	}
}

func TestPoolSharedByGoroutines(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	var total atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				p.For(5, func(task, worker int) { total.Add(1) })
			}
		})
	}
	wg.Wait()
	if total.Load() != 4*200*5 {
		t.Errorf("%d tasks ran, want %d", total.Load(), 4*200*5)
	}
}

func TestPoolDoesNotAllocate(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	task := func(task, worker int) {}
	span := func(lo, hi, worker int) {}
	if n := testing.AllocsPerRun(200, func() { p.For(8, task); p.ForRange(8, 2, span) }); n != 0 {
		t.Errorf("%v allocations per loop, want 0", n)
	}
}

// BenchmarkPool times loops of two tasks of about 10 µs; the ideal is the time
// of one task, "serial" that of two.
func BenchmarkPool(b *testing.B) {
	work := func(task, worker int) {
		x := 1.0
		for range 10000 {
			x = x*1.0000001 + 1e-9
		}
		sink[worker].v = x
	}
	for _, threads := range []int{1, 2} {
		name := "serial"
		if threads > 1 {
			name = "parallel"
		}
		b.Run(name, func(b *testing.B) {
			p := NewPool(threads)
			defer p.Close()
			for b.Loop() {
				p.For(2, work)
			}
		})
	}
}

var sink [2]struct {
	v float64
	_ [64]byte
}
