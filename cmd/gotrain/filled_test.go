package main

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"example.com/gotrain/data"
	"example.com/gotrain/nn/hub/convert"
	"example.com/gotrain/train/bench"
	"example.com/gotrain/train/device"
	"example.com/gotrain/train/forecast"
	"example.com/gotrain/train/ranks/probe"
	"example.com/gotrain/train/scale"
)

// filler gives each field of a report a value of its own, by its path, so that what is printed tells which field it is.
type filler struct {
	empty bool // pointers, lists, maps, truth values and numbers stay what they are where there are none
}

func (f filler) fill(v reflect.Value, path string) {
	hash := fnv.New32a()
	hash.Write([]byte(path))
	number := int64(hash.Sum32()%9973 + 2)
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Unix(1_700_000_000+number*3600, 0)))
		return
	}
	if f.empty && v.Kind() != reflect.Struct && v.Kind() != reflect.String {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() {
				f.fill(v.Field(i), path+"."+field.Name)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem(), path)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			f.fill(v.Index(i), fmt.Sprint(path, i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for i := range 2 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			f.fill(key, fmt.Sprint(path, "-key", i))
			f.fill(value, fmt.Sprint(path, i))
			v.SetMapIndex(key, value)
		}
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString(strings.ToLower(path[strings.LastIndex(path, ".")+1:]) + "-" + strconv.FormatInt(number, 10))
	case reflect.Float64, reflect.Float32:
		v.SetFloat(float64(number) * 1.0625)
	case reflect.Uint8:
		v.SetUint(uint64(number % 5))
	default:
		if v.CanInt() {
			v.SetInt(number * 1234)
		} else if v.CanUint() {
			v.SetUint(uint64(number) * 1234)
		}
	}
}

// filled prints reports with all of their fields, and with none that may be missing.
func filled[T any](out io.Writer, name string, print func(w io.Writer, r T) error) {
	for _, empty := range []bool{false, true} {
		var r T
		filler{empty}.fill(reflect.ValueOf(&r).Elem(), name)
		fmt.Fprintf(out, "== %s, %s\n", name, map[bool]string{false: "of all", true: "of nothing"}[empty])
		if err := print(out, r); err != nil {
			fmt.Fprintln(out, err)
		}
	}
}

// TestPrintersOfAllFields compares what is printed of reports whose every field has a value of its own with
// testdata/filled.txt; -update writes it.
func TestPrintersOfAllFields(t *testing.T) {
	var out bytes.Buffer
	filled(&out, "plan", func(w io.Writer, r forecast.Report) error { return printPlan(w, &r) })
	filled(&out, "conversion", printConversion)
	filled(&out, "laws", func(w io.Writer, r scale.Report) error { return printLaws(w, &r, "file") })
	filled(&out, "planned", func(w io.Writer, p scale.Plan) error {
		return printPlanned(w, &scale.Report{Counted: "all"}, "from", p)
	})
	filled(&out, "cluster", func(w io.Writer, r probe.Report) error { return printCluster(w, &r) })
	filled(&out, "findings", printFindings)
	filled(&out, "checkpoint", func(w io.Writer, i checkpointInfo) error { return i.print(w) })
	filled(&out, "vocabulary", func(w io.Writer, i data.Vocabulary) error { return printVocabulary(w, i) })
	filled(&out, "runs", func(w io.Writer, rows []runRow) error {
		for i := range rows {
			rows[i].Changed = nil // in the zone of who reads it
		}
		return printRuns(w, rows)
	})
	filled(&out, "cleaned", func(w io.Writer, r cleaned) error { return r.print(w, time.Unix(1_800_000_000, 0)) })
	filled(&out, "step", func(w io.Writer, s bench.Timing) error { printStep(w, s); return nil })
	filled(&out, "build", func(w io.Writer, b build) error { _, err := fmt.Fprintln(w, b); return err })
	filled(&out, "timing", func(w io.Writer, s forecast.Timing) error { _, err := fmt.Fprintln(w, timingText(s)); return err })
	fmt.Fprintln(&out, sharesText([]forecast.Source{{Name: "a", Share: 0.25}, {Name: "b", Share: 0.75}}))
	fmt.Fprintln(&out, sharesText([]forecast.Source{{Name: "a"}, {Name: "b"}}))
	golden := filepath.Join("testdata", "filled.txt")
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	was, is := strings.Split(string(want), "\n"), strings.Split(out.String(), "\n")
	for i := range min(len(was), len(is)) {
		if was[i] != is[i] {
			t.Fatalf("line %d is\n%s\nwant\n%s", i+1, is[i], was[i])
		}
	}
	if len(was) != len(is) {
		t.Errorf("%d lines, want %d", len(is), len(was))
	}
}

