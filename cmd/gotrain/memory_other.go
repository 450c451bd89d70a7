//go:build !linux

package main

import "errors"

// memoryLimits are the bytes that this process may use; unknown here.
type memoryLimits struct {
	Total     int64 `json:"total_bytes"`
	Available int64 `json:"available_bytes"`
	Cgroup    int64 `json:"cgroup_bytes,omitempty"`
}

func readMemory() memoryLimits      { return memoryLimits{} }
func (memoryLimits) usable() int64  { return 0 }
func peakMemory() int64             { return 0 }
func residentMemory() int64         { return 0 }
func forgetPeak()                   {}
func cgroupCPUs() float64           { return 0 }
func processor() (string, []string) { return "", nil }

func diskFree(string) (int64, error) { return 0, errors.New("not known on this system") }
