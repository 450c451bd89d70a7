package ranks

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"strconv"
	"strings"
)

// Launch is what a launcher tells one process of a run.
type Launch struct {
	// Launcher is "torchrun", "openmpi", "mpich", "slurm", "kubernetes", "environment"
	// (RANK, WORLD_SIZE and MASTER_ADDR set by hand or by an operator) or "none".
	Launcher string
	// Rank, in [0, Size), is the number of this process among all of the run;
	// LocalRank, in [0, LocalSize), that among the ones on this machine.
	Rank, Size, LocalRank, LocalSize int
	// Endpoint is the host:port of the run's store; "" when Size is 1 and nobody serves one.
	Endpoint string
	// Served tells that the launcher serves the store. Otherwise rank 0 has to, at
	// the port of Endpoint.
	Served bool
	// ID names this attempt at the run (job, step and restart), alike on all ranks. Keys
	// in a store that outlives the processes begin with it.
	ID string
	// Restarts counts the attempts before this one, as far as the launcher tells.
	Restarts int
}

// Detect reads the environment, through a function such as os.Getenv. Launchers
// nest (torchrun or mpirun inside an allocation of Slurm): the innermost counts.
// A batch script of Slurm without srun is one process: it has no SLURM_STEP_ID. A
// process without a launcher is rank 0 of 1. Errors name the variable and the cure.
func Detect(env func(string) string) (Launch, error) {
	e := &environment{get: env}
	var l Launch
	switch {
	case e.has("TORCHELASTIC_RUN_ID"):
		l = e.torchrun()
	case e.has("OMPI_COMM_WORLD_SIZE"):
		l = e.openMPI()
	case e.has("PMI_SIZE", "MPI_LOCALNRANKS"):
		l = e.mpich()
	case e.has("SLURM_STEP_ID"):
		l = e.slurm()
	case e.has("JOB_COMPLETION_INDEX"):
		l = e.kubernetes()
	case e.has("RANK", "WORLD_SIZE"):
		l = e.plain()
	default:
		return Launch{Launcher: "none", Size: 1, LocalSize: 1, ID: "alone"}, nil
	}
	e.check(l)
	if l.Endpoint == "" && l.Size > 1 && len(e.faults) == 0 {
		l.Endpoint = e.endpoint(l)
	}
	if err := errors.Join(e.faults...); err != nil {
		return Launch{}, fmt.Errorf("started by %s, whose environment does not fit together: %w", l.Launcher, err)
	}
	return l, nil
}

// environment reads variables and collects what is wrong with them.
type environment struct {
	get    func(string) string
	faults []error
}

func (e *environment) fault(format string, args ...any) {
	e.faults = append(e.faults, fmt.Errorf(format, args...))
}

func (e *environment) has(names ...string) bool {
	for _, name := range names {
		if e.get(name) == "" {
			return false
		}
	}
	return true
}

// number reads a variable that has to be there.
func (e *environment) number(name string) int {
	text := e.get(name)
	n, err := strconv.Atoi(text)
	switch {
	case text == "":
		e.fault("%s is not set", name)
	case err != nil || n < 0:
		e.fault("%s=%q is no number of 0 or more", name, text)
	}
	return n
}

// or reads a variable that may be missing.
func (e *environment) or(name string, missing int) int {
	if !e.has(name) {
		return missing
	}
	return e.number(name)
}

func (e *environment) check(l Launch) {
	switch {
	case len(e.faults) > 0:
	case l.Size < 1:
		e.fault("the number of ranks is %d", l.Size)
	case l.Rank >= l.Size:
		e.fault("rank %d of %d ranks: they count from 0", l.Rank, l.Size)
	case l.LocalSize > l.Size:
		e.fault("%d ranks on this machine, of %d in all", l.LocalSize, l.Size)
	case l.LocalRank >= l.LocalSize:
		e.fault("rank %d of %d on this machine: they count from 0", l.LocalRank, l.LocalSize)
	}
}

func (e *environment) torchrun() Launch {
	l := Launch{
		Launcher: "torchrun",
		Rank:     e.number("RANK"), Size: e.number("WORLD_SIZE"),
		LocalRank: e.number("LOCAL_RANK"), LocalSize: e.number("LOCAL_WORLD_SIZE"),
		Restarts: e.or("TORCHELASTIC_RESTART_COUNT", 0),
		Served:   !strings.EqualFold(e.get("TORCHELASTIC_USE_AGENT_STORE"), "false"),
	}
	l.ID = fmt.Sprintf("torchrun-%s-%d", e.get("TORCHELASTIC_RUN_ID"), l.Restarts)
	if !e.has("MASTER_ADDR", "MASTER_PORT") {
		e.fault("MASTER_ADDR and MASTER_PORT are not both set")
		return l
	}
	l.Endpoint = net.JoinHostPort(e.get("MASTER_ADDR"), strconv.Itoa(e.number("MASTER_PORT")))
	return l
}

func (e *environment) openMPI() Launch {
	return Launch{
		Launcher: "openmpi",
		Rank:     e.number("OMPI_COMM_WORLD_RANK"), Size: e.number("OMPI_COMM_WORLD_SIZE"),
		LocalRank: e.number("OMPI_COMM_WORLD_LOCAL_RANK"), LocalSize: e.number("OMPI_COMM_WORLD_LOCAL_SIZE"),
		Restarts: e.or("SLURM_RESTART_COUNT", 0),
		ID:       e.join("openmpi", "SLURM_JOB_ID", "SLURM_RESTART_COUNT", "PMIX_NAMESPACE"),
	}
}

