package metrics

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"example.com/gotrain/data/vfs/vfstest"
)

// TestReadLog gives every record in order, of lines with all ends, and counts those that are none.
func TestReadLog(t *testing.T) {
	fsys := vfstest.NewMem()
	if _, _, err := ReadLog(fsys, "none.jsonl"); err == nil {
		t.Error("a file that is not there")
	}
	write(t, fsys, "empty.jsonl", "")
	if records, torn, err := ReadLog(fsys, "empty.jsonl"); err != nil || torn != 0 || len(records) != 0 {
		t.Errorf("%v, %d, %v", records, torn, err)
	}
	first, second := lines(t, 1), strings.TrimSuffix(lines(t, 2)[len(lines(t, 1)):], "\n")
	write(t, fsys, "m.jsonl", "\n \n"+first+"torn{\n"+second[:20]+"\n"+second)
	records, torn, err := ReadLog(fsys, "m.jsonl")
	if err != nil || torn != 2 || len(records) != 2 || !reflect.DeepEqual(records[0].Values, Values(train(1).Values)) || records[1].Step != 2 || records[0].Seen != 2048 {
		t.Errorf("%+v, %d torn, %v", records, torn, err)
	}
}

// TestNotesAndText: a note comes back as it was, what people see has more digits of small values.
func TestNotesAndText(t *testing.T) {
	r := train(3)
	r.Values = Values{{"nll", 9.99994}, {"ppl", 10}, {"low", -10.005}, {"none", math.NaN()}}
	r.Notes = []Note{{"bleu_signature", `nrefs:1|"case"`}, {"chrf_signature", "b"}}
	if got := r.Text(); got != "nll 9.9999  ppl 10.00  low -10.01  none NaN" && got != "nll 9.9999  ppl 10.00  low -10.00  none NaN" {
		t.Errorf("%q", got)
	}
	if got := (Record{}).Text(); got != "" {
		t.Errorf("%q", got)
	}
	line, err := r.MarshalJSON()
	if err != nil || !strings.Contains(string(line), `,"mfu":0.25,"bleu_signature":"nrefs:1|\"case\"","chrf_signature":"b","time":`) {
		t.Fatalf("%s, %v", line, err)
	}
	var back Record
	if err := back.UnmarshalJSON(line); err != nil || !reflect.DeepEqual(back.Notes, r.Notes) || back.LR != r.LR || back.GradNorm != r.GradNorm || back.PerS != r.PerS || back.StepMS != r.StepMS || back.MFU != r.MFU || back.Unit != r.Unit {
		t.Errorf("%+v, %v", back, err)
	}
	names := ""
	for _, c := range r.Columns() {
		names += fmt.Sprintf("%s=%g ", c.Name, c.Value)
	}
	if names != "nll=9.99994 ppl=10 low=-10.005 none=NaN lr=0.001 grad_norm=0.5 tokens_per_s=1e+06 step_ms=12.5 mfu=0.25 " || len(r.Values) != 4 {
		t.Error(names)
	}
}

