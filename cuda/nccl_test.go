//go:build gpu

package cuda

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// member is a rank of a test's communicator.
type member struct {
	comm   *Comm
	stream *Stream
}

// ranks makes a communicator of devices 0 and 1.
func ranks(t *testing.T) [2]member {
	t.Helper()
	if infos, err := Devices(); err != nil || len(infos) < 2 {
		t.Skipf("needs two devices: %v", err)
	}
	id, err := UniqueID()
	if err != nil {
		t.Fatal(err)
	}
	var members [2]member
	var wait sync.WaitGroup
	for r := range members {
		d := openDevice(t, r)
		wait.Go(func() {
			comm, err := d.NewComm(id, r, len(members))
			check(t, err)
			stream, err := d.NewStream()
			check(t, err)
			members[r] = member{comm, stream}
		})
	}
	wait.Wait()
	if t.Failed() {
		t.FailNow()
	}
	t.Cleanup(func() {
		for _, m := range members {
			check(t, m.comm.Close())
			check(t, m.stream.Close())
		}
	})
	return members
}

// each runs f for both ranks, each in a goroutine.
func each(members [2]member, f func(r int, m member)) {
	var wait sync.WaitGroup
	for r, m := range members {
		wait.Go(func() { f(r, m) })
	}
	wait.Wait()
}

// reduced is the reduction of two values, stored as a type.
func reduced(t DType, r Reduction, a, b float32) float32 {
	x := a + b
	switch r {
	case Average:
		x /= 2
	case Max:
		x = max(a, b)
	}
	if t == BFloat16 {
		x = roundBF16(x)
	}
	return x
}

// TestCollectives moves more than one slot of the simulator's shared memory, of
// an odd number of elements.
func TestCollectives(t *testing.T) {
	members := ranks(t)
	const n = 131_101
	r := rand.New(rand.NewPCG(1, 2))
	for _, dtype := range []DType{Float32, BFloat16} {
		in := [2][]float32{randomValues(r, dtype, 2*n), randomValues(r, dtype, 2*n)}
		part := func(p Ptr, rank int) Ptr { return p + Ptr(int64(rank)*n*dtype.Size()) }
		for _, op := range []Reduction{Sum, Average, Max} {
			t.Run(fmt.Sprintf("%v/%v", dtype, op), func(t *testing.T) {
				want := make([]float32, 2*n)
				for i := range want {
					want[i] = reduced(dtype, op, in[0][i], in[1][i])
				}
				each(members, func(rank int, m member) {
					src, dst := put(t, m.stream, dtype, in[rank]), put(t, m.stream, dtype, make([]float32, 2*n))
					check(t, m.comm.ReduceScatter(m.stream, dst, src, n, dtype, op))
					compare(t, "ReduceScatter", get(t, m.stream, dtype, dst, n), want[rank*n:][:n], 0)
					check(t, m.comm.AllReduce(m.stream, dst, src, 2*n, dtype, op))
					compare(t, "AllReduce", get(t, m.stream, dtype, dst, 2*n), want, 0)
					check(t, m.comm.ReduceScatter(m.stream, part(src, rank), src, n, dtype, op))
					check(t, m.comm.AllGather(m.stream, src, part(src, rank), n, dtype))
					compare(t, "ReduceScatter and AllGather in place", get(t, m.stream, dtype, src, 2*n), want, 0)
				})
			})
		}
		t.Run(fmt.Sprintf("%v/reduce", dtype), func(t *testing.T) {
			want := make([]float32, 2*n)
			for i := range want {
				want[i] = reduced(dtype, Sum, in[0][i], in[1][i])
			}
			each(members, func(rank int, m member) {
				src, dst := put(t, m.stream, dtype, in[rank]), put(t, m.stream, dtype, in[rank])
				check(t, m.comm.Reduce(m.stream, dst, src, 2*n, dtype, Sum, 1))
				compare(t, "Reduce", get(t, m.stream, dtype, dst, 2*n), [2][]float32{in[0], want}[rank], 0)
			})
		})
		t.Run(fmt.Sprintf("%v/broadcast", dtype), func(t *testing.T) {
			each(members, func(rank int, m member) {
				p := put(t, m.stream, dtype, in[rank])
				check(t, m.comm.Broadcast(m.stream, p, p, 2*n, dtype, 1))
				compare(t, "Broadcast", get(t, m.stream, dtype, p, 2*n), in[1], 0)
			})
		})
	}
}

