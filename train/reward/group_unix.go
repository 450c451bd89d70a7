//go:build unix

package reward

import (
	"os/exec"
	"syscall"
)

// endGroup has the end of c's context end all processes that c has started as well.
func endGroup(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
}
