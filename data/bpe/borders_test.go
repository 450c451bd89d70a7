package bpe

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// What a rank file may hold, to the last one.
func TestTiktokenBorders(t *testing.T) {
	token := func(n int) string { return base64.StdEncoding.EncodeToString([]byte(strings.Repeat("a", n))) }
	for line, fault := range map[string]string{
		token(1) + " 0":              "",
		token(1024) + " 1":           "",
		token(1025) + " 1":           "token too long",
		token(4096) + " 1":           "line too long",
		token(1) + " 2097151":        "",
		token(1) + " 2097152":        "rank 2097152 is out of range",
		token(1) + " -1":             "rank -1 is out of range",
		token(1):                     "line is not",
		" 1":                         "line is not",
		token(1) + " 1\n" + "YQ== 1": "rank 1 comes twice",
		"\n\r\n":                     "",
	} {
		_, err := readRanks(strings.NewReader(line))
		if (err == nil) != (fault == "") || err != nil && !strings.Contains(err.Error(), fault) {
			t.Errorf("%.40s: %v, want %q", line, err, fault)
		}
	}
	tokens, err := readRanks(strings.NewReader("YQ== 2\nYg== 0\n"))
	if err != nil || fmt.Sprintf("%q", tokens) != `["b" "" "a"]` {
		t.Errorf("%q, %v", tokens, err)
	}
}
