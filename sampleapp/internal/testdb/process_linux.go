package testdb

import "syscall"

// attributes makes a child run as owner, and die with the test process even
// when that is killed.
func attributes(owner *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: owner, Pdeathsig: syscall.SIGQUIT}
}
