package manifest

import (
	"path/filepath"
	"strings"
	"testing"
)

func FuzzParse(f *testing.F) {
	good, err := Manifest{Format: Version, Step: 7, Files: []Entry{{"config.json", 3, 0xabc}, {"model.safetensors", 1 << 40, 1}}}.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	for _, s := range []string{"", "{}", `{"format":1}`, strings.Replace(string(good), "config.json", "../x", 1), strings.Replace(string(good), "7", "-7", 1)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse(data)
		if err != nil {
			return
		}
		again, err := m.Encode()
		if err != nil || string(again) != string(data) {
			t.Fatalf("accepted %q, would write %q, %v", data, again, err)
		}
		for _, f := range m.Files {
			if !filepath.IsLocal(f.Name) || strings.Count(f.Name, "/") > 1 {
				t.Fatalf("accepted the file name %q", f.Name)
			}
		}
	})
}
