//go:build gpu

package cuda

// #include <cuda.h>
import "C"

import "time"

// Mark is the time, by the device's clock, at which the last launch of a graph was at
// some place.
type Mark struct {
	device *Device
	event  C.CUevent
}

// NewMark makes a mark that is nowhere yet.
func (d *Device) NewMark() (*Mark, error) {
	m := &Mark{device: d}
	return m, d.do("cuEventCreate", func() error { return result(C.cuEventCreate(&m.event, C.CU_EVENT_DEFAULT)) })
}

// Record puts the mark behind what s has so far, while a graph is captured from s.
func (m *Mark) Record(s *Stream) error {
	return m.device.do("cuEventRecordWithFlags", func() error {
		return result(C.cuEventRecordWithFlags(m.event, s.handle(), C.CU_EVENT_RECORD_EXTERNAL))
	})
}

// Since is the time from another mark to this one. A launch must have reached both.
func (m *Mark) Since(earlier *Mark) (time.Duration, error) {
	var ms C.float
	err := m.device.do("cuEventElapsedTime", func() error { return result(C.cuEventElapsedTime(&ms, earlier.event, m.event)) })
	return time.Duration(float64(ms) * float64(time.Millisecond)), err
}

// Close frees the mark.
func (m *Mark) Close() error {
	return m.device.do("cuEventDestroy", func() error { return result(C.cuEventDestroy(m.event)) })
}
