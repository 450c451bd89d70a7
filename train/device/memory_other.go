//go:build !linux

package device

import "errors"

// MachineMemory is not known here.
func MachineMemory() Limits { return Limits{} }

// PeakMemory is not known here.
func PeakMemory() int64 { return 0 }

// ResidentMemory is not known here.
func ResidentMemory() int64 { return 0 }

// ForgetPeak does nothing here.
func ForgetPeak() {}

// Processor is not known here.
func Processor() (name string, features []string) { return "", nil }

func cgroupCPUs() float64 { return 0 }

// DiskFree is not known here.
func DiskFree(string) (int64, error) { return 0, errors.New("not known on this system") }
