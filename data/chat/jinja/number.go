package jinja

import (
	"math"
	"math/big"
)

// maxBits bounds integers; a template that goes beyond is refused.
const maxBits = 1 << 17

// maxDigits is how long an integer may be that Python turns into text or reads from it.
const maxDigits = 4300

// shrink returns b as int64 where it fits.
func shrink(b *big.Int) Value {
	if b.IsInt64() {
		return b.Int64()
	}
	if b.BitLen() > maxBits {
		fail(Limit, "a number of more than %d bits", maxBits)
	}
	return b
}

func toBig(v Value) *big.Int {
	switch v := v.(type) {
	case int64:
		return big.NewInt(v)
	case *big.Int:
		return v
	case bool:
		if v {
			return big.NewInt(1)
		}
		return new(big.Int)
	}
	return nil
}

// toFloat is what Python makes of a number in arithmetic with a float.
func toFloat(v Value) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		if math.IsInf(f, 0) {
			fail(Arithmetic, "int too large to convert to float")
		}
		return f, true
	}
	return 0, false
}

// compareNumbers compares two numbers exactly; ok is false when one is none. With nan it returns 2.
func compareNumbers(a, b Value) (c int, ok bool) {
	if x, ok := a.(int64); ok {
		if y, ok := b.(int64); ok {
			switch {
			case x < y:
				return -1, true
			case x > y:
				return 1, true
			}
			return 0, true
		}
	}
	x, isFloat := a.(float64)
	y, isFloatToo := b.(float64)
	if isFloat && isFloatToo {
		switch {
		case x < y:
			return -1, true
		case x > y:
			return 1, true
		case x == y:
			return 0, true
		}
		return 2, true
	}
	if isFloat {
		c, ok := compareNumbers(b, a)
		if c != 2 {
			c = -c
		}
		return c, ok
	}
	n := toBig(a)
	if n == nil {
		return 0, false
	}
	if !isFloatToo {
		k := toBig(b)
		if k == nil {
			return 0, false
		}
		return n.Cmp(k), true
	}
	switch {
	case y != y:
		return 2, true
	case math.IsInf(y, 1):
		return -1, true
	case math.IsInf(y, -1):
		return 1, true
	}
	return new(big.Float).SetInt(n).Cmp(new(big.Float).SetFloat64(y)), true
}

// arithmetic is Python's + - * / // % ** of two numbers; ok is false when one is none.
func (m *machine) arithmetic(op string, a, b Value) (v Value, ok bool) {
	_, isFloat := a.(float64)
	_, isFloatToo := b.(float64)
	if isFloat || isFloatToo {
		if _, ok := number(a); !ok && !isFloat {
			return nil, false
		}
		if _, ok := number(b); !ok && !isFloatToo {
			return nil, false
		}
		x, _ := toFloat(a)
		y, _ := toFloat(b)
		return floatArithmetic(op, x, y), true
	}
	p, ok := number(a)
	if !ok {
		return nil, false
	}
	q, ok := number(b)
	if !ok {
		return nil, false
	}
	x, small := p.(int64)
	y, smallToo := q.(int64)
	if small && smallToo {
		if v, ok := smallArithmetic(op, x, y); ok {
			return v, true
		}
	}
	return m.bigArithmetic(op, toBig(p), toBig(q)), true
}

// smallArithmetic is arithmetic where neither numbers nor result are large; ok is false where the result may be.
func smallArithmetic(op string, x, y int64) (Value, bool) {
	const half = 1 << 31
	fit := x > -half && x < half && y > -half && y < half
	switch op {
	case "+":
		if s := x + y; (s > x) == (y > 0) {
			return s, true
		}
	case "-":
		if s := x - y; (s < x) == (y > 0) {
			return s, true
		}
	case "*":
		if fit {
			return x * y, true
		}
	case "/":
		if y != 0 && x > -1<<53 && x < 1<<53 && y > -1<<53 && y < 1<<53 {
			return float64(x) / float64(y), true
		}
	case "//":
		if y != 0 && fit {
			q := x / y
			if x%y != 0 && (x < 0) != (y < 0) {
				q--
			}
			return q, true
		}
	case "%":
		if y != 0 && fit {
			r := x % y
			if r != 0 && (r < 0) != (y < 0) {
				r += y
			}
			return r, true
		}
	}
	return nil, false
}

