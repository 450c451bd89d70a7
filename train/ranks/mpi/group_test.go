//go:build mpi && cgo

package mpi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/ranks/mpi"
)

// The ranks are processes that mpirun starts: this binary again, with a role in
// its environment.
func TestMain(m *testing.M) {
	role := os.Getenv("MPI_TEST_ROLE")
	if role == "" {
		os.Exit(m.Run())
	}
	g, err := mpi.Open(context.Background(), config())
	if err == nil {
		err = roles[role](g)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

var roles = map[string]func(ranks.Group) error{
	"collectives": collectives, "large": large, "death": death, "abort": abort, "panic": panics, "twice": twice,
}

func config() mpi.Config {
	rank, _ := strconv.Atoi(os.Getenv("OMPI_COMM_WORLD_RANK"))
	size, _ := strconv.Atoi(os.Getenv("OMPI_COMM_WORLD_SIZE"))
	return mpi.Config{Rank: rank, Size: size}
}

// start runs n ranks of a role and returns what they printed.
func start(t *testing.T, role string, n int) (string, error) {
	t.Helper()
	mpirun, err := exec.LookPath("mpirun.openmpi")
	if err != nil {
		t.Skip("no mpirun of Open MPI here (Debian: openmpi-bin)")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, mpirun, "--allow-run-as-root", "--oversubscribe", "--bind-to", "none",
		"--mca", "mpi_yield_when_idle", "1", "-np", strconv.Itoa(n), os.Args[0])
	c.Env = append(os.Environ(), "MPI_TEST_ROLE="+role)
	out, err := c.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("%s on %d ranks did not end:\n%s", role, n, out)
	}
	return string(out), err
}

func TestCollectives(t *testing.T) {
	for n := 1; n <= 4; n++ {
		first, err := start(t, "collectives", n)
		if err != nil {
			t.Fatalf("%d ranks: %v\n%s", n, err, first)
		}
		if again, err := start(t, "collectives", n); err != nil || again != first {
			t.Errorf("%d ranks: the sums of two runs differ (%v):\n%s\n%s", n, err, first, again)
		}
	}
}

// TestOnce runs what a pair of ranks does in one process each.
func TestOnce(t *testing.T) {
	for _, role := range []string{"large", "panic", "twice"} {
		if out, err := start(t, role, 2); err != nil {
			t.Errorf("%s: %v\n%s", role, err, out)
		}
	}
}

// TestDeath has a rank killed, and one abort: the job has to end, with an error.
func TestDeath(t *testing.T) {
	for _, role := range []string{"death", "abort"} {
		out, err := start(t, role, 3)
		if err == nil {
			t.Errorf("%s: the job ended well:\n%s", role, out)
		}
		if bytes.Contains([]byte(out), []byte("went on")) {
			t.Errorf("%s:\n%s", role, out)
		}
	}
}

// TestStranger opens MPI in a process that another launcher made rank 1 of 2.
func TestStranger(t *testing.T) {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "MPI_TEST_ROLE=twice", "OMPI_COMM_WORLD_RANK=1", "OMPI_COMM_WORLD_SIZE=2")
	out, err := c.CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("the launcher says rank 1 of 2, MPI says 0 of 1")) {
		t.Errorf("%v: %s", err, out)
	}
}

// collectives runs every method on several lengths while garbage is collected, and
// prints a sum of numbers whose rounding depends on the order of addition.
func collectives(g ranks.Group) error {
	stop := storm()
	defer stop()
	for _, length := range []int{0, 1, 3, 64, 1000, 1<<18 + 7} {
		for root := range g.Size() {
			if err := check(g, length, root); err != nil {
				return fmt.Errorf("length %d, root %d: %w", length, root, err)
			}
		}
	}
	if err := sameBits(g); err != nil {
		return err
	}
	if err := g.Barrier(); err != nil {
		return err
	}
	return g.Close()
}

// storm collects garbage and preempts goroutines until stop.
func storm() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	for range 2 {
		go func() {
			for ctx.Err() == nil {
				_ = make([]byte, 1<<16)
				runtime.GC()
			}
		}()
	}
	return cancel
}

