package main

import (
	"context"
	"time"
)

// hopper checks what cuda.attention: hopper takes: its primitives beside mma.sync, and,
// where those are right, its kernels against their definition. Other chips have none.
func (c *checker) hopper(ctx context.Context) (string, error) {
	var suites []suite
	for _, s := range []struct{ name, pkg, tests string }{
		{"hopper primitives", "cuda", "^TestHopper"},
		{"hopper attention", "autograd/optest", "^(TestDefinition|TestMemory)$/^cuda-hopper$"},
	} {
		r, out := c.test(ctx, 2*time.Minute, s.pkg, "-test.run", s.tests)
		r.died(out)
		r.Name = s.name
		suites = append(suites, r.suite)
		if r.Passed == 0 && r.Skipped > 0 {
			return skipped("the GPU has no compute capability 9.0")
		}
		if r.Failed > 0 {
			break
		}
	}
	c.report.Tests = append(c.report.Tests, suites...)
	return result(suites...)
}
