//go:build gpu

package cuda

// #include <cuda.h>
import "C"

import (
	"errors"
	"fmt"
	"runtime"

	"gorgonia.org/cu"
)

// Info describes a device.
type Info struct {
	Index          int
	Name           string
	Major, Minor   int   // compute capability
	SMs            int   // streaming multiprocessors
	Memory, Free   int64 // bytes; Free is as of the call, and 0 from Devices, which opens none
	SharedPerBlock int   // bytes, the largest that Kernel.SetShared grants
	L2             int   // bytes
	ClockKHz       int   // of the multiprocessors, boosted
	MemoryClockKHz int
	BusBits        int // width of the memory bus
	Driver         int // CUDA version of the driver: 13000 is 13.0
}

// Devices describes the GPUs that the driver sees, without opening them.
func Devices() ([]Info, error) {
	if err := openDriver(); err != nil {
		return nil, err
	}
	n, err := cu.NumDevices()
	if err != nil {
		return nil, driverError("cuDeviceGetCount", err)
	}
	if n == 0 {
		return nil, errNoneVisible
	}
	infos := make([]Info, n)
	for i := range infos {
		if infos[i], err = readInfo(i); err != nil {
			return nil, err
		}
	}
	return infos, nil
}

func readInfo(index int) (Info, error) {
	info := Info{Index: index, Driver: cu.Version()}
	device, err := cu.GetDevice(index)
	if err != nil {
		return info, driverError("cuDeviceGet", err)
	}
	if info.Name, err = device.Name(); err != nil {
		return info, driverError("cuDeviceGetName", err)
	}
	if info.Memory, err = device.TotalMem(); err != nil {
		return info, driverError("cuDeviceTotalMem", err)
	}
	for _, a := range []struct {
		attribute cu.DeviceAttribute
		value     *int
	}{
		{cu.ComputeCapabilityMajor, &info.Major},
		{cu.ComputeCapabilityMinor, &info.Minor},
		{cu.MultiprocessorCount, &info.SMs},
		{C.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, &info.SharedPerBlock},
		{cu.L2CacheSize, &info.L2},
		{cu.ClockRate, &info.ClockKHz},
		{cu.MemoryClockRate, &info.MemoryClockKHz},
		{cu.GlobalMemoryBusWidth, &info.BusBits},
	} {
		if *a.value, err = device.Attribute(a.attribute); err != nil {
			return info, driverError("cuDeviceGetAttribute", err)
		}
	}
	return info, nil
}

// Describe describes one GPU with the memory that is free now. A process that
// has not opened the device opens it for the time of the call.
func Describe(index int) (Info, error) {
	d, err := Open(index)
	if err != nil {
		return Info{}, err
	}
	return d.Info(), d.Close()
}

// Device is an open GPU.
type Device struct {
	info    Info
	device  cu.Device
	context cu.CUContext
	raw     C.CUcontext // the same context, for Stream.Launch
	memory  cu.Stream   // zeroes memory
}

// Open opens a GPU by its index among [Devices]. It retains the device's
// primary context, which all users in the process share. A driver that is too old
// for the kernels is an error that wraps [ErrOldDriver].
func Open(index int) (*Device, error) {
	infos, err := Devices()
	if err != nil {
		return nil, err
	}
	if err := checkDriver(cu.Version()); err != nil {
		return nil, err
	}
	if index < 0 || index >= len(infos) {
		return nil, fmt.Errorf("%w %d: the driver sees %d, counted from 0 (CUDA_VISIBLE_DEVICES chooses among all)", ErrNoDevice, index, len(infos))
	}
	d := &Device{info: infos[index]}
	if d.device, err = cu.GetDevice(index); err != nil {
		return nil, driverError("cuDeviceGet", err)
	}
	if d.context, err = d.device.RetainPrimaryCtx(); err != nil {
		return nil, driverError("cuDevicePrimaryCtxRetain", err)
	}
	if err := d.prepare(); err != nil {
		return nil, errors.Join(err, driverError("cuDevicePrimaryCtxRelease", d.device.ReleasePrimaryCtx()))
	}
	return d, nil
}

// prepare makes the stream that zeroes memory.
func (d *Device) prepare() error {
	if err := d.do("cuCtxGetCurrent", func() error { return result(C.cuCtxGetCurrent(&d.raw)) }); err != nil {
		return err
	}
	return d.do("cuStreamCreate", func() (err error) {
		d.memory, err = cu.MakeStream(cu.NonBlocking)
		return err
	})
}

// do calls the driver, through gorgonia.org/cu or directly, from a thread on
// which the device's context is current.
func (d *Device) do(call string, f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cu.SetCurrentContext(d.context); err != nil {
		return driverError("cuCtxSetCurrent", err)
	}
	return driverError(call, f())
}

// Info describes the device, with the memory that is free now.
func (d *Device) Info() Info {
	info := d.info
	// It only fails when the context is lost, which the next call will tell.
	_ = d.do("cuMemGetInfo", func() (err error) {
		info.Free, _, err = cu.MemInfo()
		return err
	})
	return info
}

// Synchronize waits for all work on the device.
func (d *Device) Synchronize() error {
	return d.do("cuCtxSynchronize", cu.Synchronize)
}

// Close gives back the device. What was made from it must be closed before.
func (d *Device) Close() error {
	return errors.Join(
		d.do("cuStreamDestroy", d.memory.Destroy),
		driverError("cuDevicePrimaryCtxRelease", d.device.ReleasePrimaryCtx()))
}
