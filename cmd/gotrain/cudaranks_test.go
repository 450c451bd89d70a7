//go:build gpu

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/gotrain/cuda/backend"
	"example.com/gotrain/train/ranks/probe"
)

// rankVariable makes a process of this test binary the gotrain of a rank.
const rankVariable = "GOTRAIN_TEST_RANK"

func TestMain(m *testing.M) {
	if os.Getenv(rankVariable) != "" {
		main()
	}
	// What is chosen by timing is kept for this process and its ranks, not for the user.
	cache, err := os.MkdirTemp("", "gotrain-test-*")
	if err == nil {
		err = os.Setenv("XDG_CACHE_HOME", cache)
	}
	if err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(cache)
	os.Exit(code)
}

// process is a rank, a process of its own.
type process struct {
	cmd  *exec.Cmd
	out  bytes.Buffer // to be read after the end
	told told
	done chan struct{}
}

// told is what a process writes to standard error.
type told struct {
	mu   sync.Mutex
	text strings.Builder
}

func (w *told) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *told) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// startRanks starts n ranks on a GPU each, which the simulator has as many of.
func startRanks(t *testing.T, n int, args ...string) []*process {
	t.Helper()
	if gpus, err := backend.Count(); err != nil || gpus < 2 {
		t.Skipf("needs two devices: %v", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	ranks := make([]*process, n)
	for i := range ranks {
		p := &process{cmd: exec.Command(os.Args[0], args...), done: make(chan struct{})}
		p.cmd.Env = append(os.Environ(), rankVariable+"=1", fmt.Sprint("RANK=", i), fmt.Sprint("WORLD_SIZE=", n),
			fmt.Sprint("LOCAL_RANK=", i), fmt.Sprint("LOCAL_WORLD_SIZE=", n), "MASTER_ADDR=127.0.0.1", fmt.Sprint("MASTER_PORT=", port),
			fmt.Sprint("CUDASIM_DEVICES=", n), "CUDASIM_THREADS=1")
		p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.told
		if err := p.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func() {
			_ = p.cmd.Wait() // the exit code tells
			close(p.done)
		}()
		t.Cleanup(func() { _ = p.cmd.Process.Kill() })
		ranks[i] = p
	}
	return ranks
}

// code waits for the end of the process.
func (p *process) code(t *testing.T) int {
	t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(time.Minute):
		t.Fatalf("a rank does not end:\n%s", &p.told)
		return 0
	}
}

// end wants all ranks to end with a code.
func end(t *testing.T, ranks []*process, want int) {
	t.Helper()
	for i, p := range ranks {
		if code := p.code(t); code != want {
			t.Fatalf("rank %d has exit code %d, want %d\n%s", i, code, want, &p.told)
		}
	}
}

// await returns when rank 0 has told text.
func await(t *testing.T, ranks []*process, text string) {
	t.Helper()
	for range 6000 {
		if strings.Contains(ranks[0].told.String(), text) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("rank 0 does not tell %q:\n%s", text, &ranks[0].told)
}

// TestCUDARanks trains on 2 and 4 ranks, in all the ways that have sums of their own,
// what one process trains with the same global batch.
func TestCUDARanks(t *testing.T) {
	dir := t.TempDir()
	config := writeConfig(t, dir)
	for _, c := range []struct {
		name      string
		ranks     int
		tolerance float64
		set       []string
	}{
		{"two", 2, 1e-5, nil},
		{"four", 4, 1e-5, nil},
		{"accumulated", 2, 1e-5, []string{"train.accumulate=2"}},
		{"in the backward pass", 2, 1e-5, []string{"optimizer.in_backward=true", "optimizer.clip=0", "train.max_skips=0", "train.spike_factor=0"}},
		{"bfloat16", 2, 1e-2, []string{"precision=bfloat16"}},
		{"shared state", 2, 1e-5, []string{"cluster.zero=1"}},
		{"shared state, accumulated", 4, 1e-5, []string{"cluster.zero=1", "train.accumulate=2", "optimizer.kind=muon"}},
		{"recomputed", 2, 1e-5, []string{"train.recompute=true", "optimizer.kind=muon"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := []string{"pretrain", "--config", config, "--device", "cuda"}
			for _, s := range append(c.set, "cluster.check_every=2") {
				args = append(args, "--set", s)
			}
			one, several := filepath.Join(dir, c.name+"-one"), filepath.Join(dir, c.name)
			end(t, startRanks(t, c.ranks, append(args, "--run", several)...), 0)
			must(t, append(args, "--run", one)...)
			sameLosses(t, c.name, losses(t, several), losses(t, one), c.tolerance)
		})
	}
}

// TestCUDARanksResume stops two ranks by a signal to one of them, and goes on with four.
func TestCUDARanksResume(t *testing.T) {
	dir := t.TempDir()
	config := writeConfig(t, dir)
	args := []string{"pretrain", "--config", config, "--device", "cuda", "--set", "train.steps=40"}
	must(t, append(args, "--run", filepath.Join(dir, "one"))...)
	args = append(args, "--run", filepath.Join(dir, "several"))
	ranks := startRanks(t, 2, args...)
	await(t, ranks, "step-00000004")
	if err := ranks[1].cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	end(t, ranks, exitRequeue)
	end(t, startRanks(t, 4, args...), 0)
	sameLosses(t, "2 ranks, then 4", losses(t, filepath.Join(dir, "several")), losses(t, filepath.Join(dir, "one")), 1e-5)
}

// endless starts two ranks that have more to do than time, and waits until they train.
func endless(t *testing.T, set ...string) []*process {
	t.Helper()
	dir := t.TempDir()
	args := []string{"pretrain", "--config", writeConfig(t, dir), "--device", "cuda", "--set", "train.steps=1000000"}
	for _, s := range set {
		args = append(args, "--set", s)
	}
	ranks := startRanks(t, 2, args...)
	await(t, ranks, "step-00000004")
	return ranks
}

// TestCUDARankKilled kills a rank: the other one ends by itself.
func TestCUDARankKilled(t *testing.T) {
	ranks := endless(t)
	if err := ranks[1].cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	end(t, ranks[:1], exitFailed)
	if text := ranks[0].told.String(); !strings.Contains(text, "ncclRemoteError") {
		t.Error(text)
	}
}

// TestCUDARankStopped has a rank stand still, of which NCCL never tells.
func TestCUDARankStopped(t *testing.T) {
	ranks := endless(t, "cluster.timeout_s=1")
	if err := ranks[1].cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	end(t, ranks[:1], exitFailed)
	for _, want := range []string{`has waited in .* for \S+s at step `, "rank 1 on ", "no heartbeat for"} {
		if text := ranks[0].told.String(); !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("%s\nlacks %q", text, want)
		}
	}
}

// TestCUDADoctorCluster examines two ranks.
func TestCUDADoctorCluster(t *testing.T) {
	ranks := startRanks(t, 2, "doctor", "--cluster", "--device", "cuda", "--json", "--run", t.TempDir())
	end(t, ranks, 0)
	var r probe.Report
	if err := json.Unmarshal(ranks[0].out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Ranks) != 2 || len(r.AllReduce) != len(probe.Sizes) || len(r.Links) != 1 || r.Links[0].Error != "" || !(r.Links[0].GBs > 0) {
		t.Errorf("%+v", r)
	}
}
