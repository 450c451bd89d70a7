package pairs

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"

	"example.com/gotrain/data"
	"example.com/gotrain/data/instruct"
	"example.com/gotrain/data/synth"
)

// Pair is a source and its target.
type Pair struct {
	Source, Target string
	Origin         data.Origin // file and line, or row, from 1
}

// maxLine bounds the bytes of a line, and so the memory that a broken file can take.
const maxLine = 16 << 20

// Read streams the pairs of files in order, texts in an encoding as in data.Config: tables
// of tab- or comma-separated values by their names, Parquet by its content, JSON Lines
// otherwise; with targets, files of one text a line, each beside the one of targets at its
// place. It ends with the first error, which names file and line: an empty side, a column
// that is not there, files of unequal length; or with ErrNone for files without pairs.
func (c Config) Read(paths, targets []string, encoding string) iter.Seq2[Pair, error] {
	return func(yield func(Pair, error) bool) {
		if c.Cipher > 0 {
			c.cipher(paths, encoding, cipherSeed)(yield)
			return
		}
		if len(targets) > 0 && len(targets) != len(paths) {
			yield(Pair{}, settingf("data.pairs.targets: %d files of targets for %d files of sources: each needs one", len(targets), len(paths)))
			return
		}
		more, some := true, false
		each := func(p Pair) bool {
			more, some = yield(p, nil), true
			return more
		}
		for i, path := range paths {
			var err error
			if len(targets) > 0 {
				err = readBeside(path, targets[i], encoding, each)
			} else {
				err = c.readFile(path, encoding, each)
			}
			if err != nil {
				yield(Pair{}, err)
				return
			}
			if !more {
				return
			}
		}
		if !some {
			yield(Pair{}, fmt.Errorf("%w: %.200s", ErrNone, strings.Join(paths, ", ")))
		}
	}
}

func (c Config) readFile(path, encoding string, yield func(Pair) bool) error {
	parquet, err := isParquet(path)
	if err != nil {
		return err
	}
	if parquet {
		row := int64(0)
		return instruct.ParquetRows(path, func(_ string, record []byte) (bool, error) {
			row++
			return c.record(record, data.Origin{File: path, Offset: row}, yield)
		})
	}
	switch data.Tabular(path) {
	case data.FormatTSV:
		return c.readTable(path, encoding, eachTabbed, yield)
	case data.FormatCSV:
		return c.readTable(path, encoding, func(path, encoding string, each func(int, []string) (bool, error)) error {
			return data.ReadTable(path, data.FormatCSV, encoding, each)
		}, yield)
	}
	return c.readLines(path, encoding, yield)
}

func isParquet(path string) (bool, error) {
	file, err := os.Open(path)
	if err != nil {
		return false, fmt.Errorf("pairs: %w", err)
	}
	defer file.Close()
	var head [4]byte
	_, err = io.ReadFull(file, head[:])
	return err == nil && string(head[:]) == "PAR1", nil
}

// eachTabbed gives the values of each line of a file between tabs. Quotes are text: corpora of
// translations have them as they are. All lines have as many values as the first.
func eachTabbed(path, encoding string, each func(line int, values []string) (bool, error)) error {
	columns := 0
	return eachLine(path, encoding, func(number int64, line []byte) (bool, error) {
		if len(bytes.TrimSpace(line)) == 0 {
			return true, nil
		}
		values := strings.Split(string(line), "\t")
		if columns == 0 {
			columns = len(values)
		}
		if len(values) != columns {
			cure := "write no tab inside a text"
			if len(values) < columns {
				cure = "put a tab between the texts of a pair"
			}
			return false, fmt.Errorf("pairs: %s:%d: columns between tabs: %d, of the first row %d (%s)", path, number, len(values), columns, cure)
		}
		return each(int(number), values)
	})
}

