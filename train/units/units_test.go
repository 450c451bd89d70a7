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
	}{{0.0123, "12.3 ms"}, {3.456, "3.46 s"}, {320, "5m20s"}, {11520, "3h12m"}, {4.2 * 86400, "4.2 days"},
		{0, "0 ms"}, {0.9994, "999 ms"}, {0.9995, "1 s"}, {1, "1 s"}, {59.94, "59.9 s"}, {59.96, "1m0s"}, {60, "1m0s"}, {3599.4, "59m59s"}, {3600, "1h0m"}, {3659, "1h1m"}, {48*3600 - 60, "47h59m"}, {48 * 3600, "2.0 days"}, {1e9, "11574.1 days"}} {
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
		{0, "0 B", "0"}, {999, "999 B", "999"}, {1000, "1000 B", "1k"}, {999_499, "976.1 KiB", "999k"}, {999_500, "976.1 KiB", "1M"}, {999_999, "976.6 KiB", "1M"}, {1_000_000, "976.6 KiB", "1M"}, {1048524, "1023.9 KiB", "1.05M"}, {1<<20 - 1, "1.0 MiB", "1.05M"}, {1e9, "953.7 MiB", "1G"}, {1e12, "931.3 GiB", "1T"}, {1 << 40, "1.0 TiB", "1.1T"},
		{1023, "1023 B", "1.02k"}, {1024, "1.0 KiB", "1.02k"}, {1 << 20, "1.0 MiB", "1.05M"},
		{3 << 30, "3.0 GiB", "3.22G"}, {5 << 40, "5.0 TiB", "5.5T"}, {5 << 50, "5120.0 TiB", "5629T"},
	} {
		if got := units.Bytes(c.n); got != c.bytes {
			t.Errorf("Bytes(%d) = %q, want %q", c.n, got, c.bytes)
		}
		if got := units.Count(c.n); got != c.count {
			t.Errorf("Count(%d) = %q, want %q", c.n, got, c.count)
		}
	}
}

func TestMoney(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 0.00999: "0.01", 0.0012345: "0.0012", 0.01: "0.01", 0.999: "1.00", 1234.5: "1234.50"} {
		if got := units.Money(x); got != want {
			t.Errorf("Money(%g) = %q, want %q", x, got, want)
		}
	}
}
