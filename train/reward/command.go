package reward

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// commandTimeout is Rule.TimeoutS by default, maxTimeoutS a day.
const (
	commandTimeout = 10 * time.Second
	maxTimeoutS    = 24 * 60 * 60
)

// afterwards is how long the output of a program that has been ended may stay open.
const afterwards = time.Second

// command runs the program on a sample and reads the number that it prints.
func (r Rule) command(ctx context.Context, s Sample) (float64, error) {
	limit := time.Duration(r.TimeoutS * float64(time.Second))
	if limit == 0 {
		limit = commandTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it ran longer than %s", limit))
	defer cancel()
	input, err := json.Marshal(map[string]any{"prompt": s.Prompt, "completion": s.Completion, "record": s.Record})
	if err != nil {
		return 0, err
	}
	var out, said bytes.Buffer
	c := exec.CommandContext(ctx, r.Command[0], r.Command[1:]...)
	c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(input), &out, &said
	c.WaitDelay = afterwards
	endGroup(c)
	if err := c.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return 0, fmt.Errorf("%s: %w%s", r.Command[0], err, lastLine(said.String()))
	}
	text := strings.TrimSpace(out.String())
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("%s printed %.60q, which is no number", r.Command[0], text)
	}
	return value, nil
}

// lastLine is the end of what a program has said, as the end of an error.
func lastLine(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	return fmt.Sprintf(": %.200s", text[strings.LastIndexByte(text, '\n')+1:])
}
