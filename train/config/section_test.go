package config

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

type small struct {
	Width  int      `yaml:"width"`
	Hidden int      `yaml:"hidden,omitempty"` // default 4·width
	Tied   *bool    `yaml:"tied,omitempty"`
	Scale  *scaling `yaml:"scale,omitempty"`
}

type scaling struct {
	Type   string  `yaml:"type"`
	Factor float64 `yaml:"factor"`
}

func (s *small) SetDefaults() {
	if s.Hidden == 0 {
		s.Hidden = 4 * s.Width
	}
}

func (s *small) Validate() error {
	if s.Width > 100 {
		return fault("width")
	}
	return nil
}

// fault is a key at fault of the section called model, or another.
type fault string

func (f fault) Error() string        { return "model." + string(f) + " is at fault" }
func (f fault) At(path string) error { return errors.New(path + "." + string(f) + " is at fault") }
func smallChoice(name string) Choice { return Choice{name, func() any { return &small{Width: 8} }} }
func toyChoices() []Choice           { return []Choice{smallChoice("small"), {"toy", newToy}} }
func newToy() any                    { return &toy{Channels: 3} }
func newRun() run                    { return run{Model: NewSection("kind", "small", toyChoices())} }
func read(src string, r *run, a ...string) error {
	return Read("c.yaml", []byte(src), a, r)
}

type toy struct {
	Width    int     `yaml:"width"`
	Channels int     `yaml:"channels"`
	Deep     bool    `yaml:"deep"`
	Other    Section `yaml:"other"` // resolved by the one who knows the choices
}

type run struct {
	Seed  int     `yaml:"seed"`
	Model Section `yaml:"model"`
}

func TestSectionTakesTheKeysOfItsName(t *testing.T) {
	for _, tc := range []struct {
		src         string
		assignments []string
		want        any
	}{
		{"seed: 1", nil, &small{Width: 8}},
		{"model: {width: 3}", nil, &small{Width: 3}},
		{"model:\n  channels: 5\n  kind: toy", nil, &toy{Channels: 5}},
		{"model: {kind: toy}", []string{"model.channels=7"}, &toy{Channels: 7}},
		{"model: {width: 3}", []string{"model.channels=7", "model.kind=toy"}, &toy{Width: 3, Channels: 7}},
		{"model: {kind: toy, width: 2}", []string{"model={kind: small, hidden: 1}"}, &small{Width: 2, Hidden: 1}},
		{"model: {scale: {type: a}}", []string{"model.scale.factor=2"}, &small{Width: 8, Scale: &scaling{"a", 2}}},
		{"model: {scale: {type: a}}", []string{"model.scale.type="}, &small{Width: 8, Scale: &scaling{}}},
		{"model: {deep: false, channels: 0}", nil, &small{Width: 8}}, // keys of toy that say nothing
		{"\xef\xbb\xbfmodel: {width: 3}", nil, &small{Width: 3}},
		{"\xff\xfem\x00o\x00d\x00e\x00l\x00:\x00 \x00{\x00w\x00i\x00d\x00t\x00h\x00:\x00 \x003\x00}\x00", nil, &small{Width: 3}},
		{"\xfe\xff\x00m\x00o\x00d\x00e\x00l\x00:\x00 \x00{\x00w\x00i\x00d\x00t\x00h\x00:\x00 \x003\x00}", nil, &small{Width: 3}},
	} {
		r := newRun()
		if err := read(tc.src, &r, tc.assignments...); err != nil {
			t.Errorf("%q %q: %v", tc.src, tc.assignments, err)
		} else if got := r.Model.Value(); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%q %q: got %+v, want %+v", tc.src, tc.assignments, got, tc.want)
		}
	}
}

func TestSectionErrorsNamePlaceAndCure(t *testing.T) {
	for _, tc := range []struct {
		src         string
		assignments []string
		want        string
	}{
		{"model:\n  kind: tiny\n  width: 3", nil, `c.yaml:2:9: model.kind is "tiny"; use small or toy`},
		{"model: {kind: smal}", nil, `model.kind is "smal"; use small or toy (did you mean "small"?)`},
		{"model:\n  kind: toy\n  chanels: 3", nil, `c.yaml:3:3: unknown key "chanels"; did you mean "channels"?`},
		{"model:\n  knd: toy", nil, `c.yaml:2:3: unknown key "knd"; did you mean "kind"?`},
		{"model:\n  channels: 3", nil, `c.yaml:2:3: model.channels: belongs to kind toy: leave it out`},
		{"model:\n  width: many", nil, `c.yaml:2:10: model.width is "many"; use a whole number`},
		{"model:\n  width: 3\n  width: 4", nil, `width`},
		{"model: 3", nil, `model wants keys and values, as in {kind: …}`},
		{"model: {kind: [toy]}", nil, `model.kind wants a single value`},
		{"model: {width: &a 3}", nil, `model.width: anchors, aliases`},
		{"seed: 1", []string{"model.chanels=3", "model.kind=toy"}, `--set model.chanels: unknown key "chanels"; did you mean "channels"?`},
		{"seed: 1", []string{"model.kind=tiny"}, `--set model.kind: model.kind is "tiny"; use small or toy`},
		{"seed: 1", []string{"model.kind.x=tiny"}, `model.kind holds a value, not keys`},
		{"seed: 1", []string{"model.width.x=3"}, `model.width holds a value, not keys`},
		{"seed: 1", []string{"model.width="}, `is empty`},
		// The keys of the file are judged by the name that holds in the end.
		{"model:\n  hidden: 3", []string{"model.kind=toy"}, `c.yaml:2:3: model.hidden: belongs to kind small: leave it out`},
	} {
		r := newRun()
		if err := read(tc.src, &r, tc.assignments...); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q %q: got %v, want %q", tc.src, tc.assignments, err, tc.want)
		}
	}
}

