package main

import "fmt"

// bytesText writes a number of bytes as 12.3 MiB.
func bytesText(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	x := float64(n)
	for _, u := range units[:len(units)-1] {
		if x < 1024 {
			return scaled(x, u)
		}
		x /= 1024
	}
	return scaled(x, units[len(units)-1])
}

// countText writes a count as 12.3k.
func countText(n int64) string {
	x := float64(n)
	for _, u := range []string{"", "k", "M", "G"} {
		if x < 1000 {
			if u == "" {
				return fmt.Sprint(n)
			}
			return fmt.Sprintf("%.3g%s", x, u)
		}
		x /= 1000
	}
	return fmt.Sprintf("%.3gT", x)
}

func scaled(x float64, unit string) string {
	if unit == "B" {
		return fmt.Sprintf("%.0f %s", x, unit)
	}
	return fmt.Sprintf("%.1f %s", x, unit)
}