func (m *machine) bigArithmetic(op string, x, y *big.Int) Value {
	m.spend(int64(x.BitLen()+y.BitLen()) / 64)
	switch op {
	case "+":
		return shrink(new(big.Int).Add(x, y))
	case "-":
		return shrink(new(big.Int).Sub(x, y))
	case "*":
		if x.BitLen()+y.BitLen() > 2*maxBits {
			fail(Limit, "a number of more than %d bits", maxBits)
		}
		m.spend(int64(x.BitLen()) * int64(y.BitLen()) / 4096)
		return shrink(new(big.Int).Mul(x, y))
	case "/":
		if y.Sign() == 0 {
			fail(Arithmetic, "division by zero")
		}
		f, _ := new(big.Rat).SetFrac(x, y).Float64()
		if math.IsInf(f, 0) {
			fail(Arithmetic, "integer division result too large for a float")
		}
		if f == 0 && (x.Sign() < 0) != (y.Sign() < 0) {
			return math.Copysign(0, -1)
		}
		return f
	case "//", "%":
		if y.Sign() == 0 {
			fail(Arithmetic, "integer division or modulo by zero")
		}
		m.spend(int64(x.BitLen()) * int64(y.BitLen()) / 4096)
		q, r := new(big.Int).QuoRem(x, y, new(big.Int))
		if r.Sign() != 0 && (r.Sign() < 0) != (y.Sign() < 0) {
			q.Sub(q, big.NewInt(1))
			r.Add(r, y)
		}
		if op == "%" {
			return shrink(r)
		}
		return shrink(q)
	}
	return m.power(x, y)
}

// power is x ** y.
func (m *machine) power(x, y *big.Int) Value {
	if y.Sign() < 0 {
		base, _ := toFloat(shrink(x))
		exponent, _ := toFloat(shrink(y))
		return floatArithmetic("**", base, exponent)
	}
	if x.BitLen() > 1 {
		if !y.IsInt64() || int64(x.BitLen()-1)*y.Int64() > maxBits || y.Int64() > maxBits {
			fail(Limit, "a number of more than %d bits", maxBits)
		}
		m.spend(y.Int64() / 8)
	} else if y.BitLen() > 62 {
		y = new(big.Int).And(y, big.NewInt(1)) // of 0, 1 and -1 only the parity of the exponent counts
		if x.Sign() == 0 || x.Sign() > 0 {
			return shrink(x)
		}
	}
	return shrink(new(big.Int).Exp(x, y, nil))
}

func floatArithmetic(op string, x, y float64) Value {
	switch op {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "/":
		if y == 0 {
			fail(Arithmetic, "float division by zero")
		}
		return x / y
	case "//", "%":
		if y == 0 {
			fail(Arithmetic, "float floor division by zero")
		}
		q, r := floatDivMod(x, y)
		if op == "%" {
			return r
		}
		return q
	}
	return floatPower(x, y)
}

// floatDivMod is CPython's float_divmod.
func floatDivMod(x, y float64) (q, r float64) {
	r = math.Mod(x, y)
	q = (x - r) / y
	if r != 0 {
		if (y < 0) != (r < 0) {
			r += y
			q--
		}
	} else {
		r = math.Copysign(0, y)
	}
	if q != 0 {
		floor := math.Floor(q)
		if q-floor > 0.5 {
			floor++
		}
		return floor, r
	}
	return math.Copysign(0, x/y), r
}

// floatPower is x ** y of floats, rounded to the nearest where y is whole or a half, as C's pow is but for rare last bits.
func floatPower(x, y float64) Value {
	switch {
	case x == 0 && y < 0:
		fail(Arithmetic, "0.0 cannot be raised to a negative power")
	case y == 0 || x == 1:
		return 1.0
	case x != x || y != y || math.IsInf(x, 0) || math.IsInf(y, 0) || x == 0:
		return math.Pow(x, y)
	case y == 0.5 && x > 0:
		return math.Sqrt(x)
	case y != math.Trunc(y) && x < 0:
		refuse("a negative number raised to a fraction, which is a complex number")
	case y != math.Trunc(y):
		refuse("a power whose exponent is a fraction (write the result out)")
	}
	if e := math.Log2(math.Abs(x)) * y; e > 1100 {
		fail(Arithmetic, "(34, 'Numerical result out of range')")
	} else if e < -1200 {
		return math.Copysign(0, math.Pow(x, y))
	}
	if math.Abs(y) > 1<<20 {
		refuse("a power with an exponent of %s", floatText(y))
	}
	power := new(big.Float).SetPrec(256).SetInt64(1)
	square := new(big.Float).SetPrec(256).SetFloat64(x)
	for n := int64(math.Abs(y)); n > 0; n >>= 1 {
		if n&1 == 1 {
			power.Mul(power, square)
		}
		square.Mul(square, square)
	}
	if y < 0 {
		power.Quo(new(big.Float).SetPrec(256).SetInt64(1), power)
	}
	v, _ := power.Float64()
	if math.IsInf(v, 0) {
		fail(Arithmetic, "(34, 'Numerical result out of range')")
	}
	return v
}
