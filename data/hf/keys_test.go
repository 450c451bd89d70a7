package hf

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sources are the files that read a tokenizer.json.
func sources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, pattern := range []string{"*.go", "../bpe/*.go", "../spm/*.go", "../wordpiece/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
	}
	return all.String()
}

// Each key of the table that is used is one that the code reads; each part takes its keys and refuses any other by name.
func TestDocumentKeys(t *testing.T) {
	code := sources(t)
	for part, keys := range documentKeys {
		for key, use := range keys {
			if use == Used && !strings.Contains(code, fmt.Sprintf("`json:\"%s\"`", key)) && part != "post_processor.BertProcessing" && part != "post_processor.RobertaProcessing" &&
				key != "pattern" {
				t.Errorf("%s.%s is used, and nothing reads it", part, key)
			}
		}
		section, kind, _ := strings.Cut(part, ".")
		for _, extra := range []string{"", "surprise"} {
			object := map[string]any{}
			for key := range keys {
				if key != children[section] {
					object[key] = 7
				}
			}
			if extra != "" {
				object[extra] = true
			}
			doc := map[string]any{"model": map[string]any{"type": "BPE"}}
			name := section + "." + extra
			switch {
			case part == "":
				for key := range object {
					doc[key] = map[string]any{"model": doc["model"], "added_tokens": []any{}}[key]
				}
				if extra != "" {
					doc[extra] = true
				}
				name = extra
			case section == "added_tokens":
				doc[section] = []any{map[string]any{"id": 1, "content": "x"}, map[string]any{"id": 1, "content": "y", extra + "key": true}}
				name = "added_tokens[1].surprisekey"
				if extra == "" {
					doc[section] = []any{map[string]any{"id": 1, "content": "x"}}
				}
			default:
				object["type"] = kind
				doc[section] = object
				if section != "model" {
					doc[section] = map[string]any{"type": "Sequence", children[section]: []any{object}}
				}
			}
			raw, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			_, err = ReadDocument(strings.NewReader(string(raw)))
			var unsupported *UnsupportedError
			if extra == "" && err != nil {
				t.Errorf("%s: %v", part, err)
			}
			if extra != "" && (!errors.As(err, &unsupported) || unsupported.Value != name) {
				t.Errorf("%s: %v, want the key %s", part, err, name)
			}
		}
	}
}

// A file that Git LFS has not fetched is no JSON; the cure says what it may be.
func TestPointer(t *testing.T) {
	for text, want := range map[string]string{
		"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1\n": "pointer of Git LFS: run `git lfs pull`",
		`{"model": `: "is the file complete?",
	} {
		if _, err := ReadDocument(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
