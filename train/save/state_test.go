package save

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/data/vfs/vfstest"
	"example.com/gotrain/nn/hub/manifest"
	"example.com/gotrain/train/checkpoint"
	"example.com/gotrain/train/metrics"
	"example.com/gotrain/train/ranks"
)

// fill gives every field below v a value of its own, so that one that is left out or
// mistaken for another is seen.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
		for i := range v.Len() {
			fill(t, v.Index(i), n)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for _, key := range []string{"", "policy", "reference"} {
			element := reflect.New(v.Type().Elem()).Elem()
			fill(t, element, n)
			v.SetMapIndex(reflect.ValueOf(key), element)
		}
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint64:
		v.SetUint(uint64(*n))
	case reflect.Float64:
		v.SetFloat(float64(*n) + 0.25)
	case reflect.String:
		v.SetString(fmt.Sprint("text ", *n))
	default:
		t.Fatalf("a field of kind %s: say here how it is filled", v.Kind())
	}
}

// TestStateComesBackWhole compares every field of a state before and after
// trainer_state.json, of runs of one phase and of several.
func TestStateComesBackWhole(t *testing.T) {
	for phases := 1; phases <= 3; phases++ {
		var s State
		n := 0
		fill(t, reflect.ValueOf(&s).Elem(), &n)
		s.Phases = s.Phases[:phases]
		s.Step = n + 1 // no phase has made more updates than there were steps
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, StateFile), text, 0o666); err != nil {
			t.Fatal(err)
		}
		got, err := ReadState(dir)
		if err != nil || !reflect.DeepEqual(*got, s) {
			t.Errorf("%s came back as\n%+v, %v\nwant\n%+v", text, got, err, s)
		}
	}
}

// TestStateFile is what scripts read: the keys of trainer_state.json.
func TestStateFile(t *testing.T) {
	s := State{
		Step: 7, Samples: 42, Units: 336, Config: "run: {}\n",
		Phases: []PhaseState{{6, Guard{1.5, 5, 2, 1}}, {7, Guard{Seen: 3}}},
		Bases:  map[string]BaseState{"": {"base", manifest.Sum(1)}, "judge": {"other", manifest.Sum(2)}},
		Best:   &Best{Step: 4, Value: 2.5, Worse: 3},
	}
	got, err := json.Marshal(s)
	const want = `{"step":7,"applied":6,"samples":42,"tokens":336,"guard":{"mean":1.5,"seen":5,"skipped":2,"in_a_row":1},"config":"run: {}\n",` +
		`"further_phases":[{"applied":7,"guard":{"mean":0,"seen":3,"skipped":0,"in_a_row":0}}],` +
		`"base":{"dir":"base","fingerprint":"0000000000000001"},"bases":{"judge":{"dir":"other","fingerprint":"0000000000000002"}},` +
		`"best":{"step":4,"nll":2.5,"worse":3}}`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v\nwant\n%s", got, err, want)
	}
	for text, ok := range map[string]bool{
		`{"step": 3, "applied": 3}`:                                     true,
		`{"step": 3, "applied": 2, "further_phases": [{"applied": 4}]}`: false,
		`{"step": 3, "applied": 4}`:                                     false,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, StateFile), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadState(dir); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestMetricsAreOnTheDiskBeforeACheckpoint: the run goes on behind a checkpoint's step and
// does not write the lines up to it again, so that they survive a power loss when it does;
// without them there is no checkpoint.
func TestMetricsAreOnTheDiskBeforeACheckpoint(t *testing.T) {
	full := errors.New("no space left on device")
	for _, waits := range []bool{false, true} { // the line waits in memory for room on the disk
		for _, stays := range []bool{false, true} { // the disk stays full
			disk := vfstest.NewMem()
			if err := errors.Join(disk.Mkdir("run"), disk.SyncDir(".")); err != nil {
				t.Fatal(err)
			}
			fault := vfstest.NewFault(disk)
			log, _, err := metrics.OpenLog(fault, "run/metrics.jsonl", -1)
			if err != nil {
				t.Fatal(err)
			}
			if err := disk.SyncDir("run"); err != nil {
				t.Fatal(err)
			}
			if waits {
				fault.FailAt(0, full)
			}
			rec := metrics.Record{Step: 3, Split: metrics.Train, Unit: "tokens", Time: time.Unix(0, 0)}
			if err := log.Append(rec); (err != nil) != waits {
				t.Fatal(err)
			}
			if stays {
				fault.FailAt(0, full)
			}
			s, err := New(Config{FS: fault, RunDir: "run", Ranks: ranks.Coordinate(nil), Log: log})
			if err != nil {
				t.Fatal(err)
			}
			done := s.Save(Point{State: State{Step: 3, Phases: make([]PhaseState, 1)}})
			after := disk.PowerLoss(nil)
			_, _, missing := checkpoint.Latest(after, "run")
			text, err := vfs.ReadFile(after, "run/metrics.jsonl", 1<<20)
			if saved := missing == nil; saved != (done.Err == nil) || saved == stays || saved && (err != nil || !strings.HasPrefix(string(text), `{"step":3`) || !strings.HasSuffix(string(text), "}\n") || strings.Count(string(text), "\n") != 1) {
				t.Errorf("waits %t, stays full %t: the save ended with %v, there is a checkpoint: %v; metrics %q, %v", waits, stays, done.Err, missing, text, err)
			}
		}
	}
}
