package join_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/gotrain/train/device"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/ranks/join"
)

// A process that no launcher started is alone; the same lines make one run of many.
func Example() {
	ctx := context.Background()
	launch, err := ranks.Detect(func(string) string { return "" }) // os.Getenv
	if err != nil {
		fmt.Println(err)
		return
	}
	cluster, err := join.Open(ctx, join.Config{Launch: launch, Engine: "auto", Device: "cpu"})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := cluster.Watch(ctx, time.Minute, func(r ranks.Report) { fmt.Println(r) }); err != nil {
		fmt.Println(err)
		return
	}
	backend, _, err := cluster.OpenBackend(1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(backend.Name(), cluster.First(), cluster.Group)
	fmt.Println(errors.Join(backend.Close(), cluster.Close(nil)))
	// Output:
	// cpu true <nil>
	// <nil>
}

// TestFaults name the rank; a device that does not fit is a fault of the configuration.
func TestFaults(t *testing.T) {
	launch := ranks.Launch{Launcher: "environment", Rank: 1, Size: 2, LocalRank: 1, LocalSize: 2, Endpoint: "127.0.0.1:9", ID: "x"}
	_, err := join.Open(t.Context(), join.Config{Launch: launch, Engine: "nccl", Device: "cpu"})
	if !errors.As(err, new(*device.Error)) || !strings.Contains(err.Error(), "rank 1 of 2 (environment): cluster.engine is nccl") {
		t.Errorf("nccl on CPUs: %v", err)
	}
	nowhere := launch
	nowhere.Endpoint = "127.0.0.1"
	if _, err := join.Open(t.Context(), join.Config{Launch: nowhere, Engine: "auto", Device: "cpu"}); err == nil || !strings.Contains(err.Error(), "rank 1 of 2 (environment): the endpoint of the run: ") {
		t.Errorf("an endpoint without a port: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = join.Open(ctx, join.Config{Launch: launch, Engine: "auto", Device: "cpu"})
	if err == nil || errors.As(err, new(*device.Error)) || !strings.Contains(err.Error(), "rank 1 of 2") {
		t.Errorf("nobody answers: %v", err)
	}
}
