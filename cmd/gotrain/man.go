package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// released is the date of the manual's pages.
var released = time.Date(2026, time.November, 30, 0, 0, 0, 0, time.UTC)

func newMan() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages of all commands",
		Long: `Man writes a page for each command into DIR, which it makes: gotrain.1,
gotrain-pretrain.1, … Put them where man looks, such as ~/.local/share/man/man1.`,
		Example: "  gotrain man ~/.local/share/man/man1",
		Args:    oneArg("DIR"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o777); err != nil {
				return err
			}
			// No date of today: the same program writes the same pages.
			header := &doc.GenManHeader{Title: "GOTRAIN", Section: "1", Source: "gotrain " + readBuild().Version, Date: &released}
			root := c.Root()
			root.DisableAutoGenTag = true
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return err
			}
			pages, err := filepath.Glob(filepath.Join(args[0], "gotrain*.1"))
			fmt.Fprintf(c.ErrOrStderr(), "%d pages in %s\n", len(pages), args[0])
			return err
		},
		ValidArgsFunction: directories,
	}
}
