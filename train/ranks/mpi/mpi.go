// Package mpi computes the collectives of a [ranks.Group] with MPI: the engine of
// clusters whose network MPI knows better than TCP, and whose launcher is mpirun
// or srun.
//
// It needs the build tag mpi, cgo, and an MPI that pkg-config knows as mpi-c
// (Debian: libopenmpi-dev to build, openmpi-bin to run). Without the tag [Open]
// says so. The ranks find each other through the launcher of the same MPI, so a
// process has one group, of all ranks. The death of a rank is no error on the
// others: the launcher ends the job. Sums are the same bits on all ranks, and in
// every run of as many ranks, with the algorithms that Open MPI chooses by itself.
package mpi

// Config is what the launcher told this process; MPI has to agree.
type Config struct {
	Rank, Size int
}
