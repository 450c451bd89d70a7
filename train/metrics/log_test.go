package metrics

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/data/vfs/vfstest"
)

var start = time.Unix(1700000000, 250e6)

func train(step int64) Record {
	return Record{
		Step: step, Split: Train, Values: []Value{{"nll", math.Ln2}, {"ppl", 2}}, LR: 1e-3, GradNorm: 0.5, Unit: "tokens", Seen: step * 2048,
		PerS: 1e6, StepMS: 12.5, MFU: 0.25, Time: start.Add(time.Duration(step) * time.Second),
	}
}

func val(step int64) Record {
	r := train(step)
	r.Split, r.GradNorm, r.StepMS, r.MFU = Val, math.NaN(), math.Inf(1), math.Inf(-1)
	r.Values = append(r.Values, Value{"bits_per_byte", 1.5})
	return r
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLinesAreWhatScriptsRead(t *testing.T) {
	cases := []struct {
		r    Record
		want string
	}{
		{train(10), `{"step":10,"split":"train","nll":0.6931471805599453,"ppl":2,"lr":0.001,"grad_norm":0.5,"tokens":20480,"tokens_per_s":1000000,"step_ms":12.5,"mfu":0.25,"time":"2023-11-14T22:13:30.250Z"}`},
		{val(0), `{"step":0,"split":"val","nll":0.6931471805599453,"ppl":2,"bits_per_byte":1.5,"lr":0.001,"grad_norm":null,"tokens":0,"tokens_per_s":1000000,"step_ms":null,"mfu":null,"time":"2023-11-14T22:13:20.250Z"}`},
	}
	for _, c := range cases {
		got, err := json.Marshal(c.r)
		check(t, err)
		if string(got) != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
		var back Record
		check(t, json.Unmarshal(got, &back))
		again, err := json.Marshal(back)
		check(t, err)
		if string(again) != c.want {
			t.Errorf("read and written again: %s", again)
		}
	}
	diverged := train(1)
	diverged.Values = []Value{{"nll", 1000}, {"ppl", math.Inf(1)}}
	got, err := json.Marshal(diverged)
	if err != nil || !strings.Contains(string(got), `"ppl":null`) {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := json.Marshal(Record{Split: "test"}); err == nil {
		t.Error("wrote a split that scripts do not know")
	}
}

// read gives the file's content.
func read(t *testing.T, fsys vfs.FS, name string) string {
	t.Helper()
	data, err := vfs.ReadFile(fsys, name, 1<<20)
	check(t, err)
	return string(data)
}

// write makes the file hold content, durably.
func write(t *testing.T, fsys vfs.FS, name, content string) {
	t.Helper()
	f, err := fsys.Create(name)
	check(t, err)
	_, err = f.Write([]byte(content))
	check(t, err)
	check(t, f.Sync())
	check(t, f.Close())
	check(t, fsys.SyncDir("."))
}

// lines gives the lines of steps 1 to last: train each, val every tenth.
func lines(t *testing.T, last int64) string {
	t.Helper()
	var b strings.Builder
	for step := int64(1); step <= last; step++ {
		for _, r := range []Record{train(step), val(step)} {
			if r.Split == Val && step%10 != 0 {
				continue
			}
			data, err := json.Marshal(r)
			check(t, err)
			b.Write(append(data, '\n'))
		}
	}
	return b.String()
}

// train goes on from a step to another and logs as a run does.
func goOn(t *testing.T, l *Log, from, to int64) {
	t.Helper()
	for step := from; step <= to; step++ {
		check(t, l.Append(train(step)))
		if step%10 == 0 {
			check(t, l.Append(val(step)))
		}
	}
}

func TestResume(t *testing.T) {
	all := lines(t, 40)
	cases := []struct {
		name    string
		content string
		last    int64
		resumed Resumed
		kept    string
	}{
		{"new file", "", -1, Resumed{}, ""},
		{"nothing beyond", lines(t, 30), 30, Resumed{Kept: 33}, lines(t, 30)},
		{"later steps", lines(t, 35), 30, Resumed{Kept: 33, Later: 5}, lines(t, 30)},
		{"torn last line", lines(t, 30) + `{"step":31,"spl`, 30, Resumed{Kept: 33, Torn: 1}, lines(t, 30)},
		{"no last newline", strings.TrimSuffix(lines(t, 30), "\n"), 30, Resumed{Kept: 33}, lines(t, 30)},
		{"zeros after a power loss", lines(t, 30) + strings.Repeat("\x00", 3000), 30, Resumed{Kept: 33, Torn: 1}, lines(t, 30)},
		{"a long line", lines(t, 30) + strings.Repeat("x", 3*maxLine) + "\n" + strings.Repeat("y", 3*maxLine), 30, Resumed{Kept: 33, Torn: 2}, lines(t, 30)},
		{"a line in between", lines(t, 30) + "garbage\n" + all[len(lines(t, 30)):len(lines(t, 31))], 31, Resumed{Kept: 34, Torn: 1}, lines(t, 31)},
		{"from the start", lines(t, 30), -1, Resumed{Later: 33}, ""},
	}
	for _, c := range cases {
		fsys := vfstest.NewMem()
		write(t, fsys, "metrics.jsonl", c.content)
		l, resumed, err := OpenLog(fsys, "metrics.jsonl", c.last)
		check(t, err)
		if resumed != c.resumed {
			t.Errorf("%s: %+v, want %+v", c.name, resumed, c.resumed)
		}
		if got := read(t, fsys, "metrics.jsonl"); got != c.kept {
			t.Errorf("%s: kept %q", c.name, got)
		}
		goOn(t, l, max(c.last, 0)+1, 40)
		check(t, l.Close())
		if got := read(t, fsys, "metrics.jsonl"); got != all {
			t.Errorf("%s: then %q", c.name, got)
		}
	}
}

func TestOpenLogMakesTheFile(t *testing.T) {
	fsys := vfstest.NewMem()
	l, _, err := OpenLog(fsys, "metrics.jsonl", -1)
	check(t, err)
	check(t, l.Append(train(1)))
	check(t, l.Close())
	if got := read(t, fsys, "metrics.jsonl"); got != lines(t, 1) {
		t.Fatalf("file holds %q", got)
	}
	if _, _, err := OpenLog(fsys, "no/metrics.jsonl", -1); err == nil {
		t.Error("opened a log in a directory that is not there")
	}
}

// TestCrashAtEveryOperationOfALog kills a resuming run at every operation, loses
// power too, and resumes from its last checkpoint.
func TestCrashAtEveryOperationOfALog(t *testing.T) {
	all := lines(t, 40)
	// resume goes on from a checkpoint, checkpointing (that is, syncing) every
	// ten steps, and returns the last step that is safe.
	resume := func(fsys vfs.FS, last int64) int64 {
		l, _, err := OpenLog(fsys, "metrics.jsonl", last)
		if err != nil {
			return last
		}
		for step := last + 1; step <= 40; step++ {
			l.Append(train(step))
			if step%10 == 0 {
				l.Append(val(step))
				if l.Flush() != nil || l.Sync() != nil {
					return last
				}
				last = step
			}
		}
		l.Close()
		return last
	}
	for n := 0; ; n++ {
		fsys := vfstest.NewMem()
		write(t, fsys, "metrics.jsonl", lines(t, 25)+`{"step":2`)
		fault := vfstest.NewFault(fsys)
		fault.CrashAt(n)
		last := resume(fault, 20)
		if len(fault.Trace()) <= n {
			return // the run ended before the crash
		}
		survivors := []*vfstest.Mem{fsys, fsys.PowerLoss(nil)}
		for seed := range uint64(5) {
			survivors = append(survivors, fsys.PowerLoss(rand.New(rand.NewPCG(seed, uint64(n)))))
		}
		for i, fsys := range survivors {
			if safe := resume(fsys, last); safe != 40 {
				t.Fatalf("crash at %d %s: resumed only to %d", n, fault.Trace()[n], safe)
			}
			if got := read(t, fsys, "metrics.jsonl"); got != all {
				t.Fatalf("crash at %d %s, survivor %d: file holds\n%s", n, fault.Trace()[n], i, got)
			}
		}
	}
}

// TestFullDisk: the lines of steps while the disk is full come when it has room.
func TestFullDisk(t *testing.T) {
	for n := range 60 {
		fsys := vfstest.NewMem()
		fault := vfstest.NewFault(fsys)
		l, _, err := OpenLog(fault, "metrics.jsonl", -1)
		check(t, err)
		fault.FailAt(n, syscall.ENOSPC)
		failures := 0
		for step := int64(1); step <= 40; step++ {
			for _, r := range []Record{train(step), val(step)} {
				if (r.Split == Train || step%10 == 0) && l.Append(r) != nil {
					failures++
				}
			}
		}
		if l.Close() != nil {
			failures++
		}
		if got := read(t, fsys, "metrics.jsonl"); got != lines(t, 40) {
			t.Fatalf("write %d failed: file holds\n%s", n, got)
		}
		if want := len(fault.Trace()) > n; (failures == 1) != want {
			t.Fatalf("write %d: %d errors", n, failures)
		}
	}
}

func FuzzResume(f *testing.F) {
	f.Add([]byte(`{"step":1}`+"\n"+`{"step":30}`+"\n"+`{"step":2`), int64(10))
	f.Add([]byte("\x00\x00\n\n{}\n"), int64(-1))
	f.Add(bytes.Repeat([]byte("x"), maxLine+1), int64(3))
	f.Fuzz(func(t *testing.T, content []byte, last int64) {
		fsys := vfstest.NewMem()
		write(t, fsys, "metrics.jsonl", string(content))
		l, resumed, err := OpenLog(fsys, "metrics.jsonl", last)
		check(t, err)
		check(t, l.Close())
		data, err := vfs.ReadFile(fsys, "metrics.jsonl", 1<<30)
		check(t, err)
		if n := bytes.Count(data, []byte("\n")); n != resumed.Kept || len(data) > 0 && data[len(data)-1] != '\n' {
			t.Fatalf("%+v, file has %d lines: %q", resumed, n, data)
		}
		for text := range bytes.Lines(data) {
			if step, whole := stepOf(text); !whole || step > last {
				t.Fatalf("kept %q", text)
			}
		}
		l, again, err := OpenLog(fsys, "metrics.jsonl", last)
		check(t, err)
		check(t, l.Close())
		if want := (Resumed{Kept: resumed.Kept}); again != want {
			t.Fatalf("opened again: %+v, want %+v", again, want)
		}
	})
}

func ExampleRecord() {
	r := Record{Step: 100, Split: Train, Values: []Value{{"nll", 0}, {"ppl", 1}}, LR: 3e-4, GradNorm: math.NaN(), Unit: "tokens", Seen: 204800, PerS: 5e4, StepMS: 40.5, MFU: 0.5, Time: start}
	data, err := json.Marshal(r)
	fmt.Println(string(data), err)
	// Output: {"step":100,"split":"train","nll":0,"ppl":1,"lr":0.0003,"grad_norm":null,"tokens":204800,"tokens_per_s":50000,"step_ms":40.5,"mfu":0.5,"time":"2023-11-14T22:13:20.250Z"} <nil>
}

// TestLinesOfAnyRecipe reads back metrics and units that only a recipe knows.
func TestLinesOfAnyRecipe(t *testing.T) {
	r := Record{Step: 3, Split: Train, Values: []Value{{"loss_d", 1.5}, {"loss_g", 0.25}}, LR: 1e-3, GradNorm: 2,
		Unit: "images", Seen: 96, PerS: 10, StepMS: 3, MFU: math.NaN(), Time: start}
	line, err := json.Marshal(r)
	check(t, err)
	const want = `{"step":3,"split":"train","loss_d":1.5,"loss_g":0.25,"lr":0.001,"grad_norm":2,"images":96,"images_per_s":10,"step_ms":3,"mfu":null,"time":"2023-11-14T22:13:20.250Z"}`
	if string(line) != want {
		t.Errorf("got  %s\nwant %s", line, want)
	}
	var back Record
	check(t, json.Unmarshal(line, &back))
	if back.Unit != "images" || back.Seen != 96 || back.Get("loss_g") != 0.25 || !math.IsNaN(back.Get("nll")) {
		t.Errorf("%+v", back)
	}
	r.Values = append(r.Values, Value{"lr", 1})
	if _, err := json.Marshal(r); err == nil || !strings.Contains(err.Error(), `"lr" is there twice`) {
		t.Errorf("a metric called lr: %v", err)
	}
}

// TestTimesAreUTC: a line has the time in UTC, wherever the run is.
func TestTimesAreUTC(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.FixedZone("east", 3*3600))
	line, err := Record{Split: Train, Unit: "tokens", Time: at}.MarshalJSON()
	if err != nil || !strings.Contains(string(line), `"time":"2026-01-02T00:04:05.006Z"`) {
		t.Errorf("%s, %v", line, err)
	}
}
