package main

import (
	"fmt"
	"strings"

	"example.com/gotrain/train/forecast"
	"example.com/gotrain/train/units"
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

// chinchilla is what the scaling law of web text says of a run.
func chinchilla(r *forecast.Report) string {
	law := fmt.Sprintf("%s give an expected loss of %.2f on web text", units.Count(r.TotalUnits), r.ChinchillaNLL)
	if r.ChinchillaNLL > lawLimit {
		law = units.Count(r.TotalUnits) + " are too few for it to predict a loss"
	}
	return fmt.Sprintf("%s tokens are compute-optimal for this size (Chinchilla); %s", units.Count(int64(r.ChinchillaTokens)), law)
}

// one is one of a unit in the plural: a token, an image.
func one(unit string) string {
	unit = strings.TrimSuffix(unit, "s")
	if strings.ContainsRune("aeio", rune(unit[0])) {
		return "an " + unit
	}
	return "a " + unit
}
