package forecast_test

import (
	"path/filepath"
	"testing"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/forecast"
	"example.com/gotrain/train/scale"
)

// TestLawOf: a run has the law of its folder, with N as the law counts it; one that begins
// from a base has none.
func TestLawOf(t *testing.T) {
	folder := t.TempDir()
	cfg, job := smallGPT2(t, func(c *config.Config) { c.Run.Dir = filepath.Join(folder, "run") })
	if l, err := forecast.LawOf(cfg, job, 1000); l != nil || err != nil {
		t.Errorf("without laws: %+v, %v", l, err)
	}
	if n := forecast.Parameters(job, scale.CountAll); n != parameters {
		t.Errorf("%d parameters, want %d", n, parameters)
	}
	r := scale.OfLaw(scale.HoffmannRounded, scale.CountBody)
	r.Points, r.Band, r.C = 7, .9, scale.Range{Low: 1, High: 1e6}
	if err := r.Write(vfs.OS{}, filepath.Join(folder, scale.FileName)); err != nil {
		t.Fatal(err)
	}
	l, err := forecast.LawOf(cfg, job, 1000)
	if err != nil || l == nil {
		t.Fatal(l, err)
	}
	const body = parameters - vocab*width - length*width
	compare(t, "law", []figure{
		{"N", l.Expected.N.Value, body}, {"D", l.Expected.D.Value, 1000}, {"C", l.Expected.C, 6 * body * 1000}, {"C of the best", l.Best.C, 6 * body * 1000},
		{"loss", l.Expected.Loss.Value, scale.HoffmannRounded.Loss(body, 1000)}, {"beyond", l.Expected.Beyond, 6 * body * 1000 / 1e6},
	})
	if l.Runs != 7 || l.Count != scale.CountBody || l.Best.Loss.Value > l.Expected.Loss.Value || l.File != filepath.Join(folder, scale.FileName) {
		t.Errorf("%+v", l)
	}
	cfg.Base = "runs/base"
	if l, err := forecast.LawOf(cfg, job, 1000); l != nil || err != nil {
		t.Errorf("of a run that begins from a base: %+v, %v", l, err)
	}
}
