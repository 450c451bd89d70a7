package jinja

import (
	"html"
	"regexp"
	"slices"
	"strings"
)

// escapeHTML is markupsafe's escape.
func escapeHTML(s string) string { return htmlEscapes.Replace(s) }

var htmlEscapes = strings.NewReplacer("&", "&amp;", ">", "&gt;", "<", "&lt;", "'", "&#39;", `"`, "&#34;")

func unescapeHTML(s string) string { return html.UnescapeString(s) }

// escape returns v as Markup; Markup stays as it is.
func (m *machine) escape(v Value) Markup {
	if markup, ok := v.(Markup); ok {
		return markup
	}
	s := m.str(v)
	m.grow(int64(len(s) + 5*strings.Count(s, "&")))
	return Markup(escapeHTML(s))
}

// stripTags is Markup.striptags.
func stripTags(s string) string {
	var b strings.Builder
	for {
		start := strings.IndexByte(s, '<')
		if start < 0 {
			break
		}
		end := 0
		if strings.HasPrefix(s[start:], "<!--") {
			if end = strings.Index(s[start+4:], "-->"); end < 0 {
				break
			}
			end += start + 4 + 3
		} else {
			if end = strings.IndexByte(s[start:], '>'); end < 0 {
				break
			}
			end += start + 1
		}
		b.WriteString(s[:start])
		s = s[end:]
	}
	b.WriteString(s)
	return unescapeHTML(strings.Join(splitSpace(b.String(), -1), " "))
}

func filterXMLAttr(m *machine, a []Value) Value {
	d := m.mapping(a[0])
	var parts []string
	for i, key := range d.keys {
		value := d.values[i]
		if _, ok := value.(*Missing); ok || value == None {
			continue
		}
		name, ok := text(key)
		if !ok {
			typeError("expected string or bytes-like object, got '%s'", typeName(key))
		}
		if strings.ContainsAny(name, " \t\n\r\f\v/>=") {
			valueError("Invalid character in attribute name: %s", m.repr(key))
		}
		parts = append(parts, string(m.escape(key))+`="`+string(m.escape(value))+`"`)
	}
	s := strings.Join(parts, " ")
	m.grow(int64(len(s)))
	if s != "" && (a[1] == nil || truth(a[1])) {
		s = " " + s
	}
	return s
}

// urlQuote is jinja2's url_quote.
func (m *machine) urlQuote(v Value, query bool) string {
	s := m.str(v)
	m.growTimes(int64(len(s)), 3)
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || decimal(c) || strings.IndexByte("_.-~", c) >= 0 || c == '/' && !query:
			b.WriteByte(c)
		case c == ' ' && query:
			b.WriteByte('+')
		default:
			b.WriteByte('%')
			b.WriteString(strings.ToUpper(hex(rune(c), 2)))
		}
	}
	return b.String()
}

func filterURLEncode(m *machine, a []Value) Value {
	if _, ok := text(a[0]); ok {
		return m.urlQuote(a[0], false)
	}
	source := a[0]
	if d, ok := source.(*Dict); ok {
		source = &view{d, "dict_items"}
	}
	next, ok := m.iterate(source)
	if !ok {
		return m.urlQuote(a[0], false)
	}
	var parts []string
	for v, ok := next(); ok; v, ok = next() {
		pair := m.unpack(v, 2)
		parts = append(parts, m.urlQuote(pair[0], true)+"="+m.urlQuote(pair[1], true))
	}
	return strings.Join(parts, "&")
}

// What urlize takes for an address, after jinja2.
var (
	linkPattern = regexp.MustCompile(`(?i)^((https?://|www\.)(([\p{L}\p{N}_%-]+\.)+)?([a-z]{2,63}|xn--[\p{L}\p{N}_%]{2,59})` +
		`|([\p{L}\p{N}_%-]{2,63}\.)+(com|net|int|edu|gov|org|info|mil)` +
		`|(https?://)((\d{1,3}(\.\d{1,3}){3})|(\[([\da-f]{0,4}:){2}([\da-f]{0,4}:?){1,6}])))(:\d{1,5})?([/?#]\S*)?$`)
	mailPattern   = regexp.MustCompile(`^\S+@[\p{L}\p{N}_][\p{L}\p{N}_.-]*\.[\p{L}\p{N}_]+$`)
	headPattern   = regexp.MustCompile(`^([(<]|&lt;)+`)
	tailPattern   = regexp.MustCompile(`([)>.,\n]|&gt;)+$`)
	schemePattern = regexp.MustCompile(`^([\p{L}\p{N}_.+-]{2,}:(/){0,2})$`)
)