func check(g ranks.Group, length, root int) error {
	r, n := g.Rank(), g.Size()
	x := make([]float32, length)
	for i := range x {
		x[i] = float32(i%97 + r)
	}
	y := append([]float32(nil), x...)
	if err := errors.Join(g.AllReduce(x), g.Reduce(y, root)); err != nil {
		return err
	}
	for i := range x {
		want := float32(n*(i%97) + n*(n-1)/2)
		if x[i] != want || r == root && y[i] != want {
			return fmt.Errorf("element %d: all-reduce %g, reduce %g, want %g", i, x[i], y[i], want)
		}
	}
	own, all := bytes.Repeat([]byte{byte(r + 1)}, length), make([]byte, n*length)
	if err := g.AllGather(all, own); err != nil {
		return err
	}
	for i := range n {
		if !bytes.Equal(all[i*length:(i+1)*length], bytes.Repeat([]byte{byte(i + 1)}, length)) {
			return fmt.Errorf("all-gather: the part of rank %d is wrong", i)
		}
	}
	if err := g.Broadcast(own, root); err != nil {
		return err
	}
	if !bytes.Equal(own, bytes.Repeat([]byte{byte(root + 1)}, length)) {
		return errors.New("broadcast: wrong")
	}
	return nil
}

// sameBits compares sums of random numbers over the ranks, and rank 0 prints them.
func sameBits(g ranks.Group) error {
	random := rand.New(rand.NewPCG(1, uint64(g.Rank())))
	for _, length := range []int{5, 3001, 1<<18 + 1} {
		x := make([]float32, length)
		for i := range x {
			x[i] = float32(random.NormFloat64())
		}
		if err := g.AllReduce(x); err != nil {
			return err
		}
		own := unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), 4*length)
		all := make([]byte, len(own)*g.Size())
		if err := g.AllGather(all, own); err != nil {
			return err
		}
		for i := range g.Size() {
			if !bytes.Equal(own, all[i*len(own):(i+1)*len(own)]) {
				return fmt.Errorf("sums of %d elements on ranks %d and %d differ", length, g.Rank(), i)
			}
		}
		if g.Rank() == 0 {
			fmt.Printf("%d: %x\n", length, checksum(own))
		}
	}
	return nil
}

func checksum(b []byte) (h uint64) {
	for _, v := range b {
		h = h*1099511628211 + uint64(v)
	}
	return h
}

// large sums 64 MiB.
func large(g ranks.Group) error {
	return errors.Join(check(g, 16<<20, 1), g.Close())
}

// death kills the last rank while the others wait for it.
func death(g ranks.Group) error {
	if err := g.Barrier(); err != nil {
		return err
	}
	if g.Rank() == g.Size()-1 {
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	err := g.AllReduce(make([]float32, 1<<20))
	return fmt.Errorf("rank %d went on without a peer: %w", g.Rank(), err)
}

// abort ends the wait of rank 0; its end then ends the others.
func abort(g ranks.Group) error {
	if g.Rank() != 0 {
		time.Sleep(time.Hour)
	}
	waiting := make(chan error)
	go func() { waiting <- g.Barrier() }()
	time.Sleep(50 * time.Millisecond)
	g.Abort()
	if err := <-waiting; err == nil {
		return errors.New("an aborted barrier went on")
	}
	if err := g.Barrier(); err == nil {
		return errors.New("an aborted group went on")
	}
	return errors.Join(errors.New("aborted"), g.Close())
}

// panics recovers from a nil dereference, which is a signal.
func panics(g ranks.Group) error {
	recovered := func() (r any) {
		defer func() { r = recover() }()
		var p *int
		return *p
	}()
	if _, ok := recovered.(runtime.Error); !ok {
		return fmt.Errorf("a nil dereference gave %v", recovered)
	}
	return g.Close()
}

// twice opens a second group.
func twice(g ranks.Group) error {
	if _, err := mpi.Open(context.Background(), config()); err == nil {
		return errors.New("a second group was opened")
	}
	if err := g.Close(); err != nil {
		return err
	}
	if err := g.Barrier(); err == nil {
		return errors.New("a closed group went on")
	}
	return g.Close()
}
