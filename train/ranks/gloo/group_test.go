//go:build gloo && cgo

package gloo_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/ranks/gloo"
)

// The ranks are processes: this binary again, with a role in its environment.
func TestMain(m *testing.M) {
	role := os.Getenv("GLOO_TEST_ROLE")
	if role == "" {
		os.Exit(m.Run())
	}
	if err := roles[role](); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

var roles = map[string]func() error{"collectives": collectives, "death": death, "silence": silence, "lost": lost}

// folder is a store in a directory.
type folder string

func (f folder) path(key string) string { return filepath.Join(string(f), filepath.Base(key)+".key") }

func (f folder) Set(_ context.Context, key string, value []byte) error {
	temp := f.path(key) + strconv.Itoa(os.Getpid())
	return errors.Join(os.WriteFile(temp, value, 0o666), os.Rename(temp, f.path(key)))
}

func (f folder) Get(ctx context.Context, key string) ([]byte, error) {
	for {
		value, err := os.ReadFile(f.path(key))
		if err == nil || ctx.Err() != nil {
			return value, errors.Join(err, ctx.Err())
		}
		time.Sleep(time.Millisecond)
	}
}

func (f folder) Add(context.Context, string, int64) (int64, error) {
	return 0, errors.ErrUnsupported
}
func (f folder) Has(context.Context, ...string) (bool, error) { return false, errors.ErrUnsupported }

// start runs n ranks of a role and returns their errors.
func start(t *testing.T, role string, n int) []error {
	t.Helper()
	dir := t.TempDir()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for rank := range n {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			c := exec.CommandContext(ctx, os.Args[0])
			c.Env = append(os.Environ(), "GLOO_TEST_ROLE="+role, "GLOO_TEST_RANK="+strconv.Itoa(rank), "GLOO_TEST_SIZE="+strconv.Itoa(n), "GLOO_TEST_DIR="+dir)
			if out, err := c.CombinedOutput(); err != nil {
				errs[rank] = fmt.Errorf("rank %d: %w\n%s", rank, err, out)
			}
		})
	}
	wg.Wait()
	return errs
}

// open is what a role begins with.
func open(ctx context.Context) (ranks.Group, error) {
	rank, _ := strconv.Atoi(os.Getenv("GLOO_TEST_RANK"))
	size, _ := strconv.Atoi(os.Getenv("GLOO_TEST_SIZE"))
	return gloo.Open(ctx, gloo.Config{Rank: rank, Size: size, Store: folder(os.Getenv("GLOO_TEST_DIR")), Host: "127.0.0.1", Timeout: 30 * time.Second})
}

// TestLostWhileConnecting has a rank come and die before it connects: the others do
// not wait for it as for one that is late.
func TestLostWhileConnecting(t *testing.T) {
	if err := errors.Join(start(t, "lost", 3)...); err != nil {
		t.Error(err)
	}
}

// lost is a rank that comes and dies, rank 1, or that wants to connect with it.
func lost() error {
	rank, _ := strconv.Atoi(os.Getenv("GLOO_TEST_RANK"))
	store := folder(os.Getenv("GLOO_TEST_DIR"))
	if rank == 1 {
		return store.Set(context.Background(), "here-1", []byte{1})
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := gloo.Open(ctx, gloo.Config{Rank: rank, Size: 3, Store: store, Host: "127.0.0.1", Connecting: 100 * time.Millisecond})
	if err == nil {
		return errors.New("rank 1 is gone, but the group is open")
	}
	return nil
}

func TestCollectives(t *testing.T) {
	for n := 1; n <= 4; n++ {
		if err := errors.Join(start(t, "collectives", n)...); err != nil {
			t.Errorf("%d ranks: %v", n, err)
		}
	}
}

// collectives runs every method on several lengths, while garbage is collected.
func collectives() error {
	g, err := open(context.Background())
	if err != nil {
		return err
	}
	r, n := g.Rank(), g.Size()
	for _, length := range []int{0, 1, 3, 64, 1000, 1<<20 + 7} {
		go runtime.GC()
		x := make([]float32, length)
		for i := range x {
			x[i] = float32(i%97 + r)
		}
		y := append([]float32(nil), x...)
		if err := g.AllReduce(x); err != nil {
			return err
		}
		root := length % n
		if err := g.Reduce(y, root); err != nil {
			return err
		}
		for i := range x {
			want := float32(n*(i%97) + n*(n-1)/2)
			if x[i] != want || r == root && y[i] != want {
				return fmt.Errorf("element %d of %d: all-reduce %g, reduce %g, want %g", i, length, x[i], y[i], want)
			}
		}
		own, all := bytes.Repeat([]byte{byte(r + 1)}, length), make([]byte, n*length)
		if err := g.AllGather(all, own); err != nil {
			return err
		}
		for i := range n {
			if !bytes.Equal(all[i*length:(i+1)*length], bytes.Repeat([]byte{byte(i + 1)}, length)) {
				return fmt.Errorf("all-gather of %d bytes: the part of rank %d is wrong", length, i)
			}
		}
		if err := g.Broadcast(own, root); err != nil {
			return err
		}
		if !bytes.Equal(own, bytes.Repeat([]byte{byte(root + 1)}, length)) {
			return fmt.Errorf("broadcast of %d bytes from rank %d: wrong", length, root)
		}
	}
	if err := g.Barrier(); err != nil {
		return err
	}
	return g.Close()
}

// TestDeath kills the last of three ranks; the others must get ErrPeer. Whether
// they read from the dead rank or write to it first is chance, hence the rounds.
func TestDeath(t *testing.T) {
	for range 20 {
		errs := start(t, "death", 3)
		if err := errors.Join(errs[:2]...); err != nil {
			t.Fatal(err)
		}
		if errs[2] == nil {
			t.Fatal("the killed rank ended well")
		}
	}
}

func death() error {
	g, err := open(context.Background())
	if err != nil {
		return err
	}
	if err := g.Barrier(); err != nil {
		return err
	}
	if g.Rank() == 2 {
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	x := make([]float32, 1<<20)
	if err := g.AllReduce(x); !errors.Is(err, ranks.ErrPeer) {
		return fmt.Errorf("all-reduce without a peer: %v, want ErrPeer", err)
	}
	g.Abort()
	if err := g.Barrier(); err == nil {
		return errors.New("an aborted group went on")
	}
	return g.Close()
}

// TestSilence has the last of four ranks stay away from a collective while another
// one gives up: its wait must end, and so must its Close.
func TestSilence(t *testing.T) {
	if err := errors.Join(start(t, "silence", 4)...); err != nil {
		t.Error(err)
	}
}

func silence() error {
	g, err := open(context.Background())
	if err != nil {
		return err
	}
	if err := g.Barrier(); err != nil {
		return err
	}
	if g.Rank() == 3 {
		time.Sleep(2 * time.Second) // then the process ends, and with it what the others wait for
		return nil
	}
	if g.Rank() == 1 {
		time.AfterFunc(200*time.Millisecond, g.Abort)
	}
	began := time.Now()
	if err := g.AllReduce(make([]float32, 1000)); err == nil {
		return errors.New("the sum came without a rank")
	}
	if err := g.Close(); err != nil {
		return err
	}
	if g.Rank() == 1 && time.Since(began) > 20*time.Second {
		return errors.New("Abort did not end the wait")
	}
	return nil
}