// TestGroup queues for both ranks from one goroutine, which then waits for one
// rank after the other.
func TestGroup(t *testing.T) {
	members := ranks(t)
	var p [2]Ptr
	for r, m := range members {
		p[r] = put(t, m.stream, Float32, []float32{float32(r + 1), 10})
	}
	check(t, Group(func() error {
		for r, m := range members {
			if err := m.comm.AllReduce(m.stream, p[r], p[r], 2, Float32, Sum); err != nil {
				return err
			}
		}
		return nil
	}))
	for r, m := range members {
		compare(t, "AllReduce", get(t, m.stream, Float32, p[r], 2), []float32{3, 20}, 0)
	}
}

// TestCollectiveCaptured replays an AllReduce as part of a graph, behind the work
// that makes its argument.
func TestCollectiveCaptured(t *testing.T) {
	members := ranks(t)
	each(members, func(rank int, m member) {
		src := put(t, m.stream, Float32, []float32{float32(rank + 1)})
		p := put(t, m.stream, Float32, []float32{0})
		g, err := m.stream.Capture(func() error {
			return errors.Join(m.stream.Copy(p, src, 4), m.comm.AllReduce(m.stream, p, p, 1, Float32, Sum))
		})
		if err != nil {
			t.Error(err)
			return
		}
		for range 3 {
			check(t, g.Launch(m.stream))
		}
		check(t, m.comm.AllReduce(m.stream, p, p, 1, Float32, Sum))
		compare(t, "p", get(t, m.stream, Float32, p, 1), []float32{6}, 0)
		check(t, g.Close())
	})
}

// TestCollectiveAborted frees a rank that waits for one which has gone. On GPUs of
// one machine NCCL need not tell.
func TestCollectiveAborted(t *testing.T) {
	members := ranks(t)
	if !strings.Contains(members[0].stream.device.Info().Name, "imulator") {
		t.Skip("only the simulator tells")
	}
	waiting, gone := members[0], members[1]
	p := put(t, waiting.stream, Float32, []float32{1})
	check(t, waiting.comm.AllReduce(waiting.stream, p, p, 1, Float32, Sum))
	check(t, waiting.comm.Err())
	var wait sync.WaitGroup
	wait.Go(gone.comm.Abort)
	var e *Error
	if err := waiting.comm.Wait(waiting.stream); !errors.As(err, &e) || e.Name != "ncclRemoteError" {
		t.Errorf("after another rank's Abort: %v", err)
	}
	wait.Wait()
	waiting.comm.Abort()
	if err := waiting.comm.AllReduce(waiting.stream, p, p, 1, Float32, Sum); err == nil {
		t.Error("an aborted communicator works")
	}
}

// TestCollectiveAbortedHere ends what this rank waits for, in a graph, by an Abort
// of its own.
func TestCollectiveAbortedHere(t *testing.T) {
	m := ranks(t)[0]
	p := put(t, m.stream, Float32, []float32{1})
	g, err := m.stream.Capture(func() error { return m.comm.AllReduce(m.stream, p, p, 1, Float32, Sum) })
	if err != nil {
		t.Fatal(err)
	}
	defer func() { check(t, g.Close()) }()
	check(t, g.Launch(m.stream))
	time.AfterFunc(50*time.Millisecond, m.comm.Abort)
	if err := m.comm.Wait(m.stream); !errors.Is(err, errClosed) {
		t.Errorf("after its own Abort: %v", err)
	}
}

// TestCollectiveOrder sums on a second stream what the first one makes. Without
// the event the simulator sums before it is there, for some of its seeds.
func TestCollectiveOrder(t *testing.T) {
	members := ranks(t)
	for _, ordered := range []bool{true, false} {
		wrong := 0
		for range 16 {
			var sums [2]float32
			each(members, func(rank int, m member) {
				d := m.stream.device
				sum, err := d.NewStream()
				check(t, err)
				e, err := d.NewEvent()
				check(t, err)
				made, p := put(t, m.stream, Float32, []float32{float32(rank + 1)}), put(t, m.stream, Float32, []float32{0})
				check(t, m.stream.Synchronize())
				check(t, m.stream.Copy(p, made, 4))
				if ordered {
					check(t, e.Record(m.stream))
					check(t, sum.Wait(e))
				}
				check(t, m.comm.AllReduce(sum, p, p, 1, Float32, Sum))
				check(t, m.comm.Wait(sum))
				check(t, m.stream.Synchronize())
				sums[rank] = get(t, sum, Float32, p, 1)[0]
				check(t, e.Close())
				check(t, sum.Close())
			})
			if sums != [2]float32{3, 3} {
				wrong++
			}
		}
		if ordered && wrong > 0 {
			t.Errorf("%d of 16 sums are wrong", wrong)
		}
		if !ordered && wrong == 0 && strings.Contains(members[0].stream.device.Info().Name, "imulator") {
			t.Error("no sum shows that the event is missing")
		}
	}
}

