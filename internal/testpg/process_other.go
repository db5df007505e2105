//go:build unix && !linux

package testpg

import "syscall"

// attributes makes a child run as owner.
func attributes(owner *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: owner}
}