func (e *environment) mpich() Launch {
	return Launch{
		Launcher: "mpich",
		Rank:     e.number("PMI_RANK"), Size: e.number("PMI_SIZE"),
		LocalRank: e.number("MPI_LOCALRANKID"), LocalSize: e.number("MPI_LOCALNRANKS"),
		Restarts: e.or("SLURM_RESTART_COUNT", 0),
		ID:       e.join("mpich", "SLURM_JOB_ID", "SLURM_RESTART_COUNT"),
	}
}

func (e *environment) slurm() Launch {
	l := Launch{
		Launcher: "slurm",
		Rank:     e.number("SLURM_PROCID"), Size: e.or("SLURM_STEP_NUM_TASKS", 0),
		LocalRank: e.number("SLURM_LOCALID"),
		Restarts:  e.or("SLURM_RESTART_COUNT", 0),
		ID:        e.join("slurm", "SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_RESTART_COUNT"),
	}
	if l.Size == 0 {
		l.Size = e.number("SLURM_NTASKS")
	}
	counts, node := e.get("SLURM_STEP_TASKS_PER_NODE"), e.or("SLURM_NODEID", 0)
	if counts == "" {
		counts = e.get("SLURM_TASKS_PER_NODE")
	}
	var err error
	if l.LocalSize, err = tasksOfNode(counts, node); err != nil {
		e.fault("SLURM_STEP_TASKS_PER_NODE=%q: %w", counts, err)
	}
	return l
}

func (e *environment) kubernetes() Launch {
	l := Launch{
		Launcher: "kubernetes",
		Rank:     e.number("JOB_COMPLETION_INDEX"), LocalSize: 1,
		ID: e.join("kubernetes", "MASTER_ADDR"),
	}
	if !e.has("WORLD_SIZE") {
		e.fault("JOB_COMPLETION_INDEX is set, WORLD_SIZE is not: set it in the pod's env to the Job's completions")
		return l
	}
	l.Size = e.number("WORLD_SIZE")
	return l
}

func (e *environment) plain() Launch {
	l := Launch{Launcher: "environment", Rank: e.number("RANK"), Size: e.number("WORLD_SIZE")}
	l.LocalRank, l.LocalSize = e.or("LOCAL_RANK", 0), e.or("LOCAL_WORLD_SIZE", 1)
	l.ID = e.join("environment", "MASTER_ADDR")
	return l
}

// join names an attempt by the variables that are set.
func (e *environment) join(launcher string, names ...string) string {
	id := launcher
	for _, name := range names {
		if e.has(name) {
			id += "-" + e.get(name)
		}
	}
	return id
}

// endpoint says where rank 0 serves the store: MASTER_ADDR, else this machine when
// all ranks are here, else the first host of the step. The port is MASTER_PORT,
// else one of [20000, 32000), below those that systems give to clients, made from
// the attempt's ID so that two jobs on one machine seldom share it.
func (e *environment) endpoint(l Launch) string {
	host := e.get("MASTER_ADDR")
	if host == "" && l.LocalSize == l.Size {
		host = "127.0.0.1"
	}
	for _, list := range []string{"SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST"} {
		if host == "" && e.has(list) {
			host = firstHost(e.get(list))
		}
	}
	if host == "" {
		e.fault("the ranks are on several machines and MASTER_ADDR is not set: " +
			"give all of them the name of rank 0's machine (mpirun: -x MASTER_ADDR=HOST)")
	}
	sum := fnv.New32a()
	sum.Write([]byte(l.ID))
	return net.JoinHostPort(host, strconv.Itoa(e.or("MASTER_PORT", 20000+int(sum.Sum32()%12000))))
}

// tasksOfNode reads Slurm's list of tasks by node: "2(x3),1" is 2, 2, 2 and 1.
func tasksOfNode(counts string, node int) (int, error) {
	if node < 0 {
		return 0, errors.New("SLURM_NODEID is negative")
	}
	for run := range strings.SplitSeq(counts, ",") {
		text, times, repeated := strings.Cut(strings.TrimSuffix(run, ")"), "(x")
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return 0, fmt.Errorf("%q is no number of tasks", text)
		}
		nodes := 1
		if repeated {
			if nodes, err = strconv.Atoi(times); err != nil || nodes < 1 {
				return 0, fmt.Errorf("%q is no number of machines", times)
			}
		}
		if node < nodes {
			return n, nil
		}
		node -= nodes
	}
	return 0, errors.New("it has fewer machines than SLURM_NODEID says")
}

// firstHost is the first machine of Slurm's compressed list: "gpu[03-07,9],login1"
// gives gpu03, "r[1-2]n[5-6]" r1n5.
func firstHost(list string) string {
	var host strings.Builder
	inside, skip := false, false
	for _, c := range list {
		switch {
		case c == '[':
			inside, skip = true, false
		case c == ']':
			inside, skip = false, false
		case inside && (c == '-' || c == ','):
			skip = true
		case c == ',':
			return host.String()
		case !skip:
			host.WriteRune(c)
		}
	}
	return host.String()
}
