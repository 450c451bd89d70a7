package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"
)

// ranksReport is what two ranks do, with a GPU each.
type ranksReport struct {
	Training  []comparison `json:"training"`   // beside one GPU
	AllReduce []reduction  `json:"all_reduce"` // over NCCL
}

// reduction is a line of gotrain doctor --cluster: a sum over the ranks.
type reduction struct {
	Bytes  int     `json:"bytes"`
	TimeMS float64 `json:"time_ms"`
	BusGBs float64 `json:"bus_gb_per_s"`
}

// ranks trains on two GPUs what one trains, and measures sums over them.
func (c *checker) ranks(ctx context.Context) (string, error) {
	findings, err := c.findings(ctx)
	if err != nil {
		return "", err
	}
	gpus := 0
	for _, f := range findings {
		if f.Name == "gpu" && f.OK && strings.HasPrefix(f.Detail, "cuda:") {
			gpus++
		}
	}
	if gpus < 2 {
		return skipped("needs two GPUs, there is %d", gpus)
	}
	if err := c.compareRanks(ctx); err != nil {
		return "", err
	}
	var r struct {
		AllReduce []reduction `json:"all_reduce"`
	}
	if err := c.twoRanks(ctx, 2*time.Minute, "doctor", "--cluster", "--device", "cuda", "--json", "--run", c.work).json(&r); err != nil {
		return "", err
	}
	if len(r.AllReduce) == 0 {
		return "", errors.New("doctor --cluster measured no sums")
	}
	c.report.Ranks.AllReduce = r.AllReduce
	last := r.AllReduce[len(r.AllReduce)-1]
	note := fmt.Sprintf("two of %d GPUs; sums of %d MiB at %.1f GB/s", gpus, last.Bytes>>20, last.BusGBs)
	for _, t := range c.report.Ranks.Training {
		if !t.OK && !t.Cut {
			return note, fmt.Errorf("the losses of two ranks are not those of one: %s", t.Name)
		}
	}
	return note, nil
}

// compareRanks trains one small model on one GPU and on two, in two precisions.
func (c *checker) compareRanks(ctx context.Context) error {
	steps := 50
	if c.small {
		steps = 4
	}
	for _, p := range []struct {
		name      string
		tolerance float64
	}{{"float32", floatTolerance}, {"bfloat16", bf16Tolerance}} {
		flags := []string{"--device", "cuda", "--set", "precision=" + p.name, "--set", "train.accumulate=2"}
		dir := filepath.Join(c.work, "ranks-"+p.name)
		one, err := c.pretrain(ctx, c.gotrain, "gpt2", dir+"-one", steps, flags...)
		if err != nil {
			return fmt.Errorf("one rank: %w", err)
		}
		two, err := c.pretrain(ctx, c.twoRanks, "gpt2", dir, steps, flags...)
		if err != nil {
			return fmt.Errorf("two ranks: %w", err)
		}
		c.report.Ranks.Training = append(c.report.Ranks.Training, compare("gpt2 on two GPUs, "+p.name, two, one, p.tolerance))
	}
	return nil
}

// both is a launcher of two ranks, for bash: it fails when one of them does.
const both = `
for rank in 0 1; do
  RANK=$rank LOCAL_RANK=$rank WORLD_SIZE=2 LOCAL_WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 "$@" &
  ranks+=($!)
done
failed=0
for rank in "${ranks[@]}"; do wait "$rank" || failed=1; done
exit $failed`

// twoRanks runs the binary under test twice, with the first two GPUs.
func (c *checker) twoRanks(ctx context.Context, limit time.Duration, args ...string) output {
	port, err := freePort()
	if err != nil {
		return output{err: err}
	}
	args = append([]string{"bash", "-c", fmt.Sprintf("export MASTER_PORT=%d\n%s", port, both), "ranks", filepath.Join(c.dir, "bin", "gotrain-cuda")}, args...)
	return c.run(ctx, command{limit: limit, ours: true, json: true, args: args})
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return listener.Addr().(*net.TCPAddr).Port, listener.Close()
}

func (r *report) printRanks(t *table) {
	r.printLosses(t, r.Ranks.Training, "two GPUs beside one")
	if len(r.Ranks.AllReduce) == 0 {
		return
	}
	t.row("sum of bytes", "ms", "bus GB/s")
	for _, a := range r.Ranks.AllReduce {
		t.row(fmt.Sprint(a.Bytes), fmt.Sprintf("%.3f", a.TimeMS), fmt.Sprintf("%.2f", a.BusGBs))
	}
	t.flush("NCCL over two GPUs")
}