// TestCollectiveRefuses holds what the simulator's NCCL checks; a GPU would hang
// or read elsewhere.
func TestCollectiveRefuses(t *testing.T) {
	members := ranks(t)
	if !strings.Contains(members[0].stream.device.Info().Name, "imulator") {
		t.Skip("only the simulator checks collectives")
	}
	m := members[0]
	p := put(t, m.stream, Float32, make([]float32, 64))
	var e *Error
	err := m.comm.AllGather(m.stream, p, p, 64, Float32)
	if !errors.As(err, &e) || e.Call != "ncclAllGather" || !strings.Contains(e.Text, "not inside one live allocation") {
		t.Errorf("a buffer that is too small: %v", err)
	}
	each(members, func(rank int, m member) {
		p := put(t, m.stream, Float32, make([]float32, 64))
		check(t, m.comm.AllReduce(m.stream, p, p, int64(63+rank), Float32, Sum))
		check(t, m.stream.Synchronize())
		var e *Error
		if err := m.comm.Err(); !errors.As(err, &e) || e.Name != "ncclInvalidUsage" && e.Name != "ncclRemoteError" {
			t.Errorf("other counts on rank %d: %v", rank, err)
		}
	})
}

// peerVariable gives the name of the communicator to the process that is rank 1
// of a test of two processes.
const peerVariable = "GOTRAIN_TEST_NCCL_PEER"

// peer runs a test again, in a process of its own, as rank 1. It returns 0 and
// the name of the communicator to the one process, 1 and the name to the other.
func peer(t *testing.T) (rank int, id [128]byte) {
	t.Helper()
	if infos, err := Devices(); err != nil || len(infos) < 2 {
		t.Skipf("needs two devices: %v", err)
	}
	if name := os.Getenv(peerVariable); name != "" {
		if _, err := hex.Decode(id[:], []byte(name)); err != nil {
			t.Fatal(err)
		}
		return 1, id
	}
	id, err := UniqueID()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
	c.Env = append(os.Environ(), peerVariable+"="+hex.EncodeToString(id[:]))
	var output strings.Builder
	c.Stdout, c.Stderr = &output, &output
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- c.Wait() }()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Errorf("rank 1: %v\n%s", err, &output)
		}
	})
	return 0, id
}

// join makes the rank of a communicator of two on the device of the same number.
func join(t *testing.T, id [128]byte, rank int) member {
	t.Helper()
	d := openDevice(t, rank)
	s, err := d.NewStream()
	if err != nil {
		t.Fatal(err)
	}
	comm, err := d.NewComm(id, rank, 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		check(t, comm.Close())
		check(t, s.Close())
	})
	return member{comm, s}
}

// TestProcesses adds up over two processes.
func TestProcesses(t *testing.T) {
	rank, id := peer(t)
	m := join(t, id, rank)
	p := put(t, m.stream, Float32, []float32{float32(rank + 1)})
	for range 3 {
		check(t, m.comm.AllReduce(m.stream, p, p, 1, Float32, Sum))
	}
	compare(t, "p", get(t, m.stream, Float32, p, 1), []float32{12}, 0)
}

// TestProcessEnds tells a rank that waits that the other's process has ended. On
// GPUs the time until then is NCCL's.
func TestProcessEnds(t *testing.T) {
	rank, id := peer(t)
	m := join(t, id, rank)
	if !strings.Contains(m.stream.device.Info().Name, "imulator") {
		t.Skip("only the simulator tells at once")
	}
	if rank == 1 {
		os.Exit(0)
	}
	p := put(t, m.stream, Float32, []float32{1})
	check(t, m.comm.AllReduce(m.stream, p, p, 1, Float32, Sum))
	var e *Error
	if err := m.comm.Wait(m.stream); !errors.As(err, &e) || e.Name != "ncclRemoteError" {
		t.Errorf("after the end of the other rank: %v", err)
	}
}
