package ranks_test

import (
	"strings"
	"testing"

	"example.com/gotrain/train/ranks"
)

// lookup makes a function like os.Getenv of "NAME=value NAME=value".
func lookup(vars string) func(string) string {
	table := map[string]string{}
	for field := range strings.FieldsSeq(vars) {
		name, value, _ := strings.Cut(field, "=")
		table[name] = value
	}
	return func(name string) string { return table[name] }
}

const (
	torchrunVars = "RANK=3 WORLD_SIZE=4 LOCAL_RANK=1 LOCAL_WORLD_SIZE=2 MASTER_ADDR=node1 MASTER_PORT=29512 " +
		"TORCHELASTIC_RUN_ID=r7 TORCHELASTIC_RESTART_COUNT=2 TORCHELASTIC_USE_AGENT_STORE=True "
	slurmVars = "SLURM_JOB_ID=812 SLURM_STEP_ID=0 SLURM_PROCID=2 SLURM_STEP_NUM_TASKS=3 SLURM_NTASKS=8 SLURM_LOCALID=0 " +
		"SLURM_NODEID=1 SLURM_STEP_TASKS_PER_NODE=2,1 SLURM_STEP_NODELIST=n[01-02] SLURM_RESTART_COUNT=1 "
	ompiVars = "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_LOCAL_RANK=1 OMPI_COMM_WORLD_LOCAL_SIZE=2 PMIX_NAMESPACE=77 "
)

func TestDetect(t *testing.T) {
	cases := []struct {
		name, vars string
		want       ranks.Launch
	}{
		{"nothing", "HOME=/root SLURM_JOB_ID=4", ranks.Launch{Launcher: "none", Size: 1, LocalSize: 1, ID: "alone"}},
		{"torchrun", torchrunVars, ranks.Launch{Launcher: "torchrun", Rank: 3, Size: 4, LocalRank: 1, LocalSize: 2,
			Endpoint: "node1:29512", Served: true, ID: "torchrun-r7-2", Restarts: 2}},
		{"torchrun in a step of Slurm", torchrunVars + slurmVars, ranks.Launch{Launcher: "torchrun", Rank: 3, Size: 4, LocalRank: 1,
			LocalSize: 2, Endpoint: "node1:29512", Served: true, ID: "torchrun-r7-2", Restarts: 2}},
		{"torchrun without its store", strings.Replace(torchrunVars, "True", "False", 1), ranks.Launch{Launcher: "torchrun", Rank: 3,
			Size: 4, LocalRank: 1, LocalSize: 2, Endpoint: "node1:29512", ID: "torchrun-r7-2", Restarts: 2}},
		{"slurm", slurmVars + "MASTER_PORT=5000", ranks.Launch{Launcher: "slurm", Rank: 2, Size: 3, LocalSize: 1,
			Endpoint: "n01:5000", ID: "slurm-812-0-1", Restarts: 1}},
		{"open mpi", ompiVars + "MASTER_PORT=5000", ranks.Launch{Launcher: "openmpi", Rank: 1, Size: 2, LocalRank: 1, LocalSize: 2,
			Endpoint: "127.0.0.1:5000", ID: "openmpi-77"}},
		{"open mpi whose daemon srun started", ompiVars + slurmVars + "MASTER_PORT=5000", ranks.Launch{Launcher: "openmpi", Rank: 1,
			Size: 2, LocalRank: 1, LocalSize: 2, Endpoint: "127.0.0.1:5000", ID: "openmpi-812-1-77", Restarts: 1}},
		{"mpich", "PMI_RANK=0 PMI_SIZE=4 MPI_LOCALRANKID=0 MPI_LOCALNRANKS=2 MASTER_ADDR=a MASTER_PORT=5000", ranks.Launch{
			Launcher: "mpich", Size: 4, LocalSize: 2, Endpoint: "a:5000", ID: "mpich"}},
		{"kubernetes", "JOB_COMPLETION_INDEX=1 WORLD_SIZE=2 MASTER_ADDR=train-0.train MASTER_PORT=5000", ranks.Launch{
			Launcher: "kubernetes", Rank: 1, Size: 2, LocalSize: 1, Endpoint: "train-0.train:5000", ID: "kubernetes-train-0.train"}},
		{"an operator", "RANK=1 WORLD_SIZE=2 MASTER_ADDR=::1 MASTER_PORT=5000", ranks.Launch{Launcher: "environment", Rank: 1,
			Size: 2, LocalSize: 1, Endpoint: "[::1]:5000", ID: "environment-::1"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := ranks.Detect(lookup(c.vars))
			if err != nil || got != c.want {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, c.want)
			}
		})
	}
}

// TestDetectFaults gives environments that contradict themselves.
func TestDetectFaults(t *testing.T) {
	cases := []struct{ vars, want string }{
		{torchrunVars + "RANK=4", "rank 4 of 4"},
		{torchrunVars + "LOCAL_RANK=2", "rank 2 of 2 on this machine"},
		{torchrunVars + "LOCAL_WORLD_SIZE=5", "5 ranks on this machine, of 4"},
		{torchrunVars + "WORLD_SIZE=four", `WORLD_SIZE="four"`},
		{torchrunVars + "MASTER_PORT=", "MASTER_PORT"},
		{slurmVars + "SLURM_PROCID=", "SLURM_PROCID is not set"},
		{slurmVars + "SLURM_STEP_TASKS_PER_NODE=2", "fewer machines"},
		{slurmVars + "SLURM_STEP_TASKS_PER_NODE=2(x", `""`},
		{ompiVars + "OMPI_COMM_WORLD_SIZE=4", "MASTER_ADDR is not set"},
		{"JOB_COMPLETION_INDEX=1", "WORLD_SIZE is not"},
		{"RANK=0 WORLD_SIZE=0", "number of ranks is 0"},
		{"RANK=-1 WORLD_SIZE=2", `RANK="-1"`},
	}
	for _, c := range cases {
		if l, err := ranks.Detect(lookup(c.vars)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s:\ngot %+v, %v\nwant an error with %q", c.vars, l, err, c.want)
		}
	}
}

// TestDetectHosts reads Slurm's compressed lists.
func TestDetectHosts(t *testing.T) {
	for list, want := range map[string]string{
		"n1": "n1", "n1,n2": "n1", "gpu[03-07,9],login1": "gpu03", "r[1-2]n[5-6]": "r1n5", "a[9,11-12]": "a9", "x[1-3]-ib": "x1-ib",
	} {
		l, err := ranks.Detect(lookup(slurmVars + "MASTER_PORT=1 SLURM_STEP_NODELIST=" + list))
		if err != nil || l.Endpoint != want+":1" {
			t.Errorf("%s: %q, %v; want %s", list, l.Endpoint, err, want)
		}
	}
}

// TestDetectPort wants one port on all ranks, and another one after a restart.
func TestDetectPort(t *testing.T) {
	first, err := ranks.Detect(lookup(slurmVars))
	if err != nil {
		t.Fatal(err)
	}
	peer, _ := ranks.Detect(lookup(slurmVars + "SLURM_PROCID=0 SLURM_NODEID=0"))
	next, _ := ranks.Detect(lookup(slurmVars + "SLURM_RESTART_COUNT=2"))
	if first.Endpoint != peer.Endpoint || first.Endpoint == next.Endpoint {
		t.Errorf("endpoints %s and %s of one attempt, %s of the next", first.Endpoint, peer.Endpoint, next.Endpoint)
	}
}
