//go:build gpu

package cuda_test

import (
	"fmt"
	"log"

	"example.com/gotrain/cuda"
	"example.com/gotrain/cuda/kernels"
)

// Doubles three numbers on the first GPU.
func Example() {
	if err := double(); err != nil {
		log.Fatal(err)
	}
	// Output: 2 4 6
}

func double() error {
	device, err := cuda.Open(0)
	if err != nil {
		return err
	}
	defer device.Close()
	stream, err := device.NewStream()
	if err != nil {
		return err
	}
	defer stream.Close()
	x, err := device.Alloc(3 * 4)
	if err != nil {
		return err
	}
	defer device.Free(x)

	const name = "scale_f32" // y = alpha · x over n floats
	var kernel *cuda.Kernel
	for _, image := range kernels.Images() {
		if image.Name != kernels.Signatures[name].File {
			continue
		}
		module, err := device.Load(image.Data)
		if err != nil {
			return err
		}
		if kernel, err = module.Kernel(name); err != nil {
			return err
		}
	}

	values := floats(1, 2, 3)
	if err := stream.Upload(x, values); err != nil {
		return err
	}
	args := []cuda.Slot{x.Slot(), x.Slot(), cuda.Long(3), cuda.Float(2)}
	if err := stream.Launch(kernel, cuda.Dim{X: 1, Y: 1, Z: 1}, cuda.Dim{X: 32, Y: 1, Z: 1}, 0, args); err != nil {
		return err
	}
	if err := stream.Download(values, x); err != nil {
		return err
	}
	if err := stream.Synchronize(); err != nil {
		return err
	}
	fmt.Println(floatAt(values, 0), floatAt(values, 1), floatAt(values, 2))
	return nil
}
