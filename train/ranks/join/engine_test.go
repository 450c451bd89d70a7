package join

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/gotrain/train/device"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/ranks/gloo"
	"example.com/gotrain/train/ranks/mpi"
	"example.com/gotrain/train/ranks/rankstest"
)

func TestRankDevice(t *testing.T) {
	here, err := device.GPUs()
	if err != nil && !device.Absent(err) {
		t.Fatal(err)
	}
	alone, second, crowd := ranks.Launch{Size: 2, LocalSize: 1}, ranks.Launch{Size: 2, LocalRank: 1, LocalSize: 2}, ranks.Launch{Size: 99, LocalRank: 9, LocalSize: 99}
	for _, c := range []struct {
		name, engine string
		launch       ranks.Launch
		gpus         int // that the case is for, at least
		want         string
		fault        string // in the error
	}{
		{"cpu", "auto", second, 0, "cpu", ""},
		{"cpu", "gloo", second, 0, "cpu", ""},
		{"auto", "gloo", second, 0, "cpu", ""},
		{"cuda", "mpi", second, 0, "", "cluster.engine is mpi, which computes on CPUs"},
		{"cpu", "nccl", second, 0, "", "cluster.engine is nccl, which computes on GPUs"},
		{"tpu", "auto", second, 0, "", "use auto, cpu, cuda or cuda:N"},
		{"auto", "auto", second, 2, "cuda:1", ""},
		{"auto", "nccl", second, 2, "cuda:1", ""},
		{"cuda", "auto", second, 2, "cuda:1", ""},
		{"cuda", "auto", alone, 1, "cuda:0", ""},
		{"cuda:1", "auto", alone, 2, "cuda:1", ""},
		{"cuda:1", "auto", second, 2, "", "cannot share a GPU"},
		{"cuda", "auto", crowd, 2, "", "99 ranks on this machine, which has"},
	} {
		if here < c.gpus {
			continue
		}
		got, err := rankDevice(c.name, c.engine, c.launch, "", device.GPUs)
		if got != c.want || (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s, %s, rank %d of %d: %q, %v; want %q, %q", c.name, c.engine, c.launch.LocalRank, c.launch.LocalSize, got, err, c.want, c.fault)
		}
		if err != nil && !errors.As(err, new(*device.Error)) {
			t.Errorf("%v is no *device.Error", err)
		}
	}
	if here == 0 {
		got, err := rankDevice("auto", "auto", second, "", device.GPUs)
		if got != "cpu" || err != nil {
			t.Errorf("without a GPU auto is %q, %v", got, err)
		}
		if _, err := rankDevice("auto", "nccl", second, "", device.GPUs); err == nil || !strings.Contains(err.Error(), "cluster.engine nccl: ") {
			t.Errorf("NCCL without a GPU: %v", err)
		}
	}
}

