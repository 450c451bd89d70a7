package main

import (
	"encoding/json"
	"io"
)

// writeJSON prints v as the one JSON object of a command's standard output.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
