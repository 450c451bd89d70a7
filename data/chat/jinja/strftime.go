package jinja

import (
	"strconv"
	"strings"
	"time"
)

// strftime formats the time of now as Python's datetime.now().strftime does, in the C locale with glibc's directives.
func (m *machine) strftime(format string) string {
	t := m.now()
	var b strings.Builder
	for i := 0; i < len(format); {
		if format[i] != '%' {
			b.WriteByte(format[i])
			i++
			continue
		}
		s, n := m.directive(t, format[i+1:])
		m.grow(int64(len(s)))
		b.WriteString(s)
		i += 1 + n
	}
	return b.String()
}

// directive formats what s, which stands behind a percent sign, begins with; n is how much of s that is.
func (m *machine) directive(t time.Time, s string) (text string, n int) {
	padding := byte(0) // '-' none, '_' spaces, '0' zeros
	upperCase, swap := false, false
	for n < len(s) && strings.IndexByte("-_0^#", s[n]) >= 0 {
		switch s[n] {
		case '^':
			upperCase = true
		case '#':
			swap = true
		default:
			padding = s[n]
		}
		n++
	}
	begin := n
	for n < len(s) && decimal(s[n]) {
		n++
	}
	width, _ := strconv.Atoi(s[begin:n])
	if width > 1024 {
		refuse("strftime_now: a field of %d characters", width)
	}
	modified := "" // the directives that a modifier changes, in other locales
	if n < len(s) && (s[n] == 'E' || s[n] == 'O') {
		modified = map[byte]string{'E': "cCxXyY", 'O': "BbhdeHImMSuUVwWy"}[s[n]]
		n++
	}
	kind := byte(0)
	if n < len(s) {
		kind = s[n]
		n++
	}
	if modified != "" && kind != 0 && strings.IndexByte(modified, kind) < 0 {
		refuse("strftime_now: the directive %%%s is not known", s[:n])
	}
	number := func(value, digits int, fill byte) string {
		switch padding {
		case '-':
			digits, fill = 0, ' '
		case '_':
			fill = ' '
		case '0':
			fill = '0'
		}
		if width > 0 {
			digits = max(width, digits)
		}
		d := strconv.Itoa(value)
		return strings.Repeat(string(fill), max(digits-len(d), 0)) + d
	}
	word := func(s string) string {
		switch {
		case kind == 'P': // stays as it is
		case upperCase, swap && kind != 'p' && kind != 'c':
			s = strings.ToUpper(s)
		case swap && kind == 'p':
			s = strings.ToLower(s)
		}
		fill := " "
		if padding == '0' {
			fill = "0"
		}
		return strings.Repeat(fill, max(width-len(s), 0)) + s
	}
	hour := (t.Hour()+11)%12 + 1
	isoYear, isoWeek := t.ISOWeek()
	weekday := int(t.Weekday())
	switch kind {
	case 0: // glibc writes what ends too soon as it stands
		return word("%" + s), n
	case 'Y':
		return number(t.Year(), 0, '0'), n
	case 'y':
		return number(t.Year()%100, 2, '0'), n
	case 'C':
		return number(t.Year()/100, 2, '0'), n
	case 'G':
		return number(isoYear, 0, '0'), n
	case 'g':
		return number(isoYear%100, 2, '0'), n
	case 'm':
		return number(int(t.Month()), 2, '0'), n
	case 'd':
		return number(t.Day(), 2, '0'), n
	case 'e':
		return number(t.Day(), 2, ' '), n
	case 'H':
		return number(t.Hour(), 2, '0'), n
	case 'k':
		return number(t.Hour(), 2, ' '), n
	case 'I':
		return number(hour, 2, '0'), n
	case 'l':
		return number(hour, 2, ' '), n
	case 'M':
		return number(t.Minute(), 2, '0'), n
	case 'S':
		return number(t.Second(), 2, '0'), n
	case 'j':
		return number(t.YearDay(), 3, '0'), n
	case 'u':
		return number((weekday+6)%7+1, 1, '0'), n
	case 'w':
		return number(weekday, 1, '0'), n
	case 'U':
		return number((t.YearDay()+6-weekday)/7, 2, '0'), n
	case 'W':
		return number((t.YearDay()+6-(weekday+6)%7)/7, 2, '0'), n
	case 'V':
		return number(isoWeek, 2, '0'), n
	case 'p':
		return word(t.Format("PM")), n
	case 'P':
		return word(t.Format("pm")), n
	case 'B':
		return word(t.Format("January")), n
	case 'b', 'h':
		return word(t.Format("Jan")), n
	case 'A':
		return word(t.Format("Monday")), n
	case 'a':
		return word(t.Format("Mon")), n
	case 'F':
		return word(t.Format("2006-01-02")), n
	case 'D', 'x':
		return word(t.Format("01/02/06")), n
	case 'T', 'X':
		return word(t.Format("15:04:05")), n
	case 'R':
		return word(t.Format("15:04")), n
	case 'r':
		return word(t.Format("03:04:05 PM")), n
	case 'c':
		return word(t.Format("Mon Jan _2 15:04:05 2006")), n
	case 'z', 'Z':
		if n == 1 {
			return "", n // datetime.now() knows no time zone
		}
	case 'f':
		if n == 1 {
			return strings.TrimPrefix(t.Format(".000000"), "."), n
		}
	case '%':
		return word("%"), n
	case 'n':
		return word("\n"), n
	case 't':
		return word("\t"), n
	}
	refuse("strftime_now: the directive %%%s is not known", s[:n])
	return "", 0
}