// TestFaultsOfLines: what is said of records that are none, to the letter.
func TestFaultsOfLines(t *testing.T) {
	for text, want := range map[string]string{
		`[1]`: "a line of metrics is a JSON object", `{"step":1.5}`: `strconv.ParseInt: parsing "1.5": invalid syntax`, `{"step":"1"}`: `step is "1", not a number`,
		`{"nll":true}`: "nll is true, not a number", `{"nll":[1]}`: "nll is [1], not a number", `{"nll":1e999}`: `strconv.ParseFloat: parsing "1e999": value out of range`,
		`{"split":"test"}`: `split is "test", want "train" or "val"`, `{"step":1}`: `split is "", want "train" or "val"`, `{"split":"val","tokens":1}`: "the line counts no samples, such as tokens and tokens_per_s",
		`{"split":"val","tokens":1,"images_per_s":2}`: "the line counts no samples, such as tokens and tokens_per_s", `{"split":"val","note":"x"}`: `note is "x", not a number`,
		`{"split":"val","time":"noon"}`: `parsing time "noon" as "2006-01-02T15:04:05Z07:00": cannot parse "noon" as "2006"`, `{"split":"val","tokens":1,"tokens_per_s":null}`: "<nil>",
		`{"a_signature":1,"split":"val","tokens":1,"tokens_per_s":2}`: "<nil>", `{"split":"val","tokens":1,"tokens_per_s":2`: "<nil>", // what is not closed is not read on
	} {
		var r Record
		if err := r.UnmarshalJSON([]byte(text)); strings.TrimSpace(fmt.Sprint(err)) != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	for _, c := range []struct {
		change func(r *Record)
		want   string
	}{
		{func(r *Record) { r.Split = "test" }, `split is "test", want "train" or "val"`},
		{func(r *Record) { r.Unit = "" }, "a record without a unit"},
		{func(r *Record) { r.Values = append(r.Values, Value{"tokens", 1}) }, `the metric "tokens" is there twice`},
		{func(r *Record) { r.Values = append(r.Values, Value{"step", 1}) }, `the metric "step" is there twice`},
		{func(r *Record) { r.Values = append(r.Values, Value{"nll", 1}) }, `the metric "nll" is there twice`},
		{func(r *Record) { r.Notes = []Note{{"bleu", "x"}} }, `the note "bleu" is there twice, or its name does not end with _signature`},
		{func(r *Record) { r.Notes = []Note{{"a_signature", "x"}, {"a_signature", "y"}} }, `the note "a_signature" is there twice, or its name does not end with _signature`},
	} {
		r := train(1)
		c.change(&r)
		if _, err := r.MarshalJSON(); fmt.Sprint(err) != c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
		fsys := vfstest.NewMem()
		l, _, err := OpenLog(fsys, "m.jsonl", -1)
		check(t, err)
		if err := l.Append(r); fmt.Sprint(err) != "m.jsonl: step 1: "+c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
		if got := read(t, fsys, "m.jsonl"); got != "" {
			t.Errorf("%s was written", got)
		}
	}
}

// TestLogOnADiskThatFails: errors name what waits, and come back from every step of the way.
func TestLogOnADiskThatFails(t *testing.T) {
	fault := vfstest.NewFault(vfstest.NewMem())
	fault.FailAt(0, syscall.EIO)
	if _, _, err := OpenLog(fault, "m.jsonl", -1); err == nil {
		t.Error("opened a log on a disk that fails")
	}
	waits := 0
	for at := range 8 { // whichever write it is
		fault = vfstest.NewFault(vfstest.NewMem())
		l, _, err := OpenLog(fault, "m.jsonl", -1)
		check(t, err)
		fault.FailAt(at, syscall.ENOSPC)
		if err := l.Append(train(1)); err != nil {
			if waits++; !strings.HasPrefix(err.Error(), "metrics wait in memory: ") {
				t.Error(err)
			}
			check(t, l.Flush())
		}
	}
	if waits == 0 {
		t.Error("no write of a record failed")
	}
	fsys := vfstest.NewMem()
	write(t, fsys, "m.jsonl", lines(t, 3))
	_, resumed, err := OpenLog(fsys, "m.jsonl", 2)
	if err != nil || resumed != (Resumed{Kept: 2, Later: 1}) || read(t, fsys, "m.jsonl") != lines(t, 2) {
		t.Errorf("%+v, %v", resumed, err)
	}
	// A line longer than those that are ours is dropped, whatever its step.
	for size, want := range map[int]Resumed{maxLine - 1: {Kept: 1, Torn: 1}, maxLine + 1: {Kept: 1, Torn: 1}, 3*maxLine + 7: {Kept: 1, Torn: 1}} {
		write(t, fsys, "long.jsonl", strings.Repeat("x", size)+"\n"+lines(t, 1))
		_, resumed, err := OpenLog(fsys, "long.jsonl", 5)
		if err != nil || resumed != want || read(t, fsys, "long.jsonl") != lines(t, 1) {
			t.Errorf("%d bytes: %+v, %v", size, resumed, err)
		}
	}
}
