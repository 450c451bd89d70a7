package checkpoint

import (
	"encoding/json"
	"io"
)

// JSON is a file that holds v, indented.
func JSON(name string, v any) File {
	return File{Name: name, Write: func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}}
}