// readTable yields the pairs of a table that rows reads, whose first row names the columns
// unless these are given by number.
func (c Config) readTable(path, encoding string, rows func(path, encoding string, each func(int, []string) (bool, error)) error, yield func(Pair) bool) error {
	source, numbered := column(c.Source)
	target, _ := column(c.Target)
	named := numbered
	return rows(path, encoding, func(line int, values []string) (bool, error) {
		if !named {
			named = true
			columns, err := data.TableColumns(path, values)
			if err != nil {
				return false, err
			}
			if len(columns) < 2 {
				return false, settingf("pairs: %s:%d: the first row has one column, and a pair takes two, the source and the target: %s (in a .tsv a tab is between them, in a .csv a comma)", path, line, quoted(columns))
			}
			source, target = slices.Index(columns, c.Source), slices.Index(columns, c.Target)
			for _, key := range []string{c.Source, c.Target} {
				if !slices.Contains(columns, key) {
					return false, settingf("pairs: %s:%d: the first row names no column %q (name two of %s, or numbers such as 1 and 2 where no row has names, as %s)", path, line, key, quoted(columns), whereNamed)
				}
			}
			return true, nil
		}
		if most := max(source, target); most >= len(values) {
			return false, settingf("pairs: %s:%d: there is no column %d of %d (name others as %s)", path, line, most+1, len(values), whereNamed)
		}
		return emit(Pair{values[source], values[target], data.Origin{File: path, Offset: int64(line)}}, yield)
	})
}

// whereNamed is where a user says which texts are the source and the target.
const whereNamed = "data.pairs.source and data.pairs.target, or --source and --target of eval"

func quoted(names []string) string {
	var list []string
	for _, n := range names[:min(len(names), 20)] {
		list = append(list, fmt.Sprintf("%.60q", n))
	}
	return strings.Join(list, ", ")
}

// readLines yields the pairs of a file of JSON Lines.
func (c Config) readLines(path, encoding string, yield func(Pair) bool) error {
	return eachLine(path, encoding, func(number int64, line []byte) (bool, error) {
		if len(bytes.TrimSpace(line)) == 0 {
			return true, nil
		}
		return c.record(line, data.Origin{File: path, Offset: number}, yield)
	})
}

// record yields the pair of a JSON object.
func (c Config) record(record []byte, origin data.Origin, yield func(Pair) bool) (more bool, err error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(record, &object); err != nil {
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) {
			err = fmt.Errorf("it is %s %s", map[bool]string{true: "an", false: "a"}[kind.Value == "array"], kind.Value)
		}
		return false, fmt.Errorf("pairs: %s: a line that is no JSON object: %w (write one object a line, or give the file the name of a table: .tsv or .csv)", origin, err)
	}
	source, err := textOf(object, c.Source)
	if err == nil {
		var target string
		if target, err = textOf(object, c.Target); err == nil {
			return emit(Pair{source, target, origin}, yield)
		}
	}
	return false, settingf("pairs: %s: %w (name keys of all records, with texts behind them, as %s)", origin, err, whereNamed)
}

