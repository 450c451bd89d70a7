package checkpoint

import (
	"os"
	"testing"

	"example.com/gotrain/data/vfs"
)

// TestSavedBytes: a checkpoint is as large as all of its files, and is that of the step in its
// name alone.
func TestSavedBytes(t *testing.T) {
	dir := t.TempDir()
	w, err := Begin(vfs.OS{}, dir, 7)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"a": "12345", "b": "1234567", "c": "1"} {
		if _, err := w.Write(vfs.Bytes(name, []byte(text))); err != nil {
			t.Fatal(err)
		}
	}
	saved, err := w.Commit(0)
	if err != nil || saved.Bytes != 13 || saved.Step != 7 || saved.Path != Dir(dir, 7) {
		t.Fatalf("%+v, %v", saved, err)
	}
	from := Dir(dir, 7)
	for _, step := range []int64{9, 3} {
		if err := os.Rename(from, Dir(dir, step)); err != nil {
			t.Fatal(err)
		}
		from = Dir(dir, step)
		if _, err := Verify(vfs.OS{}, from); err == nil {
			t.Errorf("the checkpoint of step 7 is taken for that of step %d", step)
		}
	}
}
