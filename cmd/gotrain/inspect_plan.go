package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"example.com/gotrain/train/config"
	"example.com/gotrain/train/engine"
)

func newInspectPlan() *cobra.Command {
	var f configFlags
	var program string
	var dump bool
	c := &cobra.Command{
		Use:   "plan FILE",
		Short: "Show the programs of a configuration: passes, memory at the peak, instructions",
		Example: `  gotrain inspect plan configs/opticks.yaml
  gotrain inspect plan configs/opticks.yaml --program step --dump`,
		Args: atMostOneArg("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			file, err := fileOrConfig(c, args, f.config)
			if err != nil {
				return err
			}
			cfg, err := loadConfig(file, f.set)
			if err != nil {
				return err
			}
			return inspectPlan(c, cfg, program, dump)
		},
		ValidArgsFunction: filesWith("yaml", "yml"),
	}
	c.Flags().StringVar(&f.config, "config", "", "the same as FILE")
	complete(c, "config", filesWith("yaml", "yml"))
	c.Flags().StringArrayVar(&f.set, "set", nil, "override a key, `path.to.key=VALUE`; may be repeated")
	c.Flags().StringVar(&program, "program", "", "only this one: step, or first, next and last with accumulation; eval")
	c.Flags().BoolVar(&dump, "dump", false, "print every instruction too")
	complete(c, "program", fixed("step", "first", "next", "last", "eval"))
	return c
}

func inspectPlan(c *cobra.Command, cfg config.Config, program string, dump bool) error {
	d, err := planDevice(cfg.Device, "", cfg.Threads)
	if err != nil {
		return err
	}
	target, err := d.Target()
	if err != nil {
		return err
	}
	job, err := design(c.Context(), cfg)
	if err != nil {
		return err
	}
	programs, err := engine.Compile(job.Config, job, target)
	if err != nil {
		return err
	}
	var names []string
	shown := 0
	for _, p := range programs.All() {
		names = append(names, p.Program.Name)
		if program != "" && p.Program.Name != program {
			continue
		}
		if shown > 0 {
			fmt.Fprintln(c.OutOrStdout())
		}
		shown++
		if err := p.WriteReport(c.OutOrStdout()); err != nil {
			return err
		}
		if dump {
			fmt.Fprintln(c.OutOrStdout())
			if err := p.Program.Dump(c.OutOrStdout()); err != nil {
				return err
			}
		}
	}
	if shown == 0 {
		return usagef("--program: there is no %q; the programs are %s", program, strings.Join(names, ", "))
	}
	return nil
}
