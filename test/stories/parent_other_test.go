//go:build !linux

package stories

import "syscall"

func outliveNobody() *syscall.SysProcAttr { return nil }
