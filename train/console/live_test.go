package console

import (
	"strings"
	"testing"
)

// TestLiveLine: on a terminal a state takes the place of the one before it, and a line stands above it; elsewhere each is a line.
func TestLiveLine(t *testing.T) {
	for live, want := range map[bool]string{
		true:  "one 1\r\x1b[Ktwo\r\x1b[Kline 3\nfour\r\x1b[K",
		false: "one 1\ntwo\nline 3\nfour\n",
	} {
		var out strings.Builder
		p := New(&out)
		p.live = live
		p.Status("one %d", 1)
		p.Status("two")
		p.Line("line %d", 3)
		p.Status("four")
		p.Clear()
		p.Clear()
		if out.String() != want {
			t.Errorf("live %t: %q, want %q", live, out.String(), want)
		}
	}
}
