package console

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"example.com/gotrain/data"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/events"
	"example.com/gotrain/train/metrics"
	"example.com/gotrain/train/save"
)

func step(n int64) events.Step {
	return events.Step{Record: metrics.Record{Step: n, Values: []metrics.Value{{Name: "nll", Value: 2}}, Unit: "tokens", PerS: 1500, StepMS: 12, LR: 1e-3}, Steps: 9, ETA: 5 * time.Second}
}

// TestPlain has the first and the last step in a log, and those between now and then.
func TestPlain(t *testing.T) {
	var out bytes.Buffer
	p := New(&out)
	l := p.Listener()
	for n := range int64(9) {
		l.Step(step(n + 1))
	}
	l.SaveFailed(errors.New("disk full"))
	got := out.String()
	if strings.Contains(got, "\x1b") || strings.Count(got, "\n") != 3 {
		t.Errorf("a log has\n%s", got)
	}
	for _, want := range []string{"step 1/9  nll 2.0000  1.5k tokens/s  12 ms  lr 1.00e-03  ETA 5s", "step 9/9", "warning: the checkpoint was not saved, training goes on: disk full"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nlacks %q", got, want)
		}
	}
}

// TestLive rewrites one line, and takes it away before a line that stays.
func TestLive(t *testing.T) {
	var out bytes.Buffer
	p := New(&out)
	p.live = true
	p.Listener().Step(step(1))
	if strings.Contains(out.String(), "\n") {
		t.Errorf("the live line ends: %q", out.String())
	}
	p.Line("saved")
	if !strings.HasSuffix(out.String(), "\r\x1b[Ksaved\n") {
		t.Errorf("a line below the live one: %q", out.String())
	}
	before := out.Len()
	p.Clear()
	if out.Len() != before {
		t.Error("there is nothing to clear, but something is written")
	}
	p.Preparing(data.Progress{TextBytes: 2048, Tokens: 3})
	if got := out.String()[before:]; got != "" {
		t.Errorf("%q follows within the interval of live lines", got)
	}
}

func TestFinish(t *testing.T) {
	cfg := config.Default(config.Tables{})
	best := save.State{Step: 7, Best: &save.Best{Step: 5, Value: 1.5}}
	for _, c := range []struct {
		result events.Result
		want   string
	}{
		{events.Result{}, "raise train.steps to go on"},
		{events.Result{State: best, Early: true, Best: "runs/x/checkpoints/best"}, "raise train.patience to go on"},
		{events.Result{Steps: 3, Elapsed: 2 * time.Second}, "done       3 steps in 2 s"},
		{events.Result{State: best, Steps: 3, Best: "best"}, "best       step"},
	} {
		var out bytes.Buffer
		p := New(&out)
		c.result.Config = cfg
		p.Finish(c.result)
		if !strings.Contains(out.String(), c.want) {
			t.Errorf("%+v ends with\n%s\nwithout %q", c.result, &out, c.want)
		}
	}
}

// TestPreparing: what ends soon needs no line in a log; what lasts tells how far it is, on a terminal at once.
func TestPreparing(t *testing.T) {
	var out bytes.Buffer
	p := New(&out)
	read := data.Progress{Doing: data.Fitting, TextBytes: 3 << 20}
	p.Preparing(read)
	p.Preparing(read)
	if out.Len() > 0 {
		t.Errorf("a log has %q at once", out.String())
	}
	for _, d := range []data.Progress{
		read,
		{Doing: data.Fitting, TextBytes: 3 << 20, Merges: 64, Total: 700},
		{Doing: data.Looking, DiskBytes: 5 << 20, Files: 7, Finished: 2},
		{Doing: data.Conversing, Documents: 512},
		{TextBytes: 2 << 20, Tokens: 9, Files: 3},
	} {
		p.last = time.Now().Add(-time.Minute)
		p.Preparing(d)
	}
	const want = `tokenizer  3.0 MiB of text read
tokenizer  merge 64 of 700
files      5.0 MiB looked at, file 3 of 7
reading    512 conversations
shards     2.0 MiB of text, 9 tokens, file 1 of 3
`
	if out.String() != want {
		t.Errorf("it tells\n%s", out.String())
	}
	out.Reset()
	p = New(&out)
	p.live = true
	p.Preparing(read)
	if out.String() != "tokenizer  3.0 MiB of text read" {
		t.Errorf("a terminal has %q", out.String())
	}
}
