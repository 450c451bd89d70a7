package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// longestFile is what a command takes that is flags, call, print. What is longer has
// something in it that a package should have, where a library user can call it.
const longestFile = 150

func TestCommandsAreShort(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if lines := bytes.Count(text, []byte("\n")); lines > longestFile {
			t.Errorf("%s has %d lines, at most %d are allowed: move what is not flags, call or print to the package it belongs to", file, lines, longestFile)
		}
	}
}
