package main

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// maxMeasured bounds what is read of the file of --measure: more than its windows hold.
const maxMeasured = 1 << 20

// readMeasured reads the text of --measure, nil for none.
func readMeasured(file string, verify bool) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	if !verify {
		return nil, errors.New("--measure computes with the model, --verify=false does not: leave one of them out")
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxMeasured))
	if err == nil && len(text) == 0 {
		err = fmt.Errorf("--measure: %s is empty", file)
	}
	return text, err
}
