package picture

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// captions are those of pictures in files: of a text file beside each, a.txt beside a.png, or
// of a table in its folder as Hugging Face's ImageFolder has it, metadata.jsonl or
// metadata.csv, with file_name and text (or caption).
type captions struct {
	tables map[string]map[string]string // by folder, by name
}

// of is the caption of a file, "" where there is none.
func (c *captions) of(name string) (string, error) {
	text, err := readCaption(name)
	if text != "" || err != nil {
		return text, err
	}
	folder := filepath.Dir(name)
	table, known := c.tables[folder]
	if !known {
		if table, err = readTable(folder); err != nil {
			return "", err
		}
		if c.tables == nil {
			c.tables = map[string]map[string]string{}
		}
		c.tables[folder] = table
	}
	return table[filepath.Base(name)], nil
}

// readTable reads the table of a folder, nil where there is none.
func readTable(folder string) (map[string]string, error) {
	for base, read := range map[string]func(io.Reader, func(name, text string)) error{"metadata.jsonl": readJSONL, "metadata.csv": readCSV} {
		f, err := os.Open(filepath.Join(folder, base))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		defer f.Close()
		table := map[string]string{}
		err = read(f, func(name, text string) { table[filepath.Base(name)] = strings.Join(strings.Fields(text), " ") })
		if err != nil {
			return nil, setting("%s: %w", f.Name(), err)
		}
		return table, nil
	}
	return nil, nil
}

func readJSONL(in io.Reader, yield func(name, text string)) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		var row struct {
			Name string `json:"file_name"`
			Text string `json:"text"`
			Old  string `json:"caption"`
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if row.Name == "" {
			return fmt.Errorf("line %d names no file_name", n)
		}
		if row.Text == "" {
			row.Text = row.Old
		}
		yield(row.Name, row.Text)
	}
	return lines.Err()
}

func readCSV(in io.Reader, yield func(name, text string)) error {
	r := csv.NewReader(bufio.NewReader(in))
	head, err := r.Read()
	if err != nil {
		return err
	}
	name, text := -1, -1
	for i, column := range head {
		switch strings.TrimPrefix(column, "\ufeff") {
		case "file_name":
			name = i
		case "text", "caption":
			text = i
		}
	}
	if name < 0 || text < 0 {
		return fmt.Errorf("its columns are %q; it needs file_name, and text or caption", head)
	}
	for {
		row, err := r.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		yield(row[name], row[text])
	}
}
