package scale

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Columns are the names of a table's columns, "" for the usual ones. Two of N, D and C
// are enough: C = 6·N·D.
type Columns struct{ N, D, C, Loss string }

// usual are the names that a column has where none is given, in lower case.
var usual = map[string][]string{
	"N":    {"n", "params", "parameters", "model size"},
	"D":    {"d", "tokens", "training tokens"},
	"C":    {"c", "flops", "flop", "compute", "training flop"},
	"loss": {"loss", "nll"},
}

// mostRows bounds a table; one that is longer is something else.
const mostRows = 1_000_000

// ReadCSV reads points from a table with a row of names, whose values are separated by
// commas, or by tabs where file ends in .tsv. Errors name file and line.
func ReadCSV(r io.Reader, file string, columns Columns) ([]Point, error) {
	reader := csv.NewReader(r)
	reader.FieldsPerRecord, reader.ReuseRecord, reader.TrimLeadingSpace = -1, true, true
	if strings.EqualFold(filepath.Ext(file), ".tsv") {
		reader.Comma, reader.TrimLeadingSpace = '\t', false // of which a leading space could be one
	}
	names, err := reader.Read()
	switch {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%s is empty; it wants a row of names and a row for each run", file)
	case err != nil:
		return nil, csvError(file, err)
	}
	names = slices.Clone(names)
	names[0] = strings.TrimPrefix(names[0], "\ufeff")
	place, err := columns.find(file, names)
	if err != nil {
		return nil, err
	}
	var points []Point
	for {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, csvError(file, err)
		}
		line, _ := reader.FieldPos(0)
		if len(points) == mostRows {
			return nil, fmt.Errorf("%s:%d: more than %d runs", file, line, mostRows)
		}
		p, err := place.point(fmt.Sprintf("%s:%d", file, line), names, row)
		if err != nil {
			return nil, err
		}
		points = append(points, p)
	}
	if len(points) < fewest {
		return nil, fmt.Errorf("%s has %d runs; a law of five coefficients needs %d or more", file, len(points), fewest)
	}
	return points, nil
}

// csvError words an error of package csv, which has the line.
func csvError(file string, err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return fmt.Errorf("%s:%d: %w", file, parse.Line, parse.Err)
	}
	return fmt.Errorf("%s: %w", file, err)
}

// places are the indices of columns, −1 for none.
type places struct{ n, d, c, loss int }

// find looks the columns up in the names of a table.
func (c Columns) find(file string, names []string) (places, error) {
	place := places{}
	for _, column := range []struct {
		kind, name string
		at         *int
	}{{"N", c.N, &place.n}, {"D", c.D, &place.d}, {"C", c.C, &place.c}, {"loss", c.Loss, &place.loss}} {
		wanted := usual[column.kind]
		if column.name != "" {
			wanted = []string{strings.ToLower(column.name)}
		}
		*column.at = -1
		for i, name := range names {
			if !slices.Contains(wanted, strings.ToLower(strings.TrimSpace(name))) {
				continue
			}
			if *column.at >= 0 {
				return place, fmt.Errorf("%s:1: both %q and %q could be %s; say which by --%s", file, names[*column.at], name, column.kind, strings.ToLower(column.kind))
			}
			*column.at = i
		}
		if column.name != "" && *column.at < 0 {
			return place, fmt.Errorf("%s:1: there is no column %q; there are %s", file, column.name, quoted(names))
		}
	}
	known := 0
	for _, at := range []int{place.n, place.d, place.c} {
		if at >= 0 {
			known++
		}
	}
	switch {
	case place.loss < 0:
		return place, fmt.Errorf("%s:1: no column is the loss; name it by --loss: there are %s", file, quoted(names))
	case known < 2:
		return place, fmt.Errorf("%s:1: two of N, D and C = 6·N·D are needed; name them by --n, --d or --c: there are %s", file, quoted(names))
	}
	return place, nil
}

func quoted(names []string) string {
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = strconv.Quote(name)
	}
	return strings.Join(words, ", ")
}

// point reads a row.
func (at places) point(where string, names, row []string) (Point, error) {
	p := Point{From: where}
	var c float64
	for _, value := range []struct {
		at int
		to *float64
	}{{at.n, &p.N}, {at.d, &p.D}, {at.c, &c}, {at.loss, &p.Loss}} {
		if value.at < 0 {
			continue
		}
		if value.at >= len(row) {
			return p, fmt.Errorf("%s: the row ends before the column %q", where, names[value.at])
		}
		text := strings.TrimSpace(row[value.at])
		x, err := strconv.ParseFloat(text, 64)
		switch {
		case err != nil && !math.IsInf(x, 0):
			return p, fmt.Errorf("%s: %q is %q, which is no number", where, names[value.at], text)
		case !(x > 0) || math.IsInf(x, 1):
			return p, fmt.Errorf("%s: %q is %s; it has to be above 0 and finite", where, names[value.at], text)
		}
		*value.to = x
	}
	switch {
	case at.n < 0:
		p.N = c / FLOPsPerParameterToken / p.D
	case at.d < 0:
		p.D = c / FLOPsPerParameterToken / p.N
	}
	if !(p.N > 0) || !(p.D > 0) || math.IsInf(p.C(), 1) {
		return p, fmt.Errorf("%s: N = %g and D = %g are out of range", where, p.N, p.D)
	}
	return p, nil
}
