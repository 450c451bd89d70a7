package data

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// MaxTableRow bounds the bytes of a row of a table, and so the memory that a quote without end can take.
const MaxTableRow = 16 << 20

// Tabular is the format of a file by its name: [FormatCSV] or [FormatTSV], "" for a file that is no table.
func Tabular(name string) Format {
	switch format := FormatOf(name); format {
	case FormatCSV, FormatTSV:
		return format
	}
	return ""
}

// ReadTable reads rows of comma-separated values (RFC 4180), or of tab-separated ones with the same quotes where format is
// [FormatTSV], of a file compressed or in another encoding as Config has it. The first row names the columns; one without a
// comma that has semicolons or tabs has columns between those, as spreadsheets of many countries write them. Values may have
// line ends within quotes; empty lines are skipped.
//
// each gets the line on which a row begins, from 1, and its values, which last until it returns; it is called for the row of
// names first. ReadTable ends when it returns false or an error. A row of another number of values than there are columns,
// or with a quote where none may stand, and one of more than MaxTableRow bytes are errors with file and line.
func ReadTable(name string, format Format, encoding string, each func(line int, values []string) (more bool, err error)) error {
	s, err := openText(name, encoding)
	if err != nil {
		return err
	}
	defer s.Close()
	in := bufio.NewReaderSize(s, 64<<10)
	head, err := in.Peek(headBytes)
	if err != nil && err != io.EOF && len(head) == 0 {
		return err
	}
	limit := &rowLimit{r: in}
	rows := csv.NewReader(limit)
	rows.ReuseRecord = true
	rows.Comma = separator(format, head)
	for {
		limit.begin = rows.InputOffset()
		values, err := rows.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return tableFault(name, rows, limit.begin, values, err)
		}
		line, _ := rows.FieldPos(0)
		if more, err := each(line, values); !more || err != nil {
			return err
		}
	}
}

// separator is what stands between the values of a table that begins with head.
func separator(format Format, head []byte) rune {
	if format == FormatTSV {
		return '\t'
	}
	names, _, _ := strings.Cut(string(head), "\n")
	if !strings.Contains(names, ",") {
		for _, other := range []rune{';', '\t'} {
			if strings.ContainsRune(names, other) {
				return other
			}
		}
	}
	return ','
}

// rowLimit ends a row that is too long.
type rowLimit struct {
	r     io.Reader
	read  int64
	begin int64 // of the row that is read
}

var errLongRow = fmt.Errorf("a row of more than %d MiB, the most that is read at once (is a quote not closed? JSON Lines may have longer texts)", MaxTableRow>>20)

// Read passes on what comes, as long as the row is not too long.
func (l *rowLimit) Read(p []byte) (int, error) {
	if l.read-l.begin > MaxTableRow {
		return 0, errLongRow
	}
	n, err := l.r.Read(p)
	l.read += int64(n)
	return n, err
}

// tableFault says where an error is, and what cures it.
func tableFault(name string, rows *csv.Reader, begin int64, values []string, err error) error {
	var parse *csv.ParseError
	switch {
	case errors.Is(err, errLongRow):
		return fmt.Errorf("data: %s: byte %d: %w", name, begin, err)
	case !errors.As(err, &parse):
		return err // of reading, which names the file
	}
	at := fmt.Sprintf("data: %s:%d", name, parse.StartLine)
	switch {
	case errors.Is(err, csv.ErrFieldCount):
		return fmt.Errorf("%s: %s, the first row has %d (quote a text that holds the separator or a line end)", at, count(len(values), "value"), rows.FieldsPerRecord)
	case errors.Is(err, csv.ErrBareQuote):
		return fmt.Errorf("%s: a quote inside a value that does not begin with one, line %d, column %d (quote the whole value and double the quotes in it)", at, parse.Line, parse.Column)
	case errors.Is(err, csv.ErrQuote):
		return fmt.Errorf("%s: the value's quote is not closed, or text stands behind it, line %d, column %d (double each quote within the value)", at, parse.Line, parse.Column)
	}
	return fmt.Errorf("%s: %w", at, err)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// TableColumns are the names of a table's first row, without space around them. Two of one name are an error.
func TableColumns(name string, values []string) ([]string, error) {
	columns := make([]string, len(values))
	for i, v := range values {
		if columns[i] = strings.TrimSpace(v); slices.Contains(columns[:i], columns[i]) && columns[i] != "" {
			return nil, settingf("data: %s:1: two columns are called %q (rename one)", name, columns[i])
		}
	}
	return columns, nil
}

// tableFile yields the value of the column key of every row, where there is text in it.
func tableFile(name string, format Format, key, encoding string, yield func(Document) bool) error {
	column := -1
	return ReadTable(name, format, encoding, func(line int, values []string) (bool, error) {
		if column < 0 {
			columns, err := TableColumns(name, values)
			if err == nil {
				if column = slices.Index(columns, key); column < 0 {
					err = settingf("data: %s: no column %q (set data.text_key to one of %s)", name, key, quoteNames(columns))
				}
			}
			return true, err
		}
		text := values[column]
		return text == "" || yield(Document{File: name, Record: line, Text: []byte(text)}), nil
	})
}

// quoteNames lists names in quotes, a number of them at most.
func quoteNames(names []string) string {
	const most = 20
	quoted := make([]string, 0, most)
	for _, n := range names[:min(len(names), most)] {
		quoted = append(quoted, fmt.Sprintf("%.60q", n))
	}
	if len(names) > most {
		quoted = append(quoted, "…")
	}
	return strings.Join(quoted, ", ")
}

// checkTable reports a table that lacks the column of the text, or whose first row is none.
func checkTable(name string, format Format, key, encoding string) error {
	return tableFile(name, format, key, encoding, func(Document) bool { return false })
}

// refuseTable reports a file of format text whose name says that it is a table.
func refuseTable(name string) error {
	format := Tabular(name)
	if format == "" {
		return nil
	}
	kind := map[Format]string{FormatCSV: "comma-separated", FormatTSV: "tab-separated"}[format]
	return &EncodingError{File: name, Offset: -1, Fault: "its name says that it is a table of " + kind + " values, and data.format is text",
		Cure: fmt.Sprintf("set data.format to %s and data.text_key to the column of the text, or to instruct for prompts and completions; to train on the file as it is give it another name than *%s", format, filepath.Ext(name))}
}
