package vfs

import (
	"bytes"
	"errors"
)

// ErrPointer says that a file is what Git LFS keeps in the place of a large file which
// was not fetched.
var ErrPointer = errors.New("it is a pointer of Git LFS, not the file itself: run `git lfs install` and `git lfs pull` in its folder, or download the file")

// pointerHeads are how pointers begin (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md);
// none has more than MaxPointer bytes.
var pointerHeads = [][]byte{[]byte("version https://git-lfs.github.com/spec/"), []byte("version https://hawser.github.com/spec/")}

// MaxPointer is the most bytes of a pointer.
const MaxPointer = 1024

// IsPointer tells whether the content of a file is a pointer of Git LFS.
func IsPointer(content []byte) bool {
	if len(content) > MaxPointer {
		return false
	}
	for _, head := range pointerHeads {
		if bytes.HasPrefix(content, head) {
			return true
		}
	}
	return false
}
