package store_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/ranks/store"
)

// tool finds a program of the project's Python environment.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "..", ".venv", "bin", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skip("needs PyTorch in .venv")
	}
	return path
}

// TestTorchrun starts this test twice under torchrun; both ranks meet in the store
// that torchrun serves. On the first attempt rank 1 fails, so that both start again.
func TestTorchrun(t *testing.T) {
	if l, err := ranks.Detect(os.Getenv); err == nil && l.Launcher == "torchrun" {
		playRank(t, l)
		return
	}
	torchrun := tool(t, "torchrun")
	if testing.Short() {
		t.Skip("starts PyTorch")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, torchrun, "--no-python", "--nproc-per-node=2", "--nnodes=1", "--rdzv-backend=c10d",
		"--rdzv-endpoint=127.0.0.1:0", "--max-restarts=1", "--monitor-interval=0.2", os.Args[0], "-test.run=^TestTorchrun$")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func playRank(t *testing.T, l ranks.Launch) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	client, err := store.Dial(ctx, l.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	attempt := store.WithPrefix(client, l.ID)
	exercise(t, ctx, store.WithPrefix(attempt, fmt.Sprint(l.Rank)))
	if err := attempt.Set(ctx, fmt.Sprint("rank", l.Rank), []byte{byte(l.Rank)}); err != nil {
		t.Fatal(err)
	}
	peer := 1 - l.Rank
	if v, err := attempt.Get(ctx, fmt.Sprint("rank", peer)); err != nil || len(v) != 1 || int(v[0]) != peer {
		t.Errorf("rank %d reads %v of rank %d, %v", l.Rank, v, peer, err)
	}
	if !l.Served || l.Size != 2 || l.LocalSize != 2 {
		t.Errorf("%+v", l)
	}
	if l.Restarts == 0 && l.Rank == 1 {
		t.Error("rank 1 fails on purpose")
	}
}

// TestTorchClient lets torch's client use this package's server.
func TestTorchClient(t *testing.T) {
	python := tool(t, "python")
	if testing.Short() {
		t.Skip("starts PyTorch")
	}
	server, client, ctx := start(t)
	if err := client.Set(ctx, "/ours", []byte("from Go")); err != nil {
		t.Fatal(err)
	}
	script := `
import sys, datetime, torch.distributed as d
host, port = sys.argv[1].rsplit(":", 1)
s = d.TCPStore(host, int(port), is_master=False, timeout=datetime.timedelta(seconds=20))
assert s.get("ours") == b"from Go"
assert s.add("n", 5) == 5 and s.add("n", -2) == 3
assert s.check(["ours"]) and not s.check(["none"])
try:
    s.wait(["none"], datetime.timedelta(milliseconds=100))
    assert False, "waited for a key that nobody sets"
except d.DistStoreError:
    pass
s.set("theirs", b"from Python")
`
	if out, err := exec.CommandContext(ctx, python, "-c", script, server.Addr()).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if v, err := client.Get(ctx, "/theirs"); err != nil || string(v) != "from Python" {
		t.Errorf("%q, %v", v, err)
	}
}
