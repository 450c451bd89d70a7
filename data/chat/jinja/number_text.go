package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// integerText writes an integer in decimal.
func integerText(b *big.Int) string {
	if b.BitLen() > maxDigits*3322/1000-10 {
		if s := b.Text(10); len(strings.TrimPrefix(s, "-")) > maxDigits {
			valueError("Exceeds the limit (%d digits) for integer string conversion; use sys.set_int_max_str_digits() to increase the limit", maxDigits)
		}
	}
	return b.Text(10)
}

// floatText is repr() of a float: the shortest digits that read back as the same number.
func floatText(f float64) string {
	switch {
	case f != f:
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	scientific := strconv.FormatFloat(f, 'e', -1, 64)
	mark := strings.IndexByte(scientific, 'e')
	exponent, _ := strconv.Atoi(scientific[mark+1:])
	if exponent < -4 || exponent >= 16 {
		return scientific
	}
	plain := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(plain, ".") {
		plain += ".0"
	}
	return plain
}

// parseInteger is int(s, base) of a string; ok is false where Python raises a ValueError.
func parseInteger(s string, base int64) (v Value, ok bool) {
	s = asciiDigits(strip(s))
	negative := false
	if s != "" && (s[0] == '+' || s[0] == '-') {
		negative = s[0] == '-'
		s = s[1:]
	}
	if len(s) > 1 && s[0] == '0' {
		prefix := map[byte]int64{'b': 2, 'B': 2, 'o': 8, 'O': 8, 'x': 16, 'X': 16}[s[1]]
		if prefix > 0 && (base == 0 || base == prefix) {
			base, s = prefix, strings.TrimPrefix(s[2:], "_")
		}
	}
	if base == 0 {
		base = 10
		if len(s) > 1 && s[0] == '0' && strings.Trim(s, "0_") != "" {
			return nil, false
		}
	}
	if s == "" || s[0] == '_' || s[len(s)-1] == '_' || strings.Contains(s, "__") {
		return nil, false
	}
	s = strings.ReplaceAll(s, "_", "")
	if s[0] == '+' || s[0] == '-' {
		return nil, false
	}
	power2 := base&(base-1) == 0
	if len(s) > maxDigits && !power2 {
		for i := 0; i < len(s); i++ {
			if !(s[i] >= '0' && s[i] <= '9' || s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z') {
				return nil, false
			}
		}
		return nil, false
	}
	if len(s) > maxBits/4 {
		fail(Limit, "a number of %d digits", len(s))
	}
	b, ok := new(big.Int).SetString(s, int(base))
	if !ok {
		return nil, false
	}
	if negative {
		b.Neg(b)
	}
	return shrink(b), true
}

// parseFloat is float(s) of a string.
func parseFloat(s string) (f float64, ok bool) {
	s = asciiDigits(strip(s))
	digits := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		isDigit := c >= '0' && c <= '9'
		digits = digits || isDigit
		if c == '_' {
			if i == 0 || i+1 == len(s) || s[i-1] < '0' || s[i-1] > '9' || s[i+1] < '0' || s[i+1] > '9' {
				return 0, false
			}
		}
		if !isDigit && !strings.ContainsRune("+-._eE", rune(c)) {
			digits = false
			break
		}
	}
	if !digits {
		switch strings.ToLower(strings.TrimLeft(s, "+-")) {
		case "inf", "infinity", "nan":
			if len(s)-len(strings.TrimLeft(s, "+-")) > 1 {
				return 0, false
			}
			if strings.HasSuffix(strings.ToLower(s), "nan") {
				return math.NaN(), true
			}
		default:
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// truncate is int(f).
func truncate(f float64) Value {
	switch {
	case f != f:
		valueError("cannot convert float NaN to integer")
	case math.IsInf(f, 0):
		fail(Arithmetic, "cannot convert float infinity to integer")
	case f > -1<<63 && f < 1<<63:
		return int64(f)
	}
	b, _ := new(big.Float).SetFloat64(f).Int(nil)
	return shrink(b)
}

// roundFloat rounds to n digits behind the point, halves to even, by the exact value as Python does.
func roundFloat(f float64, n int64) float64 {
	switch {
	case f != f || math.IsInf(f, 0) || n > 323:
		return f
	case n < -308:
		return math.Copysign(0, f)
	case n >= 0:
		r, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(n), 64), 64)
		return r
	}
	exact, _ := new(big.Float).SetFloat64(f).Rat(nil)
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(-n), nil)
	q, r := new(big.Int).DivMod(new(big.Int).Abs(exact.Num()), new(big.Int).Mul(exact.Denom(), unit), new(big.Int))
	whole := new(big.Int).Mul(exact.Denom(), unit)
	if c := r.Lsh(r, 1).Cmp(whole); c > 0 || c == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(1))
	}
	rounded, _ := new(big.Float).SetInt(q.Mul(q, unit)).Float64()
	if math.IsInf(rounded, 0) {
		fail(Arithmetic, "rounded value too large to represent")
	}
	return math.Copysign(rounded, f)
}
