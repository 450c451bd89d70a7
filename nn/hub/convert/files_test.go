package convert

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"example.com/gotrain/data/bpe"
	"example.com/gotrain/data/vfs"
	"example.com/gotrain/data/vfs/vfstest"
)

// TestFinishOfAGGUF: whatever fails as the file gets its name is told, and no certificate stays where there is no
// file.
func TestFinishOfAGGUF(t *testing.T) {
	for name, want := range map[string]string{"a/x.gguf": "a/x.parity.json", "a/x": "a/x.parity.json", "x.gguf.gguf": "x.gguf.parity.json"} {
		if got := ggufParity(name); got != want {
			t.Errorf("the certificate of %s is %s, want %s", name, got, want)
		}
	}
	broken := errors.New("broken")
	for n, done := 0, false; !done; n++ {
		mem := vfstest.NewMem()
		if err := writeBytes(mem, "out.tmp", []byte("GGUF")); err != nil {
			t.Fatal(err)
		}
		f := vfstest.NewFault(mem)
		f.FailAt(n, broken)
		err := (&ggufOutput{}).finish(f, "out.tmp", "out.gguf", &Certificate{})
		done = n >= len(f.Trace())
		there := func(name string) bool {
			_, err := vfs.ReadFile(mem, name, 1<<20)
			return err == nil
		}
		last := n == len(f.Trace())-1 && strings.HasPrefix(f.Trace()[n], "sync") // when the file has its name
		switch {
		case done && (err != nil || !there("out.gguf") || !there("out.parity.json")):
			t.Errorf("nothing fails: %v", err)
		case !done && !errors.Is(err, broken) && !(strings.HasPrefix(f.Trace()[n], "remove") || err == nil && there("out.gguf")):
			t.Errorf("operation %d fails, %s: %v", n, f.Trace()[n], err)
		case !done && err != nil && !last && there("out.parity.json") && !there("out.gguf") && strings.HasPrefix(f.Trace()[n], "rename out.tmp"):
			t.Errorf("operation %d fails, %s, and leaves the certificate", n, f.Trace()[n])
		}
		if n > 100 {
			t.Fatal("it does not end")
		}
	}
}

// TestSourcesAreClosed: a source has what closes its files, once it was opened and where it was not.
func TestSourcesAreClosed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "src")
	m := newModel(t, models()["llama"])
	writeModel(t, dir, m, randomTensors(m), testTokenizer(t, bpe.GPT2, false))
	s, err := open(dir, testDeps())
	if err != nil {
		t.Fatal(err)
	}
	if s.closer == nil {
		t.Fatal("nothing closes the weights")
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	if err := (&source{}).close(); err != nil {
		t.Error(err)
	}
}
