// Package configs has the configurations that ship, so that the program knows them by
// their names wherever it runs.
package configs

import (
	"embed"
	"io/fs"
	"slices"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// Names lists them, sorted.
func Names() []string {
	var names []string
	entries, _ := files.ReadDir(".") // of an embedded directory: never an error
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	slices.Sort(names)
	return names
}

// Read returns the text of the configuration called name, with or without .yaml. The error
// is fs.ErrNotExist's for another name.
func Read(name string) ([]byte, error) {
	return fs.ReadFile(files, strings.TrimSuffix(name, ".yaml")+".yaml")
}
