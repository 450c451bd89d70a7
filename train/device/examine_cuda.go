//go:build gpu

package device

import (
	"errors"
	"fmt"

	"example.com/gotrain/cuda"
	"example.com/gotrain/cuda/backend"
	"example.com/gotrain/train/units"
	"example.com/gotrain/train/ways"
)

// oldestMajor is the compute capability, before the point, that the kernels
// need.
const oldestMajor = 8

// examineGPU opens each device and each library of CUDA.
func examineGPU() []Finding {
	findings := examineDevices()
	for _, l := range cuda.Libraries() {
		f := Finding{Name: l.Name, OK: l.Problem == "", Detail: fmt.Sprintf("%s, version %s, %d of %d functions", l.Path, l.Version, l.Bound, l.Wanted)}
		switch {
		case l.Path == "":
			f.Detail, f.Cure = fmt.Sprintf("not found (%s); without it %s", l.Problem, l.Cost), l.Cure
		case !f.OK:
			f.Detail, f.Cure = fmt.Sprintf("%s; %s: %s", f.Detail, l.Problem, l.Cost), l.Cure
		}
		findings = append(findings, f)
	}
	return append(findings, examineWays()...)
}

// examineWays tells what is known of the cards here from earlier timings.
func examineWays() []Finding {
	infos, err := cuda.Devices()
	if err != nil {
		return nil
	}
	f := Finding{Name: "timing", OK: true}
	file, err := ways.Usual()
	if err == nil {
		n, e := file.Card(infos[0].Name)
		f.Detail, err = fmt.Sprintf("%d ways to compute are known as the fastest on %s, in %s", n, infos[0].Name, file.Path), e
	}
	if err != nil {
		f.OK, f.Detail, f.Cure = false, err.Error(), "until then every run times its kernels anew, which takes a second or two"
	}
	return []Finding{f}
}

func examineDevices() []Finding {
	infos, err := cuda.Devices()
	switch {
	case errors.Is(err, cuda.ErrNoDriver):
		return []Finding{{Name: "gpu", OK: true, Detail: "none found; training runs on the processor"}}
	case err != nil:
		return []Finding{{Name: "gpu", Detail: err.Error(), Cure: "nvidia-smi shows what the driver makes of it; until then --device cpu works"}}
	}
	findings := make([]Finding, len(infos))
	for i, info := range infos {
		findings[i] = examineDevice(info)
	}
	return findings
}

func examineDevice(info cuda.Info) Finding {
	f := Finding{Name: "gpu", Detail: fmt.Sprintf("cuda:%d %s, compute capability %d.%d, driver for CUDA %d.%d",
		info.Index, info.Name, info.Major, info.Minor, info.Driver/1000, info.Driver%1000/10)}
	if info.Major < oldestMajor {
		f.Cure = fmt.Sprintf("the kernels need compute capability %d.0 or later: use another card, or --device cpu", oldestMajor)
		return f
	}
	card, err := backend.CardAt(info.Index)
	if err != nil {
		f.Detail += ": " + err.Error()
		f.Cure = "another program may own the card, or its memory may be full: nvidia-smi lists them"
		if errors.Is(err, cuda.ErrOldDriver) {
			f.Cure = "a newer driver, see libcuda; until then --device cpu works"
		}
		return f
	}
	f.OK = true
	f.Detail += fmt.Sprintf(", %s free of %s; peak by its clocks %.0f TFLOP/s bfloat16, %.0f tf32, %.0f float32, %.2f TB/s",
		units.Bytes(card.Free), units.Bytes(card.Memory), card.BF16/1e12, card.TF32/1e12, card.F32/1e12, card.Bandwidth/1e12)
	return f
}
