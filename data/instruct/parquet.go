package instruct

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"

	"example.com/gotrain/data"
)

// ParquetRows gives read each row of a Parquet file, as a JSON object that has its columns as keys (groups are objects, lists
// lists), and its place, "FILE: row N" from 1, until more is false.
func ParquetRows(path string, read func(source string, record []byte) (more bool, err error)) error {
	return data.ReadParquet(path, func(table *parquet.File) error {
		number := 0
		for _, group := range table.RowGroups() {
			if more, err := readRows(path, group, table.Schema(), &number, read); !more || err != nil {
				return err
			}
		}
		return nil
	})
}

func readRows(path string, group parquet.RowGroup, schema *parquet.Schema, number *int, read func(source string, record []byte) (more bool, err error)) (more bool, err error) {
	rows := group.Rows()
	defer rows.Close()
	buffer := make([]parquet.Row, 16)
	for {
		n, err := rows.ReadRows(buffer)
		for _, row := range buffer[:n] {
			*number++
			source := fmt.Sprintf("%s: row %d", path, *number)
			record, err := rowRecord(row, schema)
			if err != nil {
				return false, fmt.Errorf("%s: %w", source, err)
			}
			if more, err := read(source, record); !more || err != nil {
				return false, err
			}
		}
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, fmt.Errorf("%s: %w", path, err)
		}
	}
}

// rowRecord writes a row as the JSON object that parseRecord reads.
func rowRecord(row parquet.Row, schema *parquet.Schema) ([]byte, error) {
	columns := make([][]parquet.Value, len(schema.Columns()))
	size := 0
	for _, value := range row {
		columns[value.Column()] = append(columns[value.Column()], value)
		if value.Kind() == parquet.ByteArray {
			size += len(value.ByteArray())
		}
	}
	if size > maxRecord {
		return nil, fmt.Errorf("a row longer than %d MiB", maxRecord>>20)
	}
	a := &assembler{}
	object, _ := a.group(schema, columns, 0, 0)
	if a.err != nil {
		return nil, a.err
	}
	return json.Marshal(object)
}

// A groupValue is an object with its keys in the order of the columns, which a chat template may see.
type groupValue struct {
	keys   []string
	values []any
}

func (g groupValue) get(key string) (any, bool) {
	if i := slices.Index(g.keys, key); i >= 0 {
		return g.values[i], true
	}
	return nil, false
}

// MarshalJSON writes the object.
func (g groupValue) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, key := range g.keys {
		if i > 0 {
			out = append(out, ',')
		}
		name, err := json.Marshal(key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(g.values[i])
		if err != nil {
			return nil, err
		}
		out = append(append(append(out, name...), ':'), value...)
	}
	return append(out, '}'), nil
}

// An assembler puts the values of columns together to what they were, as Dremel's paper does: a value's repetition level says
// of which list it begins an element, its definition level how much of its path is there.
type assembler struct{ err error }

// node assembles one value of a field from the values of its columns, in order. It returns how many columns it has.
func (a *assembler) node(name string, node parquet.Node, columns [][]parquet.Value, repetition, definition int) (value any, leaves int) {
	switch {
	case node.Optional():
		definition++
		if leaves = leavesOf(node); absent(columns, definition) {
			return nil, leaves
		}
	case node.Repeated():
		return a.list(name, node, columns, repetition+1, definition+1)
	}
	return a.required(name, node, columns, repetition, definition)
}

func (a *assembler) required(name string, node parquet.Node, columns [][]parquet.Value, repetition, definition int) (any, int) {
	if node.Leaf() {
		return a.leaf(name, columns[0]), 1
	}
	object, leaves := a.group(node, columns, repetition, definition)
	return unwrap(object), leaves
}

func (a *assembler) group(node parquet.Node, columns [][]parquet.Value, repetition, definition int) (groupValue, int) {
	var object groupValue
	leaves := 0
	for _, field := range node.Fields() {
		value, n := a.node(field.Name(), field, columns[leaves:], repetition, definition)
		leaves += n
		object.keys, object.values = append(object.keys, field.Name()), append(object.values, value)
	}
	return object, leaves
}

// list assembles the elements of a repeated field: one begins where the repetition level is the field's own.
func (a *assembler) list(name string, node parquet.Node, columns [][]parquet.Value, repetition, definition int) (any, int) {
	leaves := leavesOf(node)
	elements := []any{}
	if absent(columns, definition) {
		return elements, leaves
	}
	rest := slices.Clone(columns[:leaves])
	for len(rest[0]) > 0 {
		element := make([][]parquet.Value, leaves)
		for i, values := range rest {
			end := 1
			for end < len(values) && values[end].RepetitionLevel() > repetition {
				end++
			}
			end = min(end, len(values))
			element[i], rest[i] = values[:end], values[end:]
		}
		value, _ := a.required(name, node, element, repetition, definition)
		elements = append(elements, value)
	}
	return elements, leaves
}

func (a *assembler) leaf(name string, values []parquet.Value) any {
	if len(values) == 0 || values[0].IsNull() {
		return nil
	}
	switch v := values[0]; v.Kind() {
	case parquet.Boolean:
		return v.Boolean()
	case parquet.Int32:
		return v.Int32()
	case parquet.Int64:
		return v.Int64()
	case parquet.Float:
		return floatValue(v.Float())
	case parquet.Double:
		return floatValue(v.Double())
	case parquet.ByteArray, parquet.FixedLenByteArray:
		text := v.ByteArray()
		if !utf8.Valid(text) && a.err == nil {
			a.err = fmt.Errorf("column %q is not UTF-8 text", name)
		}
		return string(text)
	default:
		return v.String()
	}
}

// A floatValue keeps its point in JSON, so that a chat template writes it as a float.
type floatValue float64

// MarshalJSON writes the number; JSON has none that is not finite.
func (f floatValue) MarshalJSON() ([]byte, error) {
	out, err := json.Marshal(float64(f))
	if err == nil && !bytes.ContainsAny(out, ".e") {
		out = append(out, ".0"...)
	}
	return out, err
}

// absent says whether the first value of a field is not defined down to a level.
func absent(columns [][]parquet.Value, definition int) bool {
	return len(columns) == 0 || len(columns[0]) == 0 || columns[0][0].DefinitionLevel() < definition
}

func leavesOf(node parquet.Node) int {
	if node.Leaf() {
		return 1
	}
	n := 0
	for _, field := range node.Fields() {
		n += leavesOf(field)
	}
	return n
}

// unwrap takes the group with a repeated group of elements inside, which Parquet calls a LIST, as the list.
func unwrap(object groupValue) any {
	if len(object.keys) != 1 {
		return object
	}
	for _, name := range []string{"list", "bag", "array"} {
		list, _ := object.get(name)
		elements, ok := list.([]any)
		if !ok {
			continue
		}
		for i, element := range elements {
			if inner, ok := element.(groupValue); ok && len(inner.keys) <= 1 {
				for _, name := range []string{"element", "item", "array", "array_element"} {
					if value, ok := inner.get(name); ok {
						elements[i] = value
					}
				}
			}
		}
		return elements
	}
	return object
}
