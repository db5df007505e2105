package testpg

import "syscall"

// attributes makes a child run as owner, and end with the test process even
// when that is killed.
func attributes(owner *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: owner, Pdeathsig: syscall.SIGQUIT}
}
