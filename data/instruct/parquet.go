package instruct

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/parquet-go/parquet-go"

	"gotrain/data"
	"gotrain/data/chat"
)

// readParquet yields the conversations of a Parquet file row by row: string columns by their names, and lists of groups of
// strings, such as messages of role and content, under the name of the list.
func readParquet(path string, yield func(chat.Conversation) bool) error {
	return data.ReadParquet(path, func(table *parquet.File) error {
		columns := stringColumns(table.Schema())
		number := 0
		for _, group := range table.RowGroups() {
			if more, err := readRows(path, group, columns, &number, yield); !more || err != nil {
				return err
			}
		}
		return nil
	})
}

// stringColumns returns the path of each column of strings, by number; nil for the others.
func stringColumns(schema *parquet.Schema) [][]string {
	paths := schema.Columns()
	for i, path := range paths {
		leaf, ok := schema.Lookup(path...)
		if kind := leaf.Node.Type().Kind(); !ok || leaf.MaxRepetitionLevel > 1 || kind != parquet.ByteArray && kind != parquet.FixedLenByteArray {
			paths[i] = nil
		}
	}
	return paths
}

func readRows(path string, group parquet.RowGroup, columns [][]string, number *int, yield func(chat.Conversation) bool) (more bool, err error) {
	rows := group.Rows()
	defer rows.Close()
	buffer := make([]parquet.Row, 16)
	for {
		n, err := rows.ReadRows(buffer)
		for _, row := range buffer[:n] {
			*number++
			source := fmt.Sprintf("%s: row %d", path, *number)
			object, err := rowObject(row, columns)
			if err != nil {
				return false, fmt.Errorf("%s: %w", source, err)
			}
			if more, err := emit(source, object, yield); !more || err != nil {
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

// rowObject writes a row as the JSON object that parseRecord reads.
func rowObject(row parquet.Row, columns [][]string) ([]byte, error) {
	object := map[string]any{}
	lists := map[string][]map[string]string{}
	places := map[int]int{}
	size := 0
	for _, value := range row {
		path := columns[value.Column()]
		if path == nil {
			continue
		}
		if value.IsNull() {
			places[value.Column()]++
			continue
		}
		text := string(value.ByteArray())
		if size += len(text); size > maxRecord {
			return nil, fmt.Errorf("a row longer than %d MiB", maxRecord>>20)
		}
		if len(path) == 1 {
			object[path[0]] = text
			continue
		}
		place := places[value.Column()]
		places[value.Column()]++
		for len(lists[path[0]]) <= place {
			lists[path[0]] = append(lists[path[0]], map[string]string{})
		}
		lists[path[0]][place][path[len(path)-1]] = text
	}
	for name, list := range lists {
		object[strings.TrimSuffix(name, ".list")] = list
	}
	return json.Marshal(object)
}
