package console

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestCount: a line for each interval, the first after one; nothing of note is asked in between.
func TestCount(t *testing.T) {
	var out bytes.Buffer
	p := New(&out)
	asked := 0
	note := func() string { asked++; return "acc 50.0%" }
	p.Count("question", 1, 10, note)
	p.Count("question", 2, 10, note)
	if out.Len() > 0 || asked > 0 {
		t.Errorf("before the first interval: %q, asked %d times", out.String(), asked)
	}
	p.last, p.began = p.last.Add(-p.interval), p.began.Add(-10*time.Second)
	p.Count("question", 5, 10, note)
	p.Count("question", 6, 10, note)
	if got := out.String(); strings.Count(got, "\n") != 1 || asked != 1 || !strings.HasPrefix(got, "question   5/10  acc 50.0%  0.5/s  ETA 10") {
		t.Errorf("a log has %q, asked %d times", got, asked)
	}
}
