// Package units writes amounts as people read them: [Bytes], [Count], [Seconds],
// [Money].
package units

import (
	"fmt"
	"strings"
	"time"
)

// Bytes writes a number of bytes as 12.3 MiB.
func Bytes(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	x := float64(n)
	for _, unit := range []string{"KiB", "MiB", "GiB"} {
		if x /= 1024; x < 1023.95 { // what is printed as 1024.0 is 1.0 of the next
			return fmt.Sprintf("%.1f %s", x, unit)
		}
	}
	return fmt.Sprintf("%.1f TiB", x/1024)
}

// Count writes a count as 12.3k.
func Count(n int64) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	x := float64(n)
	for _, unit := range []string{"k", "M", "G"} {
		if x /= 1000; x < 999.5 {
			return fmt.Sprintf("%.3g%s", x, unit)
		}
	}
	if x /= 1000; x < 999.5 {
		return fmt.Sprintf("%.3gT", x)
	}
	return fmt.Sprintf("%.0fT", x)
}

// Seconds writes a time in seconds as 12 ms, 3.4 s, 5m20s, 3h12m or 4.2 days.
func Seconds(seconds float64) string {
	switch {
	case seconds < 0.9995:
		return fmt.Sprintf("%.3g ms", 1e3*seconds)
	case seconds < 59.95:
		return fmt.Sprintf("%.3g s", seconds)
	case seconds < 3600:
		return time.Duration(seconds * 1e9).Round(time.Second).String()
	case seconds < 48*3600:
		return strings.TrimSuffix(time.Duration(seconds*1e9).Round(time.Minute).String(), "0s")
	}
	return fmt.Sprintf("%.1f days", seconds/86400)
}

// Money writes an amount with cents, and less than a cent with two digits.
func Money(x float64) string {
	if x < 0.01 {
		return fmt.Sprintf("%.2g", x)
	}
	return fmt.Sprintf("%.2f", x)
}
