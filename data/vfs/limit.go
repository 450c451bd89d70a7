package vfs

import (
	"fmt"
	"io"
)

// CopyAtMost has from write to w, which gets limit bytes at most, and returns how
// many there were; more are an error.
func CopyAtMost(w io.Writer, from io.WriterTo, limit int64) (int64, error) {
	l := &limitedWriter{w: w, limit: limit, left: limit}
	_, err := from.WriteTo(l)
	return limit - l.left, err
}

// limitedWriter counts down the bytes that may still come.
type limitedWriter struct {
	w           io.Writer
	limit, left int64
}

func (l *limitedWriter) Write(p []byte) (int, error) {
	if int64(len(p)) > l.left {
		return 0, fmt.Errorf("more bytes than the %d that belong here", l.limit)
	}
	n, err := l.w.Write(p)
	l.left -= int64(n)
	return n, err
}