// textOf is the text at a key, a.b inside an object.
func textOf(object map[string]json.RawMessage, key string) (string, error) {
	raw, ok := object[key]
	if !ok {
		if outer, inner, nested := strings.Cut(key, "."); nested {
			var within map[string]json.RawMessage
			if json.Unmarshal(object[outer], &within) == nil && within != nil {
				return textOf(within, inner)
			}
		}
		keys := make([]string, 0, len(object))
		for k := range object {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		return "", fmt.Errorf("there is no key %q among %s", key, quoted(keys))
	}
	var text *string
	if err := json.Unmarshal(raw, &text); err != nil || text == nil {
		return "", fmt.Errorf("key %q is no text: %.60s", key, raw)
	}
	return *text, nil
}

// readBeside yields the pairs of two files that stand side by side.
func readBeside(sources, targets, encoding string, yield func(Pair) bool) error {
	right := newLines(targets, encoding)
	defer right.close()
	stopped := false
	count := int64(0)
	err := eachLine(sources, encoding, func(number int64, line []byte) (bool, error) {
		count = number
		target, err := right.next()
		if errors.Is(err, io.EOF) {
			return false, fmt.Errorf("pairs: %s has %d lines, and %s more: line %d of it has no target (the files have to have a line for each line of the other)", targets, number-1, sources, number)
		}
		if err != nil {
			return false, err
		}
		if len(bytes.TrimSpace(line)) == 0 && len(bytes.TrimSpace(target)) == 0 {
			return true, nil // a mark between documents
		}
		more, err := emit(Pair{string(line), string(target), data.Origin{File: sources, Offset: number}}, yield)
		stopped = !more
		return more, err
	})
	if err != nil || stopped {
		return err
	}
	if _, err := right.next(); !errors.Is(err, io.EOF) {
		if err != nil {
			return err
		}
		return fmt.Errorf("pairs: %s has %d lines, and %s more: line %d of it has no source (the files have to have a line for each line of the other)", sources, count, targets, count+1)
	}
	return nil
}

// emit yields a pair, neither of whose sides may be empty.
func emit(p Pair, yield func(Pair) bool) (more bool, err error) {
	p.Source, p.Target = strings.TrimSpace(p.Source), strings.TrimSpace(p.Target)
	for _, side := range [][2]string{{"source", p.Source}, {"target", p.Target}} {
		if side[1] == "" {
			return false, fmt.Errorf("pairs: %s: the %s is empty (fill it in, or take the pair out)", p.Origin, side[0])
		}
	}
	return yield(p), nil
}

// lines reads a file line by line.
type lines struct {
	name, encoding string
	stream         io.ReadCloser
	in             *bufio.Reader
	number         int64
	buffer         []byte
}

func newLines(name, encoding string) *lines { return &lines{name: name, encoding: encoding} }

func (l *lines) close() {
	if l.stream != nil {
		l.stream.Close()
	}
}

// next returns the next line without its end, valid until the next call, or io.EOF.
func (l *lines) next() ([]byte, error) {
	if l.stream == nil {
		stream, err := data.OpenText(l.name, l.encoding)
		if err != nil {
			return nil, err
		}
		l.stream = stream
		l.in = bufio.NewReaderSize(l.stream, 64<<10)
	}
	l.buffer = l.buffer[:0]
	l.number++
	for {
		part, err := l.in.ReadSlice('\n')
		if l.buffer = append(l.buffer, part...); len(l.buffer) > maxLine {
			return nil, fmt.Errorf("pairs: %s:%d: a line of more than %d MiB, the most that is read at once", l.name, l.number, maxLine>>20)
		}
		switch {
		case err == nil, errors.Is(err, io.EOF) && len(l.buffer) > 0:
			return bytes.TrimRight(l.buffer, "\r\n"), nil
		case errors.Is(err, io.EOF):
			return nil, io.EOF
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("pairs: line %d: %w", l.number, err)
		}
	}
}

// eachLine gives each line of a file, from 1, until more is false.
func eachLine(name, encoding string, each func(number int64, line []byte) (more bool, err error)) error {
	l := newLines(name, encoding)
	defer l.close()
	for {
		line, err := l.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if more, err := each(l.number, line); !more || err != nil {
			return err
		}
	}
}

func settingf(format string, args ...any) error {
	return &data.SettingError{Err: fmt.Errorf(format, args...)}
}

// cipher yields the pairs that Cipher asks for of the texts of files.
func (c Config) cipher(paths []string, encoding string, seed uint64) iter.Seq2[Pair, error] {
	return func(yield func(Pair, error) bool) {
		var text strings.Builder
		for _, path := range paths {
			if err := eachLine(path, encoding, func(_ int64, line []byte) (bool, error) {
				text.Write(append(line, '\n'))
				return true, nil
			}); err != nil {
				yield(Pair{}, err)
				return
			}
		}
		number := int64(0)
		for p, err := range synth.Cipher(text.String(), c.Cipher, seed) {
			number++
			if err != nil {
				err = &data.SettingError{Err: fmt.Errorf("data.pairs.cipher: %w", err)}
			}
			if !yield(Pair{p[0], p[1], data.Origin{File: "cipher", Offset: number}}, err) || err != nil {
				return
			}
		}
	}
}

// cipherSeed is that of the language's phrases: they do not change with the seed of a run.
const cipherSeed = 1704
