package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// row is a line of gpu-check.jsonl: a command, or a part, as soon as it has ended. The
// file only grows, over all runs into the same folder, so that a machine that is taken
// away leaves what is known.
type row struct {
	When    string          `json:"when"`
	Part    string          `json:"part"`
	What    string          `json:"what"`   // the command, "" of the part itself
	Status  string          `json:"status"` // ok, failed, skipped, cut: the time was up
	Seconds float64         `json:"seconds"`
	Note    string          `json:"note,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"` // what the command printed
}

// note appends a row. That it cannot is told once, and ends nothing.
func (c *checker) note(r row) {
	r.When, r.Part = c.budget.now().UTC().Format(time.RFC3339), c.part
	line, err := json.Marshal(r)
	if err == nil {
		err = appendLine(c.rows, line)
	}
	if err != nil && !c.mute {
		c.mute = true
		fmt.Fprintf(c.stderr, "%s: %v\n", c.rows, err)
	}
}

// appendLine writes a line to the end of a file, and to the disk.
func appendLine(path string, line []byte) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	if e := f.Sync(); err == nil {
		err = e
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}
