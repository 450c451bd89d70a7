package instruct

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"example.com/gotrain/data"
)

// readTable yields a table row by row. A row is the record that has the columns as keys, with texts as
// values; what counts a record is a number or a truth value where it reads as one. An unnamed column, as pandas writes one for
// its index, is left out.
func readTable(path string, format data.Format, encoding string, yield take) error {
	var columns []string
	return data.ReadTable(path, format, encoding, func(line int, values []string) (bool, error) {
		if columns == nil {
			var err error
			columns, err = data.TableColumns(path, values)
			return true, err
		}
		return yield(fmt.Sprintf("%s:%d", path, line), tableRecord(columns, values))
	})
}

// tableRecord writes a row as the JSON object that parseRecord reads.
func tableRecord(columns, values []string) []byte {
	out := []byte{'{'}
	for i, column := range columns {
		if column == "" || slices.Contains(weightKeys, column) && values[i] == "" {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(appendString(out, column), ':')
		if plain := strings.ToLower(strings.TrimSpace(values[i])); slices.Contains(weightKeys, column) && json.Valid([]byte(plain)) {
			out = append(out, plain...)
			continue
		}
		out = appendString(out, values[i])
	}
	return append(out, '}')
}

func appendString(out []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string has no fault
	}
	return append(out, quoted...)
}

// measureTable is measure for a table of size bytes.
func measureTable(path string, format data.Format, encoding string, size int64) (all, longest int64) {
	_ = data.ReadTable(path, format, encoding, func(_ int, values []string) (bool, error) { // reading tells of faults
		row := int64(0)
		for _, v := range values {
			row += int64(len(v)) + 1
		}
		all, longest = all+row, max(longest, row)
		return all < scanBytes, nil
	})
	return max(size, all), longest
}
