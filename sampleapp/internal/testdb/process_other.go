//go:build unix && !linux

package testdb

import "syscall"

// attributes makes a child run as owner.
func attributes(owner *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: owner}
}