func TestSectionsOfCopiesAreApart(t *testing.T) {
	a := newRun()
	b := a
	if err := read("model: {width: 3}", &b); err != nil {
		t.Fatal(err)
	}
	b.Model.Value().(*small).Width = 5
	c := b
	if err := c.Model.Set("small", &small{Width: 9}); err != nil {
		t.Fatal(err)
	}
	for i, want := range map[*run]int{&a: 8, &b: 3, &c: 9} {
		if got := i.Model.Value().(*small).Width; got != want {
			t.Errorf("width %d, want %d", got, want)
		}
	}
	if !a.Model.Equal(newRun().Model) || a.Model.Equal(b.Model) {
		t.Error("Equal does not tell sections apart")
	}
	if err := c.Model.Set("toy", &small{}); err == nil {
		t.Error("a struct of another kind was taken")
	}
	// What is read goes over what was set, under the name that was set.
	if err := read("model: {hidden: 1}", &c); err != nil || !reflect.DeepEqual(c.Model.Value(), &small{Width: 9, Hidden: 1}) {
		t.Errorf("got %+v, %v", c.Model.Value(), err)
	}
}

func TestSectionInsideASectionIsResolvedLater(t *testing.T) {
	r := newRun()
	if err := read("model:\n  kind: toy\n  other:\n    kind: small\n    width: 3", &r, "model.other.hidden=5"); err != nil {
		t.Fatal(err)
	}
	other := r.Model.Value().(*toy).Other
	if other.Name() != "" || other.Value() != nil {
		t.Errorf("resolved to %s, %+v", other.Name(), other.Value())
	}
	if _, err := Encode(r); err == nil {
		t.Error("an unresolved section was written")
	}
	wrong := other
	if err := wrong.Resolve("kind", "toy", toyChoices()[1:]); err == nil || !strings.Contains(err.Error(), `c.yaml:4:11: model.other.kind is "small"; use toy`) {
		t.Errorf("another table: %v", err)
	}
	if err := other.Resolve("kind", "toy", toyChoices()); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(other.Value(), &small{Width: 3, Hidden: 5}) {
		t.Errorf("got %+v", other.Value())
	}
}

func TestSectionEncodesFlatAndFilled(t *testing.T) {
	r := newRun()
	if err := read("model: {width: 3, tied: false}", &r); err != nil {
		t.Fatal(err)
	}
	text, err := Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	if want := "seed: 0\nmodel:\n  kind: small\n  width: 3\n  hidden: 12\n  tied: false\n"; string(text) != want {
		t.Errorf("got\n%swant\n%s", text, want)
	}
	back := newRun()
	if err := read(string(text), &back); err != nil || !back.Model.Equal(r.Model) {
		t.Errorf("read back %+v, %v", back.Model.Value(), err)
	}
}

func TestSectionValidatesUnderItsPath(t *testing.T) {
	r := struct {
		Teacher Section `yaml:"teacher"`
	}{NewSection("kind", "small", toyChoices())}
	if err := Read("c.yaml", []byte("teacher: {width: 101}"), nil, &r); err != nil {
		t.Fatal(err)
	}
	if err := r.Teacher.Validate(); err == nil || err.Error() != "teacher.width is at fault" {
		t.Errorf("got %v", err)
	}
}

func FuzzSection(f *testing.F) {
	f.Add([]byte("model: {kind: toy, width: 3, other: {kind: small}}\n"), "model.kind=small")
	f.Add([]byte("model: {width: 3, scale: {type: linear, factor: 2}, tied: true}\n"), "model.scale.factor=1e3")
	f.Add([]byte("model:\n  kind: ~\n  <<: *a\n"), "model={kind: toy}")
	f.Add([]byte("\xff\xfem\x00"), "model.kind")
	f.Fuzz(func(t *testing.T, src []byte, assignment string) {
		r := newRun()
		if Read("c.yaml", src, []string{assignment}, &r) != nil {
			return
		}
		if toy, ok := r.Model.Value().(*toy); ok {
			if toy.Other.Resolve("kind", "small", toyChoices()[:1]) != nil || r.Model.Set("toy", toy) != nil {
				return
			}
		}
		text, err := Encode(r)
		if err != nil {
			t.Fatal(err)
		}
		back := newRun()
		if err := Decode("c.yaml", text, &back); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
	})
}

// TestFieldsOfInlinedStructs: keys are found in each struct that lies in another one, in their order, and not in what has none.
func TestFieldsOfInlinedStructs(t *testing.T) {
	type one struct {
		A int `yaml:"a"`
	}
	type Two struct {
		B int `yaml:"b,omitempty"`
		C int `yaml:"-"`
		D int
	}
	type all struct {
		one  `yaml:",inline"`
		E    int `yaml:"e"`
		Two  `yaml:",inline"`
		Last one `yaml:",inline"`
		F    int `yaml:"f"`
	}
	v := reflect.ValueOf(&all{one{1}, 2, Two{B: 3, C: 4, D: 5}, one{6}, 7}).Elem()
	if got := keys(v); !slices.Equal(got, []string{"a", "e", "b", "a", "f"}) || firstKey(v) != "a" {
		t.Errorf("keys %q", got)
	}
	for key, want := range map[string]int64{"a": 1, "e": 2, "b": 3, "f": 7, "-": -1, "": -1, "C": -1, "x": -1} {
		f, ok := field(v, key)
		if ok != (want >= 0) || ok && f.Int() != want {
			t.Errorf("%q: %v, %t; want %d", key, f, ok, want)
		}
	}
}
