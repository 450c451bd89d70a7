package vfs

import "io"

// Content is a file to be written.
type Content struct {
	Name string // within some directory
	// Write produces the bytes. It may be called later than it was made, from
	// another goroutine.
	Write func(io.Writer) error
}

// Bytes is a file that holds content.
func Bytes(name string, content []byte) Content {
	return Content{Name: name, Write: func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	}}
}
