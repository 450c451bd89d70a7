package instruct

import (
	"strings"
	"testing"
)

// The longest record is found in both forms of a file, without taking its memory.
func TestMeasure(t *testing.T) {
	short, long := `{"prompt": "Q", "completion": "A"}`, `{"prompt": "Q", "completion": "`+strings.Repeat("a, ]}", 1<<16)+`"}`
	for name, content := range map[string]string{
		"lines.jsonl": short + "\n" + long + "\n" + short, "array.json": "[" + short + ",\n " + long + ", " + short + "]", "last.jsonl": short + "\n" + long,
	} {
		size, longest := measure(write(t, name, content), "")
		if size != int64(len(content)) || longest < int64(len(long)) || longest > int64(len(long))+2 {
			t.Errorf("%s: %d bytes, a record of %d, want %d and %d", name, size, longest, len(content), len(long))
		}
	}
	path := write(t, "a.jsonl", short+"\n"+long)
	if one, two := Memory([]string{path}, "", 1024), Memory([]string{path, path}, "", 1024); one.Passing < 4*int64(len(long)) || one.Kept == 0 || two.Kept != 2*one.Kept {
		t.Errorf("%+v and %+v", one, two)
	}
	if m := Memory([]string{"none"}, "", 10); m.Passing != 0 || m.Kept != 0 {
		t.Errorf("of no file: %+v", m)
	}
}
