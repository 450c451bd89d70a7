package vfs

import (
	"strings"
	"testing"
)

func TestIsPointer(t *testing.T) {
	const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
	for text, want := range map[string]bool{
		pointer: true,
		"version https://hawser.github.com/spec/v1\noid sha256:abc\n": true,
		"version https://git-lfs.github.com/spec":                     false,
		pointer + strings.Repeat("x", 1024):                           false,
		"{}":                                                          false,
		"":                                                            false,
	} {
		if IsPointer([]byte(text)) != want {
			t.Errorf("%.50q: want %v", text, want)
		}
	}
}
