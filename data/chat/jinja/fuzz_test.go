package jinja

import (
	"context"
	"errors"
	"testing"
	"time"
)

// FuzzRender parses and renders any text: it ends within the limits, without a fault of the engine, and the second time as
// the first.
func FuzzRender(f *testing.F) {
	g, sets := readGolden(f)
	for i, c := range g.Cases {
		if i%20 == 0 {
			f.Add(c.Template)
		}
	}
	now := func() time.Time { return time.Unix(1e9, 0).UTC() }
	options := Options{Limits: Limits{Work: 200_000, Memory: 4 << 20}, Now: now}
	f.Fuzz(func(t *testing.T, source string) {
		template, err := Parse(source)
		if err != nil {
			checkFault(t, source, err)
			return
		}
		for name, variables := range sets {
			first, err := template.Render(context.Background(), variables, options)
			if err != nil {
				checkFault(t, source, err)
			}
			again, errAgain := template.Render(context.Background(), variables, options)
			if first.Text != again.Text || (err == nil) != (errAgain == nil) {
				t.Errorf("%q with %s: %q, %v, then %q, %v", source, name, first.Text, err, again.Text, errAgain)
			}
			for _, s := range first.Spans {
				if s.Begin < 0 || s.Begin > len(first.Text) {
					t.Errorf("%q: span %v of %d bytes", source, s, len(first.Text))
				}
			}
		}
	})
}

func checkFault(t *testing.T, source string, err error) {
	t.Helper()
	var fault *Error
	if !errors.As(err, &fault) || fault.Kind == Internal {
		t.Errorf("%q: %v", source, err)
	}
}
