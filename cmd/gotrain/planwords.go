package main

import (
	"fmt"

	"example.com/gotrain/train/forecast"
)

func productsName(r *forecast.Report) string {
	if r.Machine.GPU != "" {
		return "scratch of cuBLASLt"
	}
	return "packed operands of matrix products"
}

func driverName(r *forecast.Report) string {
	if r.Ranks > 1 {
		return "context of the driver, and NCCL (estimated)"
	}
	return "context of the driver (estimated)"
}

func snapshotName(r *forecast.Report) string {
	if r.Machine.GPU != "" {
		return "copy of the state for saves, in the host's memory, not in the sum"
	}
	return "copy of the state for saves (train.save: sync does without)"
}

func messages(r *forecast.Report) string {
	if r.Ranks > 1 {
		return "; messages between ranks take no time"
	}
	return ""
}

func where(r *forecast.Report) string {
	if r.Machine.GPU != "" {
		return " on " + r.Machine.GPU
	}
	return " on this machine"
}

// lawLimit is a loss that the scaling law, fitted below 5 nats, says nothing of.
const lawLimit = 6

func times(accumulate int) string {
	if accumulate == 1 {
		return ""
	}
	return fmt.Sprintf(" × %d accumulated", accumulate)
}