// TestDevicesOfMachines: the device of a rank on machines with so many GPUs, and what is said
// where there is none for it, to the letter.
func TestDevicesOfMachines(t *testing.T) {
	broken := errors.New("the driver is too old")
	for _, c := range []struct {
		name, engine string
		local, size  int
		visible      string
		gpus         int
		err          error
		want, fault  string
	}{
		{"auto", "auto", 1, 4, "", 4, nil, "cuda:1", ""},
		{"auto", "nccl", 3, 4, "", 4, nil, "cuda:3", ""},
		{"cuda", "auto", 3, 4, "0,1,2,3", 4, nil, "cuda:3", ""},
		{"cuda", "auto", 0, 1, "", 4, nil, "cuda:0", ""},
		{"cuda:2", "auto", 0, 1, "", 4, nil, "cuda:2", ""},
		{"cuda", "nccl", 1, 4, "1", 1, nil, "cuda:0", ""}, // the launcher shows each its own
		{"auto", "mpi", 1, 4, "", 4, nil, "cpu", ""},
		{"auto", "gloo", 1, 4, "", 4, broken, "cpu", ""},
		{"cpu", "mpi", 1, 4, "", 4, nil, "cpu", ""},
		{"cuda:1", "auto", 1, 4, "", 4, nil, "", "device cuda:1: the 4 ranks of this machine cannot share a GPU: use --device cuda, which gives each its own"},
		{"cuda", "auto", 1, 4, "", 3, nil, "", "device cuda: 4 ranks on this machine, which has 3 GPUs: start at most as many ranks as there are GPUs, or use --device cpu"},
		{"cuda", "auto", 1, 4, "0,1", 1, nil, "", "device cuda: 4 ranks on this machine, which has 1 GPUs: start at most as many ranks as there are GPUs, or use --device cpu"},
		{"cuda", "auto", 1, 4, "", 1, nil, "", "device cuda: 4 ranks on this machine, which has 1 GPUs: start at most as many ranks as there are GPUs, or use --device cpu"},
		{"cuda", "auto", 1, 4, "3", 2, nil, "", "device cuda: 4 ranks on this machine, which has 2 GPUs: start at most as many ranks as there are GPUs, or use --device cpu"},
		{"cuda", "gloo", 1, 4, "", 4, nil, "", "cluster.engine is gloo, which computes on CPUs, but device is cuda: use cluster.engine auto, or --device cpu"},
		{"cpu", "nccl", 1, 4, "", 4, nil, "", "cluster.engine is nccl, which computes on GPUs, but device is cpu: use --device cuda, or cluster.engine auto"},
		{"auto", "auto", 1, 4, "", 0, broken, "", "cluster.engine nccl: the driver is too old; or use cluster.engine auto"},
		{"cuda", "auto", 1, 4, "", 0, broken, "", "device cuda: the driver is too old; or use --device cpu"},
	} {
		l := ranks.Launch{Rank: 7, Size: 8, LocalRank: c.local, LocalSize: c.size}
		got, err := rankDevice(c.name, c.engine, l, c.visible, func() (int, error) { return c.gpus, c.err })
		if got != c.want || c.fault == "" && err != nil || c.fault != "" && (err == nil || err.Error() != c.fault) {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
	for _, c := range [][3]string{{"auto", "cuda:1", "nccl"}, {"mpi", "cpu", "mpi"}, {"gloo", "cpu", "gloo"}, {"nccl", "cuda:0", "nccl"}} {
		if got := rankEngine(c[0], c[1]); got != c[2] {
			t.Errorf("%s on %s computes over %s, want %s", c[0], c[1], got, c[2])
		}
	}
	if got := rankEngine("auto", "cpu"); got != "gloo" && !mpi.Available {
		t.Errorf("ranks on CPUs compute over %s", got)
	}
}

// TestMeet: two ranks meet, compute together, and leave.
func TestMeet(t *testing.T) {
	if !gloo.Available {
		t.Skip("without Gloo")
	}
	port := freePort(t)
	meet := func(id string, engines [2]string) (clusters [2]*Cluster, faults [2]error) {
		var wait sync.WaitGroup
		for rank := range 2 {
			wait.Go(func() {
				l := ranks.Launch{Launcher: "environment", Rank: rank, Size: 2, LocalRank: rank, LocalSize: 2, Endpoint: port, ID: id}
				clusters[rank], faults[rank] = Open(t.Context(), Config{Launch: l, Engine: engines[rank], Device: "cpu"})
			})
		}
		wait.Wait()
		return clusters, faults
	}
	clusters, faults := meet("a", [2]string{"auto", "gloo"})
	if err := errors.Join(faults[:]...); err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	sums := [2][]float32{{1, 2}, {10, 20}}
	for rank, c := range clusters {
		wait.Go(func() {
			if c.First() != (rank == 0) || c.Device != "cpu" || c.Group.Rank() != rank || c.Group.Size() != 2 || c.gpus != nil || (c.server != nil) != (rank == 0) {
				t.Errorf("rank %d: %+v", rank, c)
			}
			if err := c.Watch(t.Context(), time.Minute, func(r ranks.Report) { t.Error(r) }); err != nil || c.Group != ranks.Group(c.paced) {
				t.Error(err)
			}
			b, _, err := c.OpenBackend(0)
			if err != nil {
				t.Error(err)
				return
			}
			if err := errors.Join(c.Group.AllReduce(sums[rank]), c.Store.Set(t.Context(), fmt.Sprint("key", rank), []byte{byte(rank)})); err != nil {
				t.Error(err)
			}
			if value, err := c.Store.Get(t.Context(), fmt.Sprint("key", 1-rank)); err != nil || len(value) != 1 || int(value[0]) != 1-rank {
				t.Errorf("%v, %v", value, err)
			}
			if err := errors.Join(b.Close(), c.Close(nil)); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if fmt.Sprint(sums) != "[[11 22] [11 22]]" {
		t.Errorf("%v", sums)
	}
}

// freePort is an address of this machine where nobody listens.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestOwnAddress is that of the interface that leads to the host.
func TestOwnAddress(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "localhost"} {
		if got, err := ownAddress(host); err != nil || !net.ParseIP(got).IsLoopback() {
			t.Errorf("%s: %s, %v", host, got, err)
		}
	}
	if _, err := ownAddress("no such host"); err == nil || !strings.HasPrefix(err.Error(), "the machine of rank 0: ") {
		t.Error(err)
	}
}

// TestSameEngine: a rank of another engine than rank 0 is told of both, before it waits.
func TestSameEngine(t *testing.T) {
	store := rankstest.NewStore()
	first, second := &Cluster{Store: store}, &Cluster{Store: store, Launch: ranks.Launch{Rank: 1}}
	if err := first.sameEngine(t.Context(), "gloo"); err != nil {
		t.Fatal(err)
	}
	if err := second.sameEngine(t.Context(), "gloo"); err != nil {
		t.Error(err)
	}
	const want = "this rank computes over mpi, rank 0 over gloo: all need the same binary and libraries, and the same kind of --device"
	if err := second.sameEngine(t.Context(), "mpi"); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if _, err := (&Cluster{Device: "tpu"}).Subgroup(t.Context(), store, 0, 1); err == nil {
		t.Error("a group on a device that is none")
	}
	failed := errors.New("a rank fell over")
	for name, failure := range map[string]error{"left together": nil, "left alone": failed} {
		groups := rankstest.New(1)
		if err := (&Cluster{Group: groups[0]}).Close(failure); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := groups[0].Barrier(); (err != nil) != (failure != nil) {
			t.Errorf("%s: a barrier behind it gives %v", name, err)
		}
	}
}