// TestFindingsWithoutFault: nothing is wrong where all is fine.
func TestFindingsWithoutFault(t *testing.T) {
	for ok, want := range map[bool]string{true: "ok    disk        fast\neverything is fine\n", false: "warn  disk        fast\n"} {
		var out strings.Builder
		if err := printFindings(&out, []device.Finding{{Name: "disk", OK: ok, Detail: "fast"}}); err != nil || out.String() != want {
			t.Errorf("%q, %v; want %q", out.String(), err, want)
		}
	}
	if left := (convert.Report{}); printConversion(io.Discard, left) != nil {
		t.Error("a conversion without a comparison is not printed")
	}
}

// TestCompletions: what the shell is told of models, keys and commands.
func TestCompletions(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"runs/a/checkpoints/step-00000002", "runs/b", "other"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	if found, how := models(nil, nil, "ru"); found != nil || how != cobra.ShellCompDirectiveFilterDirs {
		t.Errorf("without a model: %q, %d", found, how)
	}
	config := writeConfig(t, dir)
	must(t, "pretrain", "--config", config, "--run", filepath.Join(dir, "runs", "c"), "--set", "train.steps=1", "--set", "train.eval_every=0")
	found, how := models(nil, nil, "ru")
	slices.Sort(found)
	if want := []string{"runs/c", "runs/c/checkpoints/latest", "runs/c/checkpoints/step-00000001"}; how != cobra.ShellCompDirectiveNoFileComp || !slices.Contains(found, "runs/c") || slices.Contains(found, "runs/b") {
		t.Errorf("models: %q, %d; want %q", found, how, want)
	}
	if deeper, _ := models(nil, nil, "runs/c"); !slices.Contains(deeper, "runs/c/checkpoints/step-00000001") {
		t.Errorf("models of a run: %q", deeper)
	}
	c := newPretrain()
	if err := c.Flags().Set("config", config); err != nil {
		t.Fatal(err)
	}
	words, _ := settings(c, nil, "")
	defaults, how := settings(newPretrain(), nil, "")
	if !slices.Contains(words, "model.width=\t16") && !slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, "model.width=\t") }) || slices.Equal(words, defaults) || how != cobra.ShellCompDirectiveNoSpace|cobra.ShellCompDirectiveNoFileComp {
		t.Errorf("keys: %q", words)
	}
	for line, want := range map[string][]string{"": nil, "/re": {"/reset ", "/retry "}, "/set": {"/set "}, "x": nil} {
		if got := completeCommand(line); !slices.Equal(got, want) {
			t.Errorf("%q is completed as %q, want %q", line, got, want)
		}
	}
	for state, want := range map[string]string{"/var/state": "/var/state/gotrain/chat_history", "": "/home/me/.local/state/gotrain/chat_history"} {
		t.Setenv("XDG_STATE_HOME", state)
		t.Setenv("HOME", "/home/me")
		if got := historyFile(); got != want {
			t.Errorf("the history is in %s, want %s", got, want)
		}
	}
}

// TestRunsAsJSON: the rows of runs as JSON are those of the table, by their keys.
func TestRunsAsJSON(t *testing.T) {
	dir := t.TempDir()
	must(t, "pretrain", "--config", writeConfig(t, dir), "--run", filepath.Join(dir, "runs", "a"), "--set", "train.steps=2", "--set", "train.eval_every=0")
	var got struct {
		Runs []map[string]any
	}
	mustJSON(t, &got, "runs", filepath.Join(dir, "runs"))
	if len(got.Runs) != 1 {
		t.Fatalf("%v", got)
	}
	row := got.Runs[0]
	if row["run"] != filepath.Join(dir, "runs", "a") || row["state"] != "done" || row["step"] != 2.0 || row["steps"] != 2.0 || row["recipe"] != "lm" || row["metric"] != "nll" || row["train"] == nil {
		t.Errorf("%v", row)
	}
	table := strings.Split(must(t, "runs", filepath.Join(dir, "runs")), "\n")
	if len(table) != 3 || !strings.HasPrefix(table[0], "run ") || !strings.Contains(table[1], "2/2") || !strings.Contains(table[1], fmt.Sprintf("%.4f", row["train"])) {
		t.Errorf("%q", table)
	}
}
