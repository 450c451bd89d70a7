// Package kernel is the floor of the CPU backend: a pool of workers and the
// matrix product.
package kernel
