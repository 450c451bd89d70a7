package data_test

import (
	"os"
	"path/filepath"
	"testing"

	"example.com/gotrain/data"
	"example.com/gotrain/data/bpe"
)

func TestVocabulary(t *testing.T) {
	tokens, err := bpe.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	v := data.Describe(tokens)
	if v.Vocab != 257 || len(v.Special) != 1 || len(v.Longest) != 8 || v.Longest[0].Bytes != 1 || v.Text != nil {
		t.Errorf("got %+v", v)
	}
	file := filepath.Join(t.TempDir(), "a.txt")
	if err := os.WriteFile(file, []byte("abba"), 0o666); err != nil {
		t.Fatal(err)
	}
	c, err := data.Compress(tokens, []string{file, file})
	if err != nil || *c != (data.Compression{Bytes: 8, Tokens: 8, BytesPerToken: 1, Used: 2}) {
		t.Errorf("got %+v, %v", c, err)
	}
	if c, err := data.Compress(tokens, nil); err != nil || c.BytesPerToken != 0 {
		t.Errorf("of no text: %+v, %v", c, err)
	}
	if _, err := data.Compress(tokens, []string{file + ".gone"}); !os.IsNotExist(err) {
		t.Errorf("a file that is gone: %v", err)
	}
}
