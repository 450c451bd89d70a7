package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"example.com/gotrain/data/vfs"
	"example.com/gotrain/train"
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/console"
	"example.com/gotrain/train/ranks"
	"example.com/gotrain/train/ranks/join"
	"example.com/gotrain/train/ways"
)

// trainRun trains and reports.
func trainRun(c *cobra.Command, cfg config.Config, resume string) error {
	if err := checkPaths(cfg); err != nil {
		return err
	}
	return withRanks(c, cfg, func(cluster *join.Cluster) error { return trainRank(c, cluster, cfg, resume) })
}

// withRanks finds the other ranks that the launcher started and does this rank's part of
// the work, which is watched.
func withRanks(c *cobra.Command, cfg config.Config, work func(*join.Cluster) error) error {
	// A crash ends the process by SIGABRT. Without this the runtime exits with 2, which
	// tells launchers of wrong use: they would not start the run again.
	debug.SetTraceback("crash")
	cluster, err := joinCluster(c.Context(), cfg.Cluster.Engine, cfg.Device)
	if err != nil {
		return train.Stopped(c.Context(), err)
	}
	err = cluster.Watch(c.Context(), time.Duration(cfg.Cluster.TimeoutS)*time.Second, func(r ranks.Report) {
		// The collective may never return, so nothing can be unwound.
		fmt.Fprintf(c.ErrOrStderr(), "gotrain: %v", r)
		os.Exit(exitFailed)
	})
	if err == nil {
		err = work(cluster)
	}
	failure := err
	if errors.Is(err, train.ErrStopped) {
		failure = nil // all ranks agreed on it
	}
	return errors.Join(err, cluster.Close(failure))
}

// joinCluster finds the other ranks that the launcher started, and waits for them.
func joinCluster(ctx context.Context, engine, device string) (*join.Cluster, error) {
	launch, err := ranks.Detect(os.Getenv)
	if err != nil {
		return nil, usageError{err}
	}
	return join.Open(ctx, join.Config{Launch: launch, Engine: engine, Device: device})
}

// trainRank is this rank's part of the run.
func trainRank(c *cobra.Command, cluster *join.Cluster, cfg config.Config, resume string) error {
	backend, device, err := cluster.OpenBackend(cfg.Threads)
	if err != nil {
		return err
	}
	defer backend.Close()
	deps := train.Deps{Backend: backend, Table: table(), FS: vfs.OS{}, Now: time.Now, Resume: resume,
		Group: cluster.Group, LocalRank: cluster.Launch.LocalRank, Version: readBuild().String()}
	if deps.Ways, err = ways.Usual(); err != nil {
		deps.Ways = ways.File{} // no home: nothing is timed
	}
	var forget func()
	deps.Save, forget = asksForSave()
	defer forget()
	if !cluster.First() {
		_, err := train.Train(c.Context(), cfg, deps)
		return err
	}
	p := console.New(c.ErrOrStderr())
	deps.Machine, deps.Listener = p.Measure(device, cfg.Precision), p.Listener()
	result, err := train.Train(c.Context(), cfg, deps)
	p.Clear()
	if err != nil {
		return err
	}
	p.Finish(result)
	if result.Steps > 0 && result.Next != nil {
		p.Line("next       %s", result.Next(cmp.Or(result.Best, cfg.Run.Dir)))
	}
	return nil
}

// asksForSave gives a value for each of saveSignals, until forget is called.
func asksForSave() (asked <-chan struct{}, forget func()) {
	signals := saveSignals()
	if len(signals) == 0 {
		return nil, func() {}
	}
	came, asks := make(chan os.Signal, 1), make(chan struct{}, 1)
	signal.Notify(came, signals...)
	go func() {
		for range came {
			select {
			case asks <- struct{}{}:
			default: // one is asked for already
			}
		}
	}()
	return asks, func() {
		signal.Stop(came)
		close(came)
	}
}
