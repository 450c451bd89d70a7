package text

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"example.com/gotrain/data/chat"
	"example.com/gotrain/data/instruct"
	"example.com/gotrain/train/recipe"
)

// TestDate: a template that writes the date writes that of the configuration, else of the run that goes on, else of today, which
// the configuration then has; one that writes none leaves the configuration alone.
func TestDate(t *testing.T) {
	run := t.TempDir()
	if err := os.WriteFile(filepath.Join(run, "config.yaml"), []byte("data:\n  format: instruct\n  instruct:\n    date: \"2026-11-03\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return time.Date(2026, 11, 30, 23, 59, 0, 0, time.UTC) }
	dated, plain := "{{ strftime_now('%d %b %Y') }}{{ messages }}", "{{ messages }}"
	for _, tc := range []struct{ name, template, date, from, want string }{
		{"today", dated, "", "", "2026-11-30"},
		{"a run that goes on", dated, "", filepath.Join(run, "checkpoints", "step-00000003"), "2026-11-03"},
		{"a checkpoint of no run", dated, "", filepath.Join(t.TempDir(), "a", "b"), "2026-11-30"},
		{"the configuration's", dated, "2026-01-02T03:04:05", filepath.Join(run, "checkpoints", "step-00000003"), "2026-01-02T03:04:05"},
		{"a template without", plain, "", "", ""},
	} {
		template, err := chat.Parse("t", tc.template)
		if err != nil {
			t.Fatal(err)
		}
		d := &instruct.Config{Date: tc.date}
		date, err := setDate(recipe.Env{From: tc.from, Now: now}, d, template)
		if err != nil || d.Date != tc.want || date.IsZero() != (tc.want == "") {
			t.Errorf("%s: %q, %v, %v; want %q", tc.name, d.Date, date, err, tc.want)
		}
		if tc.want != "" && date.Format("2006-01-02T15:04:05")[:len(tc.want)] != tc.want {
			t.Errorf("%s: the template writes %v", tc.name, date)
		}
	}
	if _, err := dateOf(filepath.Join(run, "config.yaml")); err != nil {
		t.Error(err)
	}
}
