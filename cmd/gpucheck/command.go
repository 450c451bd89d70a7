package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// command is a program to run.
type command struct {
	limit time.Duration
	dir   string // the checker's folder by default
	args  []string
	ours  bool // needs CUDA's libraries, which a Python environment may have
	json  bool // standard output is apart from the errors; else they come in their order
}

// output is what a command left.
type output struct {
	stdout, both []byte
	err          error // tells of a limit, of the exit code
	cut          bool  // it had less time than it may need, or none, and did not end
}

// errNoTime is the error of what was not begun.
var errNoTime = errors.New("no time is left for it")

// run gives a command its share of the time and notes what came of it.
func (c *checker) run(ctx context.Context, cmd command) output {
	limit, cut, ok := c.budget.limit(cmd.limit)
	out := output{err: errNoTime, cut: true}
	began := c.budget.now()
	if ok {
		cmd.limit = limit
		out = c.start(ctx, cmd)
		out.cut = cut && out.err != nil && errors.Is(out.err, context.DeadlineExceeded)
	}
	r := row{What: strings.Join(cmd.args, " "), Seconds: c.budget.now().Sub(began).Seconds(), Status: "ok"}
	switch {
	case out.cut:
		r.Status, r.Note = "cut", out.err.Error()
	case out.err != nil:
		r.Status, r.Note = "failed", out.reason()
	}
	if cmd.json && json.Valid(out.stdout) {
		r.Result = out.stdout
	}
	c.note(r)
	return out
}

// execute runs a command and kills it, with all that it started, at its limit.
func (c *checker) execute(ctx context.Context, cmd command) output {
	ctx, stop := context.WithTimeout(ctx, cmd.limit)
	defer stop()
	p := exec.CommandContext(ctx, cmd.args[0], cmd.args[1:]...)
	p.Dir = filepath.Join(c.dir, cmd.dir)
	p.Env = os.Environ()
	if cmd.ours {
		// What is chosen by timing is chosen here, not remembered from an earlier run.
		p.Env = append(p.Env, "LD_LIBRARY_PATH="+c.libraries, "XDG_CACHE_HOME="+filepath.Join(c.work, "cache"))
	}
	p.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.Cancel = func() error { return syscall.Kill(-p.Process.Pid, syscall.SIGKILL) }
	p.WaitDelay = 2 * time.Second
	var stdout, both lockedBuffer
	p.Stdout, p.Stderr = &both, &both
	if cmd.json {
		p.Stdout = io.MultiWriter(&stdout, &both)
	}
	fmt.Fprintf(c.log, "$ %s\n", strings.Join(cmd.args, " "))
	start := time.Now()
	err := p.Run()
	c.log.Write(both.buf.Bytes())
	fmt.Fprintf(c.log, "(%.1f s, %v)\n\n", time.Since(start).Seconds(), err)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = &lateError{cmd.limit.Round(time.Millisecond)}
	}
	return output{stdout: stdout.buf.Bytes(), both: both.buf.Bytes(), err: err}
}

// lateError says that a command was killed at its limit.
type lateError struct{ limit time.Duration }

func (e *lateError) Error() string { return fmt.Sprintf("not done after %v", e.limit) }

// Is makes it a context.DeadlineExceeded.
func (e *lateError) Is(target error) bool { return target == context.DeadlineExceeded }

// lockedBuffer is a buffer for two streams.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer // not embedded, whose ReadFrom would write past the mutex
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// reason is why a command failed: the line of a panic, its last line, or what
// became of it.
func (o output) reason() string {
	if o.err == nil {
		return "ended well, but said too little"
	}
	if m := panicLine.Find(o.both); m != nil {
		return string(m)
	}
	lines := strings.Split(strings.TrimSpace(string(o.both)), "\n")
	var exit *exec.ExitError
	if last := lines[len(lines)-1]; errors.As(o.err, &exit) && exit.Exited() && last != "" {
		return last
	}
	return o.err.Error()
}

var panicLine = regexp.MustCompile(`(?m)^(panic|fatal error|SIG[A-Z]+): .*`)

// json reads the standard output of a command.
func (o output) json(v any) error {
	if o.cut {
		return fmt.Errorf("%w: %w", errCut, o.err)
	}
	if o.err != nil {
		return errors.New(o.reason())
	}
	return json.Unmarshal(o.stdout, v)
}

// gotrain runs the binary under test.
func (c *checker) gotrain(ctx context.Context, limit time.Duration, args ...string) output {
	return c.run(ctx, command{limit: limit, ours: true, json: true, args: append([]string{filepath.Join(c.dir, "bin", "gotrain-cuda")}, args...)})
}

// errCut marks what there was no time for: that is no fault.
var errCut = errors.New("cut short")