func filterURLize(m *machine, a []Value) Value {
	u := urlizer{m: m, limit: a[1]}
	var rel []string
	if a[4] != nil && truth(a[4]) {
		rel = splitSpace(textArg(a[4], "rel"), -1)
	}
	if a[2] != nil && truth(a[2]) {
		rel = append(rel, "nofollow")
	}
	rel = append(rel, "noopener")
	slices.Sort(rel)
	u.attributes = ` rel="` + escapeHTML(strings.Join(slices.Compact(rel), " ")) + `"`
	if a[3] != nil && truth(a[3]) {
		u.attributes += ` target="` + string(m.escape(a[3])) + `"`
	}
	if a[5] != nil && a[5] != None {
		for _, scheme := range m.list(a[5]) {
			s := textArg(scheme, "a scheme")
			if !schemePattern.MatchString(s) {
				valueError("%s is not a valid URI scheme prefix.", quote(s))
			}
			u.schemes = append(u.schemes, s)
		}
	}
	s := string(m.escape(a[0]))
	m.growTimes(int64(len(s)), 8)
	var b strings.Builder
	for s != "" {
		n := len(s) - len(strings.TrimLeftFunc(s, isSpace))
		b.WriteString(s[:n])
		s = s[n:]
		end := strings.IndexFunc(s, isSpace)
		if end < 0 {
			end = len(s)
		}
		if end > 0 {
			word := u.word(s[:end])
			m.grow(int64(len(word)))
			b.WriteString(word)
		}
		s = s[end:]
	}
	return b.String()
}

type urlizer struct {
	m          *machine
	limit      Value // characters of a link's text, nil or None for all
	attributes string
	schemes    []string
}

func (u *urlizer) trim(s string) string {
	if u.limit == nil || u.limit == None || !u.m.order(">", int64(runeLen(s)), u.limit) {
		return s
	}
	return u.m.slice(s, None, u.limit, None).(string) + "..."
}

// word makes a link of a word that is one, without the punctuation around it.
func (u *urlizer) word(s string) string {
	head := headPattern.FindString(s)
	middle := s[len(head):]
	tail := tailPattern.FindString(middle)
	middle = middle[:len(middle)-len(tail)]
	for _, pair := range [][2]string{{"(", ")"}, {"<", ">"}, {"&lt;", "&gt;"}} {
		opened := strings.Count(middle, pair[0])
		if opened <= strings.Count(middle, pair[1]) {
			continue
		}
		for range min(opened, strings.Count(tail, pair[1])) {
			end := strings.Index(tail, pair[1]) + len(pair[1])
			middle += tail[:end]
			tail = tail[end:]
		}
	}
	switch {
	case linkPattern.MatchString(middle):
		address := middle
		if !strings.HasPrefix(middle, "https://") && !strings.HasPrefix(middle, "http://") {
			address = "https://" + middle
		}
		middle = `<a href="` + address + `"` + u.attributes + `>` + u.trim(middle) + `</a>`
	case strings.HasPrefix(middle, "mailto:") && mailPattern.MatchString(middle[7:]):
		middle = `<a href="` + middle + `">` + middle[7:] + `</a>`
	case strings.Contains(middle, "@") && !strings.HasPrefix(middle, "www.") && !strings.HasPrefix(middle, "@") &&
		!strings.Contains(middle, ":") && mailPattern.MatchString(middle):
		middle = `<a href="mailto:` + middle + `">` + middle + `</a>`
	default:
		for _, scheme := range u.schemes {
			if middle != scheme && strings.HasPrefix(middle, scheme) {
				middle = `<a href="` + middle + `"` + u.attributes + `>` + middle + `</a>`
			}
		}
	}
	return head + middle + tail
}
