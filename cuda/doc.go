// Package cuda is what gotrain uses of an NVIDIA GPU: the driver, cuBLASLt and
// NCCL. It is compiled under the build tag gpu, with cgo; without the tag only
// this page and the name of [Comm] are left.
//
// In reading order: [Devices] and [Libraries] tell what a machine has. [Open]
// gives a [Device], which owns memory ([Ptr], [Pinned]), streams and modules. A
// [Module] holds the kernels of one image; [Stream.Launch] starts a [Kernel]
// and [Stream.Upload], [Stream.Download], [Stream.Copy] and [Stream.Fill] move
// data, in the order of the stream. An [Event] orders streams among each other
// and measures time. [Stream.Capture] records such calls as a [Graph], which
// one call replays; a [Mark] measures inside it. [BLAS] multiplies matrices; [Comm] is a rank of a group of
// devices.
//
// The binary is not linked against these libraries: it opens them when they are
// used first, and starts without them (library.h). Where the driver is missing,
// Devices and Open return [ErrNoDriver].
//
// Errors of the libraries are of type [*Error] and name the call. Most work is
// asynchronous: a fault in a kernel comes from a later call, at the latest from
// [Stream.Synchronize]. After such a fault the device's context is lost and
// every call fails; only a new process recovers.
//
// All methods may be called from any goroutine: they enter the device's context
// by themselves. Work in one stream is in the order of the calls, so goroutines
// that share a stream must agree on one.
package cuda
