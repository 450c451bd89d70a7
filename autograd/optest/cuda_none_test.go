//go:build !gpu

package optest

func cudaBackends() []backend { return nil }

func askedBackends() []backend { return nil }
