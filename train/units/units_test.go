package units_test

import (
	"fmt"
	"testing"

	"example.com/gotrain/train/units"
)

func Example() {
	fmt.Println(units.Bytes(497_759_232), units.Count(124_439_808), units.Seconds(11520), units.Money(0.0042))
	// Output: 474.7 MiB 124M 3h12m 0.0042
}

func TestSeconds(t *testing.T) {
	for _, c := range []struct {
		seconds float64
		want    string
	}{{0.0123, "12.3 ms"}, {3.456, "3.46 s"}, {320, "5m20s"}, {11520, "3h12m"}, {4.2 * 86400, "4.2 days"}} {
		if got := units.Seconds(c.seconds); got != c.want {
			t.Errorf("Seconds(%g) = %q, want %q", c.seconds, got, c.want)
		}
	}
}

func TestBytesAndCount(t *testing.T) {
	for _, c := range []struct {
		n            int64
		bytes, count string
	}{
		{0, "0 B", "0"}, {999, "999 B", "999"}, {1023, "1023 B", "1.02k"}, {1024, "1.0 KiB", "1.02k"}, {1 << 20, "1.0 MiB", "1.05M"},
		{3 << 30, "3.0 GiB", "3.22G"}, {5 << 40, "5.0 TiB", "5.5T"}, {5 << 50, "5120.0 TiB", "5.63e+03T"},
	} {
		if got := units.Bytes(c.n); got != c.bytes {
			t.Errorf("Bytes(%d) = %q, want %q", c.n, got, c.bytes)
		}
		if got := units.Count(c.n); got != c.count {
			t.Errorf("Count(%d) = %q, want %q", c.n, got, c.count)
		}
	}
}
