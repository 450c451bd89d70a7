package jinja

import "testing"

// TestMentions: a template may read what it names, as a name, an attribute or a text, and nothing that stands outside its tags.
func TestMentions(t *testing.T) {
	template, err := Parse(`outside {# comment #}{% for m in messages %}{{ m.role }}{{ m["content"] }}{{ m.get('name') }}{% if tools is defined %}x{% endif %}{% endfor %}{{ 'two words' ~ 5 }}`)
	if err != nil {
		t.Fatal(err)
	}
	for word, want := range map[string]bool{"messages": true, "role": true, "content": true, "name": true, "tools": true, "two words": true, "outside": false, "comment": false, "x": false, "two": false, "5": false, "": false} {
		if got := template.Mentions(word); got != want {
			t.Errorf("%q is mentioned: %t", word, got)
		}
	}
}
