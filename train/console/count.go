package console

import (
	"fmt"
	"time"

	"example.com/gotrain/train/units"
)

// Count shows how many of total things are done, with what else note says of them, how fast
// they come and when the last will: the live line, or a plain one now and then.
func (p *Progress) Count(things string, done, total int, note func() string) {
	if p.began.IsZero() {
		p.began, p.last = time.Now(), time.Now()
	}
	if !p.due() {
		return
	}
	rate := float64(done) / max(time.Since(p.began).Seconds(), 1e-9)
	text := fmt.Sprintf("%-10s %d/%d", things, done, total)
	if said := note(); said != "" {
		text += "  " + said
	}
	p.Status("%s  %.3g/s  ETA %s", text, rate, units.Seconds(float64(total-done)/max(rate, 1e-9)))
}
